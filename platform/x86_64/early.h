/* SPDX-License-Identifier: MIT OR Apache-2.0
 * early.h: where everything was put.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* Keys: [I] fixed before x86_main() */
struct layout {
    uint64_t slide;  /* [I] virtual address of the image - address that it was linked (and loaded) at */
    uint64_t direct; /* [I] virtual address of physical 0 in the map of RAM */
    uint64_t device; /* [I] where device windows begin */
    uint64_t tables; /* [I] physical address of the first page table */
    bool fixed;      /* [I] base=fixed was asked for */
};
extern struct layout layout;

_Noreturn void early_main(uint32_t info, uint32_t eax);
/* At the final address, on the boot stack. */
__attribute__((visibility("hidden"))) _Noreturn void x86_main(void);
