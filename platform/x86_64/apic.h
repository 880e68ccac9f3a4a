/* SPDX-License-Identifier: MIT OR Apache-2.0
 * apic.h: this CPU's local APIC, as memory (xAPIC) or as MSRs (x2APIC), and the I/O APICs.
 */
#pragma once
#include "acpi.h"
#include <stdbool.h>
#include <stdint.h>

/* Masks the 8259s, enables the local APIC with everything in it masked, maps the I/O APICs with every pin masked. */
void apic_init(const struct acpi_facts *facts);
bool apic_is_x2(void);
uint32_t apic_id(void);
void apic_eoi(void);

/* The timer counts down at its clock / 16. */
#define APIC_TIMER_DIVIDER 16u
void apic_timer_mode(bool deadline, bool masked);
void apic_timer_start(uint32_t count);
uint32_t apic_timer_count(void);

unsigned ioapic_count(void);
/* False: no I/O APIC has this pin. */
bool ioapic_route(uint32_t gsi, uint8_t vector, bool level, bool active_low);
void ioapic_mask(uint32_t gsi, bool masked);
