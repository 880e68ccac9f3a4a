/* SPDX-License-Identifier: MIT OR Apache-2.0
 * machine.h: which machine this is, and how it ends.
 */
#pragma once
#include "acpi.h"

/* Reads the tables. Everything else is told by them. */
void x86_machine_init(void);
const struct acpi_facts *x86_machine_facts(void);
