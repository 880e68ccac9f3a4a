/* SPDX-License-Identifier: MIT OR Apache-2.0
 * show.c: what the machine says of itself on the diagnostics console.
 */
#include "apic.h"
#include "bootinfo.h"
#include "clock.h"
#include "core/diag.h"
#include "core/fmt.h"
#include "cpu.h"
#include "early.h"
#include "hw.h"
#include "irq.h"
#include "machine.h"
#include "paging.h"
#include "pci.h"
#include "plat/plat.h"

#define KIB 1024u

static void brand(char text[49])
{
    for (uint32_t i = 0; i < 3; i++) {
        struct hw_cpuid r = hw_cpuid(0x80000002 + i, 0);
        uint32_t word[4] = {r.eax, r.ebx, r.ecx, r.edx};
        for (unsigned b = 0; b < 16; b++) {
            char c = (char)(word[b / 4] >> (8 * (b % 4)));
            text[16 * i + b] = c == '\0' || (c >= ' ' && c <= '~') ? c : '?';
        }
    }
    text[48] = '\0';
}

void plat_show_cpu(void)
{
    char name[49];
    char rate[32] = "rate not measured yet";
    uint64_t hz = x86_clock_tsc_hz();

    if (hz != 0) {
        fmt_text(rate, sizeof rate, "%llu kHz", (unsigned long long)(hz / 1000));
    }
    brand(name);
    diag_print("%s on %s: %u CPU named by firmware, 1 running\n", name, plat_name(), plat_cpu_count());
    diag_print("clock %s, %s; timer %s; interrupts by %s\n", plat_clock_source(), rate, x86_clock_timer_name(),
               apic_is_x2() ? "x2APIC" : "xAPIC");
    diag_print("protections: W^X NX WP %s; FPU state %u bytes; %u address bits\n", x86_cpu_protections(),
               x86_cpu_fpu_bytes(), x86_cpu_physical_bits());
}

void plat_show_mem(void)
{
    const struct memmap *m = &boot_info.firmware;

    diag_print("image at slide 0x%llx%s, RAM at 0x%llx, devices at 0x%llx\n", (unsigned long long)layout.slide,
               layout.fixed ? " (base=fixed)" : "", (unsigned long long)layout.direct,
               (unsigned long long)layout.device);
    diag_print("page tables: %u pages, %u kept for later\n", paging_pages_used(), paging_pages_left());
    for (unsigned i = 0; i < m->count; i++) {
        diag_print("RAM 0x%09llx-0x%09llx %8llu KiB\n", (unsigned long long)m->span[i].base,
                   (unsigned long long)(m->span[i].end - 1),
                   (unsigned long long)((m->span[i].end - m->span[i].base) / KIB));
    }
    if (m->dropped != 0) {
        diag_print("%u pieces of RAM are not used: the map has too many\n", m->dropped);
    }
}

void plat_show_irq(void)
{
    diag_print("%u of %u vectors in use, %u I/O APICs\n", x86_irq_vectors_used(), PLAT_VECTORS_MAX, ioapic_count());
    for (uint32_t v = 0; v < x86_irq_vectors_used(); v++) {
        uint32_t gsi = 0;
        const char *kind = x86_irq_kind(v, &gsi);
        diag_print("vector %3u %s", v, kind);
        diag_print(gsi != 0 ? " gsi %u\n" : "\n", gsi);
    }
}

void plat_show_acpi(void)
{
    const struct acpi_facts *f = x86_machine_facts();

    if (!f->found) {
        diag_print("no ACPI tables; loaded by %s\n", boot_info.multiboot ? "multiboot" : "PVH");
        return;
    }
    diag_print("ACPI by '%s': %u tables, %u refused; loaded by %s\n", f->oem, f->tables, f->refused,
               boot_info.multiboot ? "multiboot" : "PVH");
    diag_print("%u CPUs, %u I/O APICs, %u overrides, PCI by %s\n", f->cpus, f->ioapics, f->overrides, x86_pci_access());
    diag_print("power off by %s\n", !f->s5                                ? "nothing: no \\_S5"
                                    : f->sleep_control.space != ACPI_NONE ? "sleep control"
                                                                          : "PM1");
}
