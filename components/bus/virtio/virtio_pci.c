/* SPDX-License-Identifier: MIT OR Apache-2.0
 * virtio_pci.c: virtio devices that are PCI functions (virtio 1.2, 4.1), by their modern capabilities only.
 *
 *  (1) Where a window lies is what the capabilities say; clouds differ. Of several of one kind the first that can be
 *      mapped is used (virtio 1.2, 4.1.4.1).
 *  (2) Interrupts: one MSI-X vector for the configuration and one a queue; with fewer, one for all queues; with one, it is
 *      for everything; with none, the wired interrupt, whose status register says why it came.
 */
#define LOG_TAG "virtio-pci"
#include "bus_virtio.h"
#include "core/assert.h"
#include "core/log.h"

enum { VENDOR_VIRTIO = 0x1af4, DEVICE_TRANSITIONAL = 0x1000, DEVICE_MODERN = 0x1040, DEVICE_END = 0x1080 };
enum { /* struct virtio_pci_cap: virtio 1.2, 4.1.4 */
       CAP_LENGTH = 2,
       CAP_KIND = 3,
       CAP_BAR = 4,
       CAP_OFFSET = 8,
       CAP_SIZE = 12,
       CAP_NOTIFY_MULTIPLIER = 16,
       CAP_BYTES = 16,
};
enum { KIND_COMMON = 1, KIND_NOTIFY = 2, KIND_ISR = 3, KIND_DEVICE = 4 };
enum { /* struct virtio_pci_common_cfg: virtio 1.2, 4.1.4.3 */
       COMMON_DEVICE_FEATURE_SELECT = 0x00,
       COMMON_DEVICE_FEATURE = 0x04,
       COMMON_DRIVER_FEATURE_SELECT = 0x08,
       COMMON_DRIVER_FEATURE = 0x0c,
       COMMON_CONFIG_VECTOR = 0x10,
       COMMON_STATUS = 0x14,
       COMMON_GENERATION = 0x15,
       COMMON_QUEUE_SELECT = 0x16,
       COMMON_QUEUE_SIZE = 0x18,
       COMMON_QUEUE_VECTOR = 0x1a,
       COMMON_QUEUE_ENABLE = 0x1c,
       COMMON_QUEUE_NOTIFY_OFF = 0x1e,
       COMMON_QUEUE_DESC = 0x20,
       COMMON_QUEUE_DRIVER = 0x28,
       COMMON_QUEUE_DEVICE = 0x30,
       COMMON_BYTES = 0x38,
};
enum { ISR_QUEUE = 1, ISR_CONFIG = 2 };
#define NO_VECTOR 0xffffu
#define CONFIG_BYTES_MAX 4096u /* more of a device's configuration is never looked at */

static const struct mmio *common_of(struct virtio_device *device)
{
    return &bus_virtio_of(device)->common;
}

static uint8_t ops_status_get(struct virtio_device *device)
{
    return mmio_read8(common_of(device), COMMON_STATUS);
}

static void ops_status_set(struct virtio_device *device, uint8_t status)
{
    mmio_write8(common_of(device), COMMON_STATUS, status);
}

static uint64_t ops_features_get(struct virtio_device *device)
{
    mmio_write32(common_of(device), COMMON_DEVICE_FEATURE_SELECT, 0);
    uint64_t low = mmio_read32(common_of(device), COMMON_DEVICE_FEATURE);
    mmio_write32(common_of(device), COMMON_DEVICE_FEATURE_SELECT, 1);
    return (uint64_t)mmio_read32(common_of(device), COMMON_DEVICE_FEATURE) << 32 | low;
}

static void ops_features_set(struct virtio_device *device, uint64_t features)
{
    mmio_write32(common_of(device), COMMON_DRIVER_FEATURE_SELECT, 0);
    mmio_write32(common_of(device), COMMON_DRIVER_FEATURE, (uint32_t)features);
    mmio_write32(common_of(device), COMMON_DRIVER_FEATURE_SELECT, 1);
    mmio_write32(common_of(device), COMMON_DRIVER_FEATURE, (uint32_t)(features >> 32));
}

static uint32_t ops_generation(struct virtio_device *device)
{
    return mmio_read8(common_of(device), COMMON_GENERATION);
}

static uint32_t ops_config(struct virtio_device *device, size_t offset, unsigned width)
{
    const struct mmio *window = &bus_virtio_of(device)->config;

    ASSERT(offset + width <= device->config_bytes);
    if (width == 1) {
        return mmio_read8(window, offset);
    }
    return width == 2 ? mmio_read16(window, offset) : mmio_read32(window, offset);
}

static uint16_t ops_queue_size(struct virtio_device *device, uint16_t index)
{
    mmio_write16(common_of(device), COMMON_QUEUE_SELECT, index);
    return mmio_read16(common_of(device), COMMON_QUEUE_SIZE);
}

/* --- interrupts ----------------------------------------------------------------------------------------------------- */

