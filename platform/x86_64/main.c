/* SPDX-License-Identifier: MIT OR Apache-2.0
 * main.c: from the final address to core: the order in which the machine is set up, and what it says of itself.
 *
 *  (1) Until x86_cpu_init() no fault can be told; until x86_machine_init() no table is known; until x86_clock_init() no time.
 */
#include "apic.h"
#include "bootinfo.h"
#include "clock.h"
#include "cpu.h"
#include "early.h"
#include "hw.h"
#include "irq.h"
#include "machine.h"
#include "paging.h"
#include "pci.h"
#include "plat/plat.h"

#define NOTE_HEADER_BYTES 16u /* three words and "GNU\0" */

/* image.lds */
extern const unsigned char image_note_build_id[], image_note_build_id_end[];

_Noreturn void x86_main(void)
{
    paging_tables_at(layout.direct);
    x86_cpu_init();
    paging_drop_low();
    x86_machine_init();
    x86_pci_init(x86_machine_facts());
    apic_init(x86_machine_facts());
    x86_irq_init(x86_machine_facts());
    x86_clock_init(x86_machine_facts());
    core_main();
}

const char *plat_cmdline(void)
{
    return boot_info.cmdline;
}

uintptr_t plat_image_base(void)
{
    return layout.slide;
}

const unsigned char *plat_build_id(size_t *size)
{
    size_t bytes = (size_t)(image_note_build_id_end - image_note_build_id);

    if (bytes <= NOTE_HEADER_BYTES) {
        return NULL;
    }
    *size = bytes - NOTE_HEADER_BYTES;
    return image_note_build_id + NOTE_HEADER_BYTES;
}
