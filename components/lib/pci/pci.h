/* SPDX-License-Identifier: MIT OR Apache-2.0
 * pci.h: contract pci_bus.v1: the PCI functions that a machine has, and what a driver's bus may do with one.
 *
 *  (1) Functions stand in the order bus, device, function, so that the first NIC is the same in every boot.
 *  (2) What configuration space says is an allegation: offsets and sizes in it are checked before they are used.
 *  (3) A function decodes memory and masters the bus only after pci_enable(); the latter no more when its grant is silenced.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/device.h"
#include "core/room.h"
#include "core/status.h"

#define PCI_BARS 6u

enum pci_capability { PCI_CAP_VENDOR = 0x09, PCI_CAP_MSIX = 0x11 }; /* PCI 3.0, appendix H */

struct pci_bar {
    uint64_t address; /* 0: firmware gave it none */
    uint64_t size;    /* 0: not there */
    bool io;          /* I/O ports, which nobody here uses */
};

struct pci_bus;

/* Keys: [I] fixed after enumeration  [B] BOOT only */
struct pci_function {
    struct device_grant grant;    /* its driver's, by device_hold(); `where` is "pci 00:03.0" */
    const struct pci_bus *owner;  /* [I] */
    uint16_t bus;                 /* [I] */
    uint8_t device;               /* [I] */
    uint8_t function;             /* [I] */
    uint16_t vendor_id;           /* [I] */
    uint16_t device_id;           /* [I] */
    uint16_t subsystem_id;        /* [I] */
    uint8_t class_code;           /* [I] */
    uint8_t subclass;             /* [I] */
    uint8_t pin;                  /* [I] 0: no INTx; 1 = INTA */
    struct pci_bar bar[PCI_BARS]; /* [I] a 64-bit one takes two, the second of size 0 */
    struct mmio msix_table;       /* [B] mapped when first needed */
    uint16_t msix_count;          /* [I] vectors of its table; 0: no MSI-X */
    uint8_t msix_offset;          /* [I] of the capability */
    char where[16];               /* [I] */
};

struct pci_ops {
    uint32_t (*read)(const struct pci_function *function, uint16_t offset, unsigned size);
    uint8_t (*capability)(const struct pci_function *function, enum pci_capability id, uint8_t after);
    status_t (*map)(struct pci_function *function, unsigned bar, uint64_t offset, uint64_t size, struct mmio *window);
    void (*enable)(const struct pci_function *function);
    status_t (*msix_open)(struct pci_function *function, uint16_t entry, struct irq *irq,
                          void (*handle)(struct irq *irq));
    status_t (*msix_enable)(struct pci_function *function);
    status_t (*intx_open)(struct pci_function *function, struct irq *irq, void (*handle)(struct irq *irq));
};

struct pci_bus {
    const struct pci_ops *ops;     /* [I] called only by the wrappers below */
    struct pci_function *function; /* [I] count entries: (1) */
    unsigned count;                /* [I] */
};

/* Configuration space at a naturally aligned offset; size 1, 2, 4. All ones where there is nothing. */
static inline uint32_t pci_read(const struct pci_function *function, uint16_t offset, unsigned size)
{
    return function->owner->ops->read(function, offset, size);
}

/* The offset of the next capability with this id after the one at `after` (0: from the start), or 0. */
static inline uint8_t pci_capability(const struct pci_function *function, enum pci_capability id, uint8_t after)
{
    return function->owner->ops->capability(function, id, after);
}

/* Maps [offset, offset + size) of a BAR. ST_UNSUPPORTED: the BAR is not there, is I/O, or got no address from firmware.
 * ST_PROTO: beyond its end. ST_RANGE: the machine does not let it be mapped. ST_CLOSED: taken back. */
static inline status_t pci_map(struct pci_function *function, unsigned bar, uint64_t offset, uint64_t size,
                               struct mmio *window) REQUIRES(BOOT)
{
    return function->owner->ops->map(function, bar, offset, size, window);
}

/* Memory decoding and bus mastering on, INTx off. */
static inline void pci_enable(const struct pci_function *function) REQUIRES(BOOT)
{
    function->owner->ops->enable(function);
}

/* Programs one entry of the MSI-X table, unmasked. ST_RANGE: entry >= msix_count. ST_FULL: no vector left, or none in the budget.
 * ST_PROTO: the table is not where it says. */
static inline status_t pci_msix_open(struct pci_function *function, uint16_t entry, struct irq *irq,
                                     void (*handle)(struct irq *irq)) REQUIRES(BOOT)
{
    return function->owner->ops->msix_open(function, entry, irq, handle);
}

/* MSI-X on for the function. Entries that nobody opened are masked. ST_UNSUPPORTED, ST_PROTO: as above. */
static inline status_t pci_msix_enable(struct pci_function *function) REQUIRES(BOOT)
{
    return function->owner->ops->msix_enable(function);
}

/* The wired interrupt, perhaps shared with other functions. ST_UNSUPPORTED: no pin, or nobody knows where it leads. */
static inline status_t pci_intx_open(struct pci_function *function, struct irq *irq, void (*handle)(struct irq *irq))
    REQUIRES(BOOT)
{
    return function->owner->ops->intx_open(function, irq, handle);
}
