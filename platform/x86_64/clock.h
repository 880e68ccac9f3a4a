/* SPDX-License-Identifier: MIT OR Apache-2.0
 * clock.h: time by the TSC, or by the hypervisor's clock; the one-shot timer.
 */
#pragma once
#include "acpi.h"
#include <stdbool.h>
#include <stdint.h>

/* After apic_init(). */
void x86_clock_init(const struct acpi_facts *facts);
/* TRAP: the local APIC's timer interrupt. True: the deadline is reached, and nothing is armed. */
bool x86_clock_timer_fired(void);
/* Ticks a second of the TSC as known now; 0: not yet. */
uint64_t x86_clock_tsc_hz(void);
/* "local APIC", "TSC deadline" */
const char *x86_clock_timer_name(void);

/* Seconds since 1970 by the CMOS clock; 0: none, or it makes no sense. */
uint64_t x86_rtc_seconds(void);
