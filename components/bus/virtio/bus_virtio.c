/* SPDX-License-Identifier: MIT OR Apache-2.0
 * bus_virtio.c: the virtio devices of a machine, in one list: PCI functions by slot, then MMIO windows by address.
 */
#define LOG_TAG "virtio"
#include "bus_virtio.h"
#include "config.h"
#include "core/assert.h"
#include "core/log.h"
#include "core/mem.h"

_Static_assert(BUS_VIRTIO_MEMORY_BYTES >= BUS_VIRTIO_DEVICES_MAX * sizeof(struct bus_virtio_device),
               "the `memory` line of component.conf says less than is taken");

static struct bus_virtio_state {
    struct virtio_bus bus;
    struct pci_bus *pci; /* NULL: not wired */
    struct bus_virtio_device *device;
    unsigned count;
    unsigned left_alone;
    bool started;
} self;

struct bus_virtio_device *bus_virtio_new(void)
{
    if (self.count == BUS_VIRTIO_DEVICES_MAX) {
        self.left_alone++;
        return NULL;
    }
    self.device[self.count] = (struct bus_virtio_device){0};
    return &self.device[self.count];
}

void bus_virtio_keep(struct bus_virtio_device *d)
{
    ASSERT(d == &self.device[self.count]);
    self.count++;
    list_push_back(&self.bus.devices, &d->device.node);
    log_debug("type %u at %s", (unsigned)d->device.type, d->device.where);
}

void bus_virtio_wire_pci(struct pci_bus *bus) REQUIRES(BOOT);
void bus_virtio_wire_pci(struct pci_bus *bus)
{
    self.pci = bus;
}

struct virtio_bus *bus_virtio_provide_devices(void) REQUIRES(BOOT);
struct virtio_bus *bus_virtio_provide_devices(void)
{
    ASSERT(self.started);
    return &self.bus;
}

status_t bus_virtio_start(void) REQUIRES(BOOT);
status_t bus_virtio_start(void)
{
    ASSERT(!self.started);
    self.started = true;
    list_init(&self.bus.devices);
    self.device =
        boot_alloc(sizeof(struct bus_virtio_device) * BUS_VIRTIO_DEVICES_MAX, _Alignof(struct bus_virtio_device));
    if (self.pci != NULL) {
        bus_virtio_pci_probe(self.pci);
    }
    bus_virtio_mmio_probe();
    if (self.left_alone != 0) {
        log_warn("%u devices left alone; raise bus/virtio devices_max=%u", self.left_alone, BUS_VIRTIO_DEVICES_MAX);
    }
    return ST_OK;
}
