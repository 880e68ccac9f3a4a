/* SPDX-License-Identifier: MIT OR Apache-2.0
 * machine.c: the machine by its tables: name, fixed virtio-mmio windows, power off, reset.
 *
 *  (1) One image runs on all: nothing is decided at build time.
 */
#include "machine.h"
#include "apic.h"
#include "bootinfo.h"
#include "core/assert.h"
#include "hw.h"
#include "memory.h"
#include "plat/plat.h"

#define DEBUG_EXIT 0xf4u
#define RESET_CONTROL 0xcf9u /* of Intel chipsets, PIIX3 on */
#define RESET_HARD 0x0eu
#define KEYBOARD_COMMAND 0x64u
#define KEYBOARD_RESET 0xfeu
#define SLEEP_ENABLE (1u << 13)        /* of PM1_CNT; the type is in bits 10-12 */
#define SLEEP_CONTROL_ENABLE (1u << 5) /* of the sleep control register; the type in bits 2-4 */
#define SCI_ENABLED 1u
#define EVENT_WAIT 100000u
/* QEMU's microvm (include/hw/i386/microvm.h): windows of 512 bytes, 24 on the second I/O APIC, else 8. */
#define WINDOW_BASE 0xfeb00000ull
#define WINDOW_BYTES 512u
#define WINDOWS_ON_SECOND 24u
#define WINDOWS_ON_FIRST 8u
#define GSI_SECOND 24u
#define GSI_FIRST_ACPI 16u
#define GSI_FIRST_NO_ACPI 5u
#define PCI_HOST_Q35 0x29c08086u
#define PCI_HOST_PC 0x12378086u

/* Keys: [I] after x86_machine_init */
static struct {
    struct acpi_facts facts;
    uintptr_t sleep_at; /* mapped registers that are memory */
    uintptr_t reset_at;
} self;

static uintptr_t map_register(const struct acpi_register *r)
{
    uintptr_t at = 0;

    if (r->space == ACPI_MEMORY && plat_mmio_map(r->address, 1, &at) != ST_OK) {
        return 0;
    }
    return at;
}

void x86_machine_init(void)
{
    acpi_read(&self.facts, boot_info.rsdp, x86_memory_view);
    self.sleep_at = map_register(&self.facts.sleep_control);
    self.reset_at = map_register(&self.facts.reset);
}

const struct acpi_facts *x86_machine_facts(void)
{
    return &self.facts;
}

unsigned plat_cpu_count(void)
{
    return self.facts.cpus > 0 ? self.facts.cpus : 1;
}

/* microvm is what has no PM block and no PCI host of a PC. */
static bool is_microvm(void)
{
    uint32_t id;

    return self.facts.fadt ? self.facts.reduced : plat_pci_read(0, 0, 0, 0, 4, &id) != ST_OK;
}

static bool oem_is(const char *name)
{
    for (unsigned i = 0; name[i] != '\0'; i++) {
        if (self.facts.oem[i] != name[i]) {
            return false;
        }
    }
    return true;
}

const char *plat_name(void)
{
    uint32_t id = 0;

    if (oem_is("Google")) {
        return "gce";
    }
    if (is_microvm()) {
        return "microvm";
    }
    if (plat_pci_read(0, 0, 0, 0, 4, &id) != ST_OK) {
        return "x86_64";
    }
    return id == PCI_HOST_Q35 ? "q35" : id == PCI_HOST_PC ? "pc" : "x86_64";
}

bool plat_mmio_device(unsigned i, uint64_t *address, size_t *size, uint32_t *gsi, bool *edge)
{
    bool second = ioapic_count() > 1;
    uint32_t first = second ? GSI_SECOND : self.facts.madt ? GSI_FIRST_ACPI : GSI_FIRST_NO_ACPI;

    if (!is_microvm() || i >= (second ? WINDOWS_ON_SECOND : WINDOWS_ON_FIRST)) {
        return false;
    }
    *address = WINDOW_BASE + (uint64_t)i * WINDOW_BYTES;
    *size = WINDOW_BYTES;
    *gsi = first + i;
    *edge = false; /* the DSDT says level, active high */
    return true;
}

/* --- the end -------------------------------------------------------------------------------------------------------------- */

/* On a machine whose firmware left ACPI off, PM1_CNT does nothing: turn it on and look a bounded number of times. */
static void acpi_enable(uint16_t control)
{
    const struct acpi_facts *f = &self.facts;

    if ((hw_in16(control) & SCI_ENABLED) != 0 || f->sci_enable_port == 0 || f->sci_enable_port > 0xffff) {
        return;
    }
    hw_out8((uint16_t)f->sci_enable_port, f->sci_enable_value);
    for (unsigned i = 0; i < EVENT_WAIT && (hw_in16(control) & SCI_ENABLED) == 0; i++) {
        hw_pause();
    }
}

static void power_off(void)
{
    const struct acpi_facts *f = &self.facts;

    if (self.sleep_at != 0 && f->s5) {
        hw_write8(self.sleep_at, (uint8_t)((unsigned)f->s5_a << 2 | SLEEP_CONTROL_ENABLE));
    }
    if (f->sleep_control.space == ACPI_PORT && f->s5) {
        hw_out8((uint16_t)f->sleep_control.address, (uint8_t)((unsigned)f->s5_a << 2 | SLEEP_CONTROL_ENABLE));
    }
    if (f->pm1a.space == ACPI_PORT && f->s5) {
        acpi_enable((uint16_t)f->pm1a.address);
        hw_out16((uint16_t)f->pm1a.address, (uint16_t)((unsigned)f->s5_a << 10 | SLEEP_ENABLE));
    }
    if (f->pm1b.space == ACPI_PORT && f->s5) {
        hw_out16((uint16_t)f->pm1b.address, (uint16_t)((unsigned)f->s5_b << 10 | SLEEP_ENABLE));
    }
}

_Noreturn void plat_exit(enum plat_exit code)
{
    hw_irq_disable();
    hw_out8(DEBUG_EXIT, (uint8_t)code); /* where there is no isa-debug-exit, nobody listens */
    power_off();
    hw_halt();
}

_Noreturn void plat_reboot(void)
{
    const struct acpi_facts *f = &self.facts;

    hw_irq_disable();
    if (self.reset_at != 0) {
        hw_write8(self.reset_at, f->reset_value);
    }
    if (f->reset.space == ACPI_PORT) {
        hw_out8((uint16_t)f->reset.address, f->reset_value);
    }
    hw_out8(RESET_CONTROL, RESET_HARD);
    hw_out8(KEYBOARD_COMMAND, KEYBOARD_RESET);
    hw_triple_fault();
}