static void on_msix(struct irq *irq)
{
    room_assert_loop();
    struct bus_virtio_irq *entry = CONTAINER_OF(irq, struct bus_virtio_irq, irq);

    virtio_interrupt(&entry->owner->device, entry->queues, entry->config);
}

static void on_intx(struct irq *irq)
{
    room_assert_loop();
    struct bus_virtio_irq *entry = CONTAINER_OF(irq, struct bus_virtio_irq, irq);
    /* Reading acknowledges: virtio 1.2, 4.1.4.5. 0: another function on the same wire. */
    uint8_t why = mmio_read8(&entry->owner->isr, 0);

    virtio_interrupt(&entry->owner->device, (why & ISR_QUEUE) != 0 ? entry->queues : 0, (why & ISR_CONFIG) != 0);
}

/* Shares out the queues over what vectors there are: (2). Vector 0 always has the configuration. */
static void vectors_share(struct bus_virtio_device *d, uint16_t vectors, uint16_t queues)
{
    uint32_t all = (1u << queues) - 1;

    d->irq_count = vectors > queues ? (uint16_t)(queues + 1) : vectors > 1 ? 2 : 1;
    for (uint16_t i = 0; i < d->irq_count; i++) {
        d->irq[i].owner = d;
        d->irq[i].config = i == 0;
        d->irq[i].queues = d->irq_count == 1 ? all : i == 0 ? 0 : d->irq_count == 2 ? all : 1u << (i - 1);
    }
}

static uint16_t vector_of(const struct bus_virtio_device *d, uint16_t index)
{
    for (uint16_t i = 0; i < d->irq_count; i++) {
        if ((d->irq[i].queues & 1u << index) != 0) {
            return i;
        }
    }
    UNREACHABLE();
}

static status_t msix_open(struct bus_virtio_device *d, uint16_t vectors, uint16_t queues) REQUIRES(BOOT)
{
    vectors_share(d, vectors, queues);
    for (uint16_t i = 0; i < d->irq_count; i++) {
        status_t s = pci_msix_open(d->function, i, &d->irq[i].irq, on_msix);
        if (s == ST_FULL && i > 0) {
            vectors_share(d, i, queues); /* the CPU has no more: make do with those that are open */
            break;
        }
        if (s != ST_OK) {
            return s;
        }
    }
    return pci_msix_enable(d->function);
}

static status_t config_vector_set(struct bus_virtio_device *d)
{
    mmio_write16(&d->common, COMMON_CONFIG_VECTOR, 0);
    /* A device that lacks resources for it answers NO_VECTOR: virtio 1.2, 4.1.5.1.2. */
    return mmio_read16(&d->common, COMMON_CONFIG_VECTOR) == 0 ? ST_OK : ST_PROTO;
}

static status_t ops_interrupts(struct virtio_device *device, uint16_t queues)
{
    struct bus_virtio_device *d = bus_virtio_of(device);

    room_assert_boot();
    d->queues = queues;
    if (d->function->msix_count != 0 && msix_open(d, d->function->msix_count, queues) == ST_OK) {
        d->msix = true;
        return config_vector_set(d);
    }
    vectors_share(d, 1, queues);
    if (d->isr.size == 0) {
        return ST_UNSUPPORTED;
    }
    log_debug("%s: no MSI-X, wired interrupt", device->where);
    return pci_intx_open(d->function, &d->irq[0].irq, on_intx);
}

/* The irqs are open; a reset made the device forget its vector. */
static status_t ops_rewire(struct virtio_device *device)
{
    struct bus_virtio_device *d = bus_virtio_of(device);

    return d->msix ? config_vector_set(d) : ST_OK;
}

/* --- queues --------------------------------------------------------------------------------------------------------- */

static status_t queue_vector_set(struct bus_virtio_device *d, uint16_t index)
{
    uint16_t vector = vector_of(d, index);

    if (!d->msix) {
        return ST_OK;
    }
    mmio_write16(&d->common, COMMON_QUEUE_VECTOR, vector);
    return mmio_read16(&d->common, COMMON_QUEUE_VECTOR) == vector ? ST_OK : ST_PROTO;
}

static status_t notify_place(struct bus_virtio_device *d, uint16_t index)
{
    uint64_t at = (uint64_t)mmio_read16(&d->common, COMMON_QUEUE_NOTIFY_OFF) * d->notify_multiplier;

    if (at + sizeof(uint16_t) > d->notify.size || at > UINT16_MAX || (at & 1) != 0) {
        return ST_PROTO;
    }
    d->notify_offset[index] = (uint16_t)at;
    return ST_OK;
}

