/* SPDX-License-Identifier: MIT OR Apache-2.0
 * virtio_mmio.c: virtio devices in the machine's MMIO windows (virtio 1.2, 4.2).
 *
 * There is one interrupt for all queues and the configuration. Its status is read and acknowledged before the queues are
 * looked at: what finishes later raises it again.
 */
#define LOG_TAG "virtio-mmio"
#include "bus_virtio.h"
#include "core/assert.h"
#include "core/fmt.h"
#include "core/log.h"

enum { /* virtio 1.2, table 4.1 */
       REG_MAGIC = 0x000,
       REG_VERSION = 0x004,
       REG_DEVICE_ID = 0x008,
       REG_DEVICE_FEATURES = 0x010,
       REG_DEVICE_FEATURES_SEL = 0x014,
       REG_DRIVER_FEATURES = 0x020,
       REG_DRIVER_FEATURES_SEL = 0x024,
       REG_QUEUE_SEL = 0x030,
       REG_QUEUE_NUM_MAX = 0x034,
       REG_QUEUE_NUM = 0x038,
       REG_QUEUE_READY = 0x044,
       REG_QUEUE_NOTIFY = 0x050,
       REG_INTERRUPT_STATUS = 0x060,
       REG_INTERRUPT_ACK = 0x064,
       REG_STATUS = 0x070,
       REG_QUEUE_DESC = 0x080,
       REG_QUEUE_DRIVER = 0x090,
       REG_QUEUE_DEVICE = 0x0a0,
       REG_GENERATION = 0x0fc,
       REG_CONFIG = 0x100,
};
enum { MAGIC = 0x74726976, VERSION_LEGACY = 1, VERSION_MODERN = 2 };
enum { INTERRUPT_QUEUE = 1, INTERRUPT_CONFIG = 2 };

static uint32_t reg_read(struct virtio_device *device, size_t offset)
{
    return mmio_read32(&bus_virtio_of(device)->window, offset);
}

static void reg_write(struct virtio_device *device, size_t offset, uint32_t value)
{
    mmio_write32(&bus_virtio_of(device)->window, offset, value);
}

static uint8_t ops_status_get(struct virtio_device *device)
{
    return (uint8_t)reg_read(device, REG_STATUS);
}

static void ops_status_set(struct virtio_device *device, uint8_t status)
{
    reg_write(device, REG_STATUS, status);
}

static uint64_t ops_features_get(struct virtio_device *device)
{
    reg_write(device, REG_DEVICE_FEATURES_SEL, 0);
    uint64_t low = reg_read(device, REG_DEVICE_FEATURES);
    reg_write(device, REG_DEVICE_FEATURES_SEL, 1);
    return (uint64_t)reg_read(device, REG_DEVICE_FEATURES) << 32 | low;
}

static void ops_features_set(struct virtio_device *device, uint64_t features)
{
    reg_write(device, REG_DRIVER_FEATURES_SEL, 0);
    reg_write(device, REG_DRIVER_FEATURES, (uint32_t)features);
    reg_write(device, REG_DRIVER_FEATURES_SEL, 1);
    reg_write(device, REG_DRIVER_FEATURES, (uint32_t)(features >> 32));
}

static uint32_t ops_generation(struct virtio_device *device)
{
    return reg_read(device, REG_GENERATION);
}

static uint32_t ops_config(struct virtio_device *device, size_t offset, unsigned width)
{
    const struct mmio *window = &bus_virtio_of(device)->window;

    ASSERT(offset + width <= device->config_bytes);
    if (width == 1) {
        return mmio_read8(window, REG_CONFIG + offset);
    }
    return width == 2 ? mmio_read16(window, REG_CONFIG + offset) : mmio_read32(window, REG_CONFIG + offset);
}

static uint16_t ops_queue_size(struct virtio_device *device, uint16_t index)
{
    reg_write(device, REG_QUEUE_SEL, index);
    uint32_t most = reg_read(device, REG_QUEUE_NUM_MAX);
    return most > UINT16_MAX ? UINT16_MAX : (uint16_t)most;
}

static void write_address(struct virtio_device *device, size_t offset, uint64_t address)
{
    reg_write(device, offset, (uint32_t)address);
    reg_write(device, offset + 4, (uint32_t)(address >> 32));
}

