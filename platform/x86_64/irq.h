/* SPDX-License-Identifier: MIT OR Apache-2.0
 * irq.h: vectors of devices. Core knows them as 0..PLAT_VECTORS_MAX - 1.
 */
#pragma once
#include "acpi.h"
#include <stdint.h>

void x86_irq_init(const struct acpi_facts *facts);
unsigned x86_irq_vectors_used(void);
/* What feeds a vector: "msi", "gsi 24 level", ... as the `irq` command shows it. NULL: not in use. */
const char *x86_irq_kind(uint32_t vector, uint32_t *gsi);
