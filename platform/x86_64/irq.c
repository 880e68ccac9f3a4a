/* SPDX-License-Identifier: MIT OR Apache-2.0
 * irq.c: hands out vectors, routes pins, and takes interrupts to core.
 *
 *  (1) A level pin is masked before the end of interrupt, since its line is still up: it would come again at once. Core
 *      unmasks it when the device has been looked at.
 *  (2) Vectors are given for good. A level pin has one however many devices share its wire.
 */
#include "irq.h"
#include "apic.h"
#include "clock.h"
#include "core/assert.h"
#include "cpu.h"
#include "plat/plat.h"
#include "serial.h"
#include "trap.h"

#define MSI_ADDRESS 0xfee00000ull
_Static_assert(TRAP_FIRST_DEVICE + PLAT_VECTORS_MAX <= TRAP_TIMER, "vectors do not meet");

enum kind { KIND_FREE, KIND_MSI, KIND_EDGE, KIND_LEVEL };
/* Keys: [I] after BOOT */
static struct {
    unsigned used;
    uint8_t kind[PLAT_VECTORS_MAX];
    uint32_t gsi[PLAT_VECTORS_MAX];
    bool active_low[PLAT_VECTORS_MAX];
    unsigned overrides;
    struct acpi_override override[ACPI_OVERRIDES_MAX];
} self;

void x86_irq_init(const struct acpi_facts *facts)
{
    self.overrides = facts->overrides;
    for (unsigned i = 0; i < facts->overrides; i++) {
        self.override[i] = facts->override[i];
    }
}

unsigned x86_irq_vectors_used(void)
{
    return self.used;
}

const char *x86_irq_kind(uint32_t vector, uint32_t *gsi)
{
    static const char *const name[] = {[KIND_MSI] = "msi", [KIND_EDGE] = "edge", [KIND_LEVEL] = "level"};

    if (vector >= self.used) {
        return NULL;
    }
    *gsi = self.gsi[vector];
    return name[self.kind[vector]];
}

status_t plat_irq_msi(uint32_t *vector, uint64_t *address, uint32_t *data)
{
    if (self.used == PLAT_VECTORS_MAX) {
        return ST_FULL;
    }
    self.kind[self.used] = KIND_MSI;
    *vector = self.used++;
    *address = MSI_ADDRESS | (uint64_t)(apic_id() & 0xff) << 12;
    *data = TRAP_FIRST_DEVICE + *vector;
    return ST_OK;
}

/* The vector that the pin was given before, or else the next one. */
static unsigned vector_of_pin(uint32_t gsi)
{
    unsigned v = 0;

    while (v < self.used && (self.kind[v] == KIND_MSI || self.gsi[v] != gsi)) {
        v++;
    }
    return v;
}

status_t plat_irq_wired(uint32_t gsi, bool level, bool active_low, uint32_t *vector)
{
    unsigned before = vector_of_pin(gsi);

    if (before < self.used) { /* (2) */
        if (!level || self.kind[before] != KIND_LEVEL || self.active_low[before] != active_low) {
            return ST_UNSUPPORTED;
        }
        *vector = before;
        return ST_OK;
    }
    if (self.used == PLAT_VECTORS_MAX) {
        return ST_FULL;
    }
    if (!ioapic_route(gsi, (uint8_t)(TRAP_FIRST_DEVICE + self.used), level, active_low)) {
        return ST_UNSUPPORTED;
    }
    self.kind[self.used] = level ? KIND_LEVEL : KIND_EDGE;
    self.gsi[self.used] = gsi;
    self.active_low[self.used] = active_low;
    *vector = self.used++;
    return ST_OK;
}

void plat_irq_mask(uint32_t vector, bool masked)
{
    ASSERT(vector < self.used);
    if (self.kind[vector] != KIND_MSI) { /* a message is masked at its device */
        ioapic_mask(self.gsi[vector], masked);
    }
}

status_t plat_console_irq(uint32_t *vector)
{
    struct acpi_override at = {.irq = SERIAL_ISA_IRQ, .gsi = SERIAL_ISA_IRQ};

    if (!x86_serial_present()) {
        return ST_UNSUPPORTED;
    }
    for (unsigned i = 0; i < self.overrides; i++) {
        at = self.override[i].irq == SERIAL_ISA_IRQ ? self.override[i] : at;
    }
    status_t s = plat_irq_wired(at.gsi, at.level, at.active_low, vector);
    if (s == ST_OK) {
        plat_irq_mask(*vector, false);
        x86_serial_listen();
    }
    return s;
}

void trap_interrupt(uint32_t vector)
{
    uint32_t index = vector - TRAP_FIRST_DEVICE;

    if (vector == TRAP_TIMER) {
        apic_eoi();
        if (x86_clock_timer_fired()) {
            core_trap_timer();
        }
    } else if (index < self.used) {
        if (self.kind[index] == KIND_LEVEL) {
            ioapic_mask(self.gsi[index], true); /* (1) */
        }
        apic_eoi();
        core_trap_irq(index);
    } else if (vector != TRAP_SPURIOUS) {
        apic_eoi(); /* nobody's: a device that was given no vector sent one */
    }
    core_trap_return();
}
