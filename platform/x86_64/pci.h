/* SPDX-License-Identifier: MIT OR Apache-2.0
 * pci.h: PCI configuration access.
 */
#pragma once
#include "acpi.h"

void x86_pci_init(const struct acpi_facts *facts);
/* "ECAM", "ports", "none" */
const char *x86_pci_access(void);
