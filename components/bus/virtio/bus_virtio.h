/* SPDX-License-Identifier: MIT OR Apache-2.0
 * bus_virtio.h: what the files of this component share: a device with what its transport knows of it.
 */
#pragma once
#include "core/raw.h"
#include "core/room.h"
#include "core/status.h"
#include "lib/pci/pci.h"
#include "lib/virtio/virtio.h"

#define BUS_VIRTIO_IRQS_MAX (VIRTIO_QUEUES_MAX + 1u)

struct bus_virtio_device;

/* One interrupt of a device, and which of its queues it speaks for. Keys: [I] fixed after BOOT */
struct bus_virtio_irq {
    struct irq irq;                  /* first, so that the handler finds the rest */
    struct bus_virtio_device *owner; /* [I] */
    uint32_t queues;                 /* [I] bit i: queue i */
    bool config;                     /* [I] */
};

/* Keys: [I] fixed after BOOT */
struct bus_virtio_device {
    struct virtio_device device;
    struct bus_virtio_irq irq[BUS_VIRTIO_IRQS_MAX]; /* [I] */
    uint16_t irq_count;                             /* [I] */
    uint16_t queues;                                /* [I] that interrupts were wired for */
    /* MMIO: one window with all in it */
    struct device_grant grant; /* [L] */
    char where[24];            /* [I] */
    struct mmio window;        /* [I] */
    uint32_t gsi;              /* [I] */
    bool edge;                 /* [I] */
    /* PCI: windows that the capabilities name */
    struct pci_function *function;             /* [I] */
    struct mmio common, notify, isr, config;   /* [I] config.size 0: the device has none */
    uint32_t notify_multiplier;                /* [I] */
    uint16_t notify_offset[VIRTIO_QUEUES_MAX]; /* [I] bytes, checked */
    bool msix;                                 /* [I] */
};

static inline struct bus_virtio_device *bus_virtio_of(struct virtio_device *device)
{
    return CONTAINER_OF(device, struct bus_virtio_device, device);
}

/* A zeroed device, in the list when bus_virtio_keep() follows. NULL: no room. */
struct bus_virtio_device *bus_virtio_new(void) REQUIRES(BOOT);
void bus_virtio_keep(struct bus_virtio_device *d) REQUIRES(BOOT);

/* Each adds what it finds. */
void bus_virtio_pci_probe(struct pci_bus *bus) REQUIRES(BOOT);
void bus_virtio_mmio_probe(void) REQUIRES(BOOT);
