/* SPDX-License-Identifier: MIT OR Apache-2.0
 * raw.h: hardware by its number, of which a bus makes grants. Only core and components/bus may call what is here: a component of
 * another room is not linked with it (build-scripts/symbols.sh).
 */
#pragma once
#include "core/device.h"

/* A device that the bus found, FREE. `where` and the grant are kept. */
void raw_grant_init(struct device_grant *grant, const char *where, void (*off)(struct device_grant *grant))
    REQUIRES(BOOT);

/* Maps physical [address, address + size) uncached, for a device that has its registers there. ST_RANGE: outside what the machine
 * calls device memory (RAM is refused). ST_CLOSED: it is GONE. */
status_t raw_mmio_map(struct device_grant *grant, struct mmio *window, uint64_t address, size_t size) REQUIRES(BOOT);

/* A message-signalled interrupt to this CPU: the address and data to program. ST_FULL: no vector left, or the holder's `interrupts`
 * line allows no more. ST_CLOSED: nobody holds the device. */
status_t raw_irq_msi(struct device_grant *grant, struct irq *irq, void (*handle)(struct irq *irq), uint64_t *address,
                     uint32_t *data) REQUIRES(BOOT);
/* A wired interrupt by its global number (GSI). edge, active-high when level is false; else level, active-low for PCI, and
 * shared with whoever opened it so before. ST_UNSUPPORTED: no such wire, or it is another's in another way. ST_FULL, ST_CLOSED: as
 * above. */
struct raw_wire {
    uint32_t gsi;
    bool level, active_low;
};
status_t raw_irq_wired(struct device_grant *grant, struct irq *irq, void (*handle)(struct irq *irq),
                       struct raw_wire wire) REQUIRES(BOOT);

/* Discovery: what the platform knows without a bus driver. */
struct raw_window { /* a virtio-mmio window */
    uint64_t address;
    size_t size;
    uint32_t gsi;
    bool edge;
};
/* i-th fixed virtio-mmio window to probe for the magic; false when there is no i-th. */
bool raw_mmio_device(unsigned i, struct raw_window *window) REQUIRES(BOOT);

/* PCI configuration space, by ECAM or legacy ports, whichever the machine has. ST_UNSUPPORTED: no PCI here.
 * offset is naturally aligned; size 1, 2 or 4. */
status_t raw_pci_read(uint16_t bus, uint8_t device, uint8_t function, uint16_t offset, unsigned size, uint32_t *value);
status_t raw_pci_write(uint16_t bus, uint8_t device, uint8_t function, uint16_t offset, unsigned size, uint32_t value);
unsigned raw_pci_buses(void); /* 0: no PCI */
/* The GSI that the pin (1 = INTA) of a PCI function reaches; false when unknown. */
bool raw_pci_gsi(uint16_t bus, uint8_t device, uint8_t pin, uint32_t *gsi) REQUIRES(BOOT);
