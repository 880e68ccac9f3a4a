/* SPDX-License-Identifier: MIT OR Apache-2.0
 * pci.h: what the bus (pci.c) and its message interrupts (pci_msix.c) know of each other.
 */
#pragma once
#include "sim_pci.h"

enum { /* PCI 3.0, 6.1 */
       PCI_VENDOR = 0x00,
       PCI_DEVICE = 0x02,
       PCI_COMMAND = 0x04,
       PCI_STATUS = 0x06,
       PCI_REVISION = 0x08,
       PCI_CACHE_LINE = 0x0c,
       PCI_BAR0 = 0x10,
       PCI_SUBSYSTEM_VENDOR = 0x2c,
       PCI_SUBSYSTEM = 0x2e,
       PCI_CAPABILITIES = 0x34,
       PCI_LINE = 0x3c,
       PCI_PIN = 0x3d,
       PCI_HEADER_BYTES = 0x40,
};
enum { COMMAND_MEMORY = 2, COMMAND_MASTER = 4, COMMAND_NO_PIN = 0x400 };
enum { STATUS_PIN = 8, STATUS_CAPABILITIES = 0x10 };

/* Before the BARs are placed: takes its BAR. Afterwards: its capability. */
void msix_bar_add(struct sim_pci_function *function);
void msix_capability_add(struct sim_pci_function *function);
/* Its control word may have been written: what waited goes. */
void msix_changed(struct sim_pci_function *function);
