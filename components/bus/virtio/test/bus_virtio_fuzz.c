/* SPDX-License-Identifier: MIT OR Apache-2.0
 * bus_virtio_fuzz.c: register files as a door: the input is what a device's registers, its configuration space and its
 * capabilities say. Whatever it is, the driver's side ends in bounded time, inside its windows, without an assertion.
 */
#include <stdlib.h>
#include "core/assert.h"
#include "core/room.h"
#include "test.h"
#include "../bus_virtio.c"
#undef LOG_TAG
#include "../virtio_mmio.c"
#undef LOG_TAG
#define ops pci_ops_table
#define ops_status_get pci_status_get
#define ops_status_set pci_status_set
#define ops_features_get pci_features_get
#define ops_features_set pci_features_set
#define ops_generation pci_generation
#define ops_config pci_config
#define ops_queue_size pci_queue_size
#define ops_queue_set pci_queue_set
#define ops_interrupts pci_interrupts
#define ops_rewire pci_rewire
#define ops_notify pci_notify
#include "../virtio_pci.c"
#undef ops
#include "fake_bus.h"

static const uint8_t *bytes;
static size_t left;

static uint32_t take(unsigned size)
{
    uint32_t value = 0;

    for (unsigned i = 0; i < size && left > 0; i++, left--) {
        value |= (uint32_t)*bytes++ << 8 * i;
    }
    return value;
}

static uint32_t status; /* as it was written last */

/* Which register this is, whatever the transport: how a device that wants to get far answers it. */
static bool is_register(uintptr_t where, size_t mmio, size_t common)
{
    uintptr_t base = self.count < BUS_VIRTIO_DEVICES_MAX ? self.device[0].common.base : 0;

    return where == (WINDOW_MMIO << 16) + mmio || (base != 0 && where == base + common);
}

/* Mostly what makes the driver go on: a liar that is found out at the first register tries nothing. */
static uint32_t fake_read(uintptr_t where, unsigned size)
{
    bool honest = left == 0 || take(1) >= 24;

    if (honest && is_register(where, REG_STATUS, COMMON_STATUS)) {
        return status;
    }
    if (honest && is_register(where, REG_DEVICE_FEATURES, COMMON_DEVICE_FEATURE)) {
        return UINT32_MAX;
    }
    if (honest && where == (WINDOW_MMIO << 16) + REG_MAGIC) {
        return MAGIC;
    }
    if (honest && where == (WINDOW_MMIO << 16) + REG_VERSION) {
        return VERSION_MODERN;
    }
    return take(size);
}

static void fake_write(uintptr_t where, unsigned size, uint32_t value)
{
    (void)size;
    status = is_register(where, REG_STATUS, COMMON_STATUS) ? value : status;
}

/* One capability of the list, which mostly says something that could be. */
static void capability_make(uint8_t at)
{
    uint32_t how = take(1);
    uint32_t offset = how & 0x80 ? take(4) : take(1) << 8;
    uint32_t size = how & 0x40 ? take(4) : 0x40 + take(1);

    machine.space[0x34] = 0x40;
    machine.space[at] = how & 0x20 ? (uint8_t)take(1) : PCI_CAP_VENDOR;
    machine.space[at + 1] = how & 0x10 ? (uint8_t)take(1) : (uint8_t)(at + 0x20);
    machine.space[at + CAP_LENGTH] = how & 8 ? (uint8_t)take(1) : 20;
    machine.space[at + CAP_KIND] = (uint8_t)(how & 7);
    machine.space[at + CAP_BAR] = offset % 64 == 0 ? 0 : (uint8_t)take(1);
    memcpy(machine.space + at + CAP_OFFSET, &offset, 4);
    memcpy(machine.space + at + CAP_SIZE, &size, 4);
    machine.space[at + CAP_NOTIFY_MULTIPLIER] = (uint8_t)take(1);
}

static void interrupted(struct virtio_device *device, uint32_t queues)
{
    (void)device, (void)queues;
}

static void use(struct virtio_device *device)
{
    static const struct virtio_driver driver = {.name = "fuzz", .interrupt = interrupted, .stopped = NULL};
    struct virtq q;
    uint64_t value;
    uint8_t mac[6];

    if (virtio_open(device, &driver, UINT64_MAX, 0) != ST_OK) {
        return;
    }
    (void)virtio_config_read(device, 0, 8, &value);
    (void)virtio_config_bytes(device, 0, mac, sizeof mac);
    if (virtio_interrupts(device, 2) != ST_OK || virtio_queue_open(device, 0, 64, &q) != ST_OK) {
        virtio_give_up(device, "as it is");
        return;
    }
    virtio_go(device);
    struct virtq_segment segment = {dma_lend(device->grant, memory), 512};
    (void)virtq_submit(&q, &segment, 0, 1, memory);
    virtio_notify(device, 0, &q);
    test_room = ROOM_LOOP;
    for (unsigned i = 0; i < machine.irq_count && i < 8; i++) {
        machine.irq[i]->handle(machine.irq[i]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bytes = data;
    left = size;
    machine_begin();
    status = 0;
    uint32_t how = take(1);
    machine.mmio_there = (how & 1) != 0;
    machine.mmio_size = how & 2 ? 0x200 : 0x100 + take(1);
    machine.vectors = take(1) % 8;
    machine.function.msix_count = (uint16_t)(take(1) % 8);
    machine.function.vendor_id = VENDOR_VIRTIO;
    machine.function.device_id = (uint16_t)(DEVICE_TRANSITIONAL + take(1));
    machine.bus.count = (how & 4) != 0;
    for (unsigned i = 0; machine.bus.count > 0 && i < 6; i++) {
        capability_make((uint8_t)(0x40 + 0x20 * i));
    }
    struct virtio_bus *bus = machine_probe();
    for (uint32_t type = 0; type < 8; type++) {
        struct virtio_device *device = virtio_bus_take(bus, (enum virtio_type)type);
        if (device != NULL) {
            use(device);
            break;
        }
    }
    if (machine.accesses > 3 * 1000 * 1000) {
        abort(); /* bounded: a second of waiting for a reset is a million reads here */
    }
    return 0;
}