static status_t ops_queue_set(struct virtio_device *device, uint16_t index, const struct virtq *q)
{
    struct bus_virtio_device *d = bus_virtio_of(device);
    uint64_t base = q->memory.dev.value;

    mmio_write16(&d->common, COMMON_QUEUE_SELECT, index);
    if (mmio_read16(&d->common, COMMON_QUEUE_ENABLE) != 0) {
        return ST_PROTO; /* it was just reset */
    }
    status_t s = queue_vector_set(d, index);
    if (s == ST_OK) {
        s = notify_place(d, index);
    }
    if (s != ST_OK) {
        return s;
    }
    mmio_write16(&d->common, COMMON_QUEUE_SIZE, q->size);
    mmio_write64(&d->common, COMMON_QUEUE_DESC, base);
    mmio_write64(&d->common, COMMON_QUEUE_DRIVER, base + virtq_avail_offset(q->size));
    mmio_write64(&d->common, COMMON_QUEUE_DEVICE, base + virtq_used_offset(q->size));
    mmio_write16(&d->common, COMMON_QUEUE_ENABLE, 1);
    return ST_OK;
}

static void ops_notify(struct virtio_device *device, uint16_t index)
{
    struct bus_virtio_device *d = bus_virtio_of(device);

    mmio_write16(&d->notify, d->notify_offset[index], index);
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
    .rewire = ops_rewire,
    .notify = ops_notify,
};

/* --- finding -------------------------------------------------------------------------------------------------------- */

/* Maps what one capability names, at least `least` bytes. */
static status_t window_map(struct bus_virtio_device *d, uint8_t cap, uint32_t least, struct mmio *window) REQUIRES(BOOT)
{
    uint32_t offset = pci_read(d->function, (uint16_t)(cap + CAP_OFFSET), 4);
    uint32_t size = pci_read(d->function, (uint16_t)(cap + CAP_SIZE), 4);
    uint32_t bar = pci_read(d->function, (uint16_t)(cap + CAP_BAR), 1);

    if (window->size != 0) {
        return ST_OK; /* an earlier one serves: (1) */
    }
    if (size < least) {
        return ST_PROTO;
    }
    return pci_map(d->function, bar, offset, size, window);
}

static status_t capability_use(struct bus_virtio_device *d, uint8_t cap) REQUIRES(BOOT)
{
    uint32_t kind = pci_read(d->function, (uint16_t)(cap + CAP_KIND), 1);

    if (cap > 0x100 - CAP_BYTES || pci_read(d->function, (uint16_t)(cap + CAP_LENGTH), 1) < CAP_BYTES) {
        return ST_PROTO;
    }
    switch (kind) {
    case KIND_COMMON:
        return window_map(d, cap, COMMON_BYTES, &d->common);
    case KIND_ISR:
        return window_map(d, cap, 1, &d->isr);
    case KIND_DEVICE:
        return window_map(d, cap, 1, &d->config);
    case KIND_NOTIFY:
        if (d->notify.size == 0 && cap <= 0x100 - CAP_BYTES - 4) {
            d->notify_multiplier = pci_read(d->function, (uint16_t)(cap + CAP_NOTIFY_MULTIPLIER), 4);
        }
        return window_map(d, cap, sizeof(uint16_t), &d->notify);
    default:
        return ST_OK; /* of a later specification, or the access through configuration space: (1) */
    }
}

static bool capabilities_use(struct bus_virtio_device *d) REQUIRES(BOOT)
{
    uint8_t cap = pci_capability(d->function, PCI_CAP_VENDOR, 0);

    for (unsigned i = 0; cap != 0 && i < 48; i++) {
        status_t s = capability_use(d, cap);
        if (s != ST_OK) {
            log_debug("%s: capability at 0x%x not used (%s)", d->device.where, (unsigned)cap, status_name(s));
        }
        cap = pci_capability(d->function, PCI_CAP_VENDOR, cap);
    }
    return d->common.size != 0 && d->notify.size != 0;
}

static uint32_t type_of(const struct pci_function *function)
{
    if (function->vendor_id != VENDOR_VIRTIO || function->device_id < DEVICE_TRANSITIONAL ||
        function->device_id >= DEVICE_END) {
        return 0;
    }
    /* Transitional devices tell their type by the subsystem: virtio 1.2, 4.1.2.3. */
    return function->device_id < DEVICE_MODERN ? function->subsystem_id
                                               : (uint32_t)(function->device_id - DEVICE_MODERN);
}

/* False: no room for more devices. */
static bool function_add(struct pci_function *function, uint32_t type) REQUIRES(BOOT)
{
    struct bus_virtio_device *d = bus_virtio_new();

    if (d == NULL) {
        return false;
    }
    virtio_device_init(&d->device, &function->grant, &ops, type);
    d->function = function;
    pci_enable(function);
    if (!capabilities_use(d)) {
        log_warn("%s: virtio type %u without modern registers; not used (QEMU: disable-modern must be off)",
                 d->device.where, (unsigned)type);
        return true;
    }
    d->device.config_bytes = d->config.size < CONFIG_BYTES_MAX ? d->config.size : CONFIG_BYTES_MAX;
    bus_virtio_keep(d);
    return true;
}

void bus_virtio_pci_probe(struct pci_bus *bus)
{
    for (unsigned i = 0; i < bus->count; i++) {
        uint32_t type = type_of(&bus->function[i]);
        if (type != 0 && !function_add(&bus->function[i], type)) {
            return;
        }
    }
}