static status_t ops_queue_set(struct virtio_device *device, uint16_t index, const struct virtq *q)
{
    uint64_t base = q->memory.dev.value;

    reg_write(device, REG_QUEUE_SEL, index);
    if (reg_read(device, REG_QUEUE_READY) != 0) {
        return ST_PROTO; /* it was just reset */
    }
    reg_write(device, REG_QUEUE_NUM, q->size);
    write_address(device, REG_QUEUE_DESC, base);
    write_address(device, REG_QUEUE_DRIVER, base + virtq_avail_offset(q->size));
    write_address(device, REG_QUEUE_DEVICE, base + virtq_used_offset(q->size));
    reg_write(device, REG_QUEUE_READY, 1);
    return ST_OK;
}

static void on_irq(struct irq *irq)
{
    room_assert_loop();
    struct bus_virtio_irq *entry = CONTAINER_OF(irq, struct bus_virtio_irq, irq);
    struct virtio_device *device = &entry->owner->device;
    uint32_t why = reg_read(device, REG_INTERRUPT_STATUS) & (INTERRUPT_QUEUE | INTERRUPT_CONFIG);

    if (why == 0) {
        return;
    }
    reg_write(device, REG_INTERRUPT_ACK, why);
    virtio_interrupt(device, (why & INTERRUPT_QUEUE) != 0 ? entry->queues : 0, (why & INTERRUPT_CONFIG) != 0);
}

static status_t ops_interrupts(struct virtio_device *device, uint16_t queues)
{
    struct bus_virtio_device *d = bus_virtio_of(device);
    struct bus_virtio_irq *entry = &d->irq[0];

    room_assert_boot();
    d->irq_count = 1;
    *entry = (struct bus_virtio_irq){.owner = d, .queues = (1u << queues) - 1, .config = true};
    return raw_irq_wired(device->grant, &entry->irq, on_irq, (struct raw_wire){.gsi = d->gsi, .level = !d->edge});
}

static void ops_notify(struct virtio_device *device, uint16_t index)
{
    reg_write(device, REG_QUEUE_NOTIFY, index);
}

static const struct virtio_ops ops = {
    .status_get = ops_status_get,
    .status_set = ops_status_set,
    .features_get = ops_features_get,
    .features_set = ops_features_set,
    .generation = ops_generation,
    .config = ops_config,
    .queue_size = ops_queue_size,
    .queue_set = ops_queue_set,
    .interrupts = ops_interrupts,
    .notify = ops_notify,
};

/* True when a modern device sits behind this window. */
static bool window_probe(const struct mmio *window, const struct raw_window *place)
{
    if (place->size < REG_CONFIG || mmio_read32(window, REG_MAGIC) != MAGIC) {
        return false;
    }
    uint32_t version = mmio_read32(window, REG_VERSION);
    uint32_t type = mmio_read32(window, REG_DEVICE_ID);
    if (type == 0) {
        return false; /* a place without a device: virtio 1.2, 4.2.2.2 */
    }
    if (version == VERSION_LEGACY) {
        log_warn("device %u at 0x%llx is legacy: run QEMU with -global virtio-mmio.force-legacy=false", (unsigned)type,
                 (unsigned long long)place->address);
        return false;
    }
    return version == VERSION_MODERN;
}

/* False: no room for more devices. */
static bool window_add(const struct raw_window *place) REQUIRES(BOOT)
{
    struct device_grant nobodys;
    struct mmio window;

    raw_grant_init(&nobodys, "a window that is looked into", NULL);
    status_t s = raw_mmio_map(&nobodys, &window, place->address, place->size);
    if (s != ST_OK) {
        log_warn("window at 0x%llx cannot be mapped (%s)", (unsigned long long)place->address, status_name(s));
        return true;
    }
    if (!window_probe(&window, place)) {
        return true;
    }
    struct bus_virtio_device *d = bus_virtio_new();
    if (d == NULL) {
        return false;
    }
    fmt_text(d->where, sizeof d->where, "mmio 0x%llx", (unsigned long long)place->address);
    raw_grant_init(&d->grant, d->where, NULL);
    virtio_device_init(&d->device, &d->grant, &ops, mmio_read32(&window, REG_DEVICE_ID));
    s = raw_mmio_map(&d->grant, &d->window, place->address, place->size);
    ASSERT(s == ST_OK); /* it just was */
    d->gsi = place->gsi;
    d->edge = place->edge;
    d->device.config_bytes = place->size - REG_CONFIG;
    bus_virtio_keep(d);
    return true;
}

void bus_virtio_mmio_probe(void)
{
    struct raw_window place;

    for (unsigned i = 0; raw_mmio_device(i, &place); i++) {
        if (!window_add(&place)) {
            return;
        }
    }
}
