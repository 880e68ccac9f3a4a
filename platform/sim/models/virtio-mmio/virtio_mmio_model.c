/* SPDX-License-Identifier: MIT OR Apache-2.0
 * virtio_mmio_model.c: registers and queues of a virtio device, from the device's side.
 *
 * Rules of the specification that a driver must keep are checked where they can be seen: features within the offer, order
 * of status bits, queues set up before DRIVER_OK, chains that end, readable descriptors before writable ones.
 */
#include "virtio_mmio_model.h"
#include <string.h>

#define F_EVENT_IDX (1ull << 29)
#define F_VERSION_1 (1ull << 32)

enum { STATUS_ACKNOWLEDGE = 1, STATUS_DRIVER = 2, STATUS_DRIVER_OK = 4, STATUS_FEATURES_OK = 8 };
enum { DESC_NEXT = 1, DESC_WRITE = 2, DESC_INDIRECT = 4 };
enum { CONFIG_SPACE = 0x100 };

struct desc {
    uint64_t address;
    uint32_t size;
    uint16_t flags;
    uint16_t next;
};

bool vm_running(const struct vm_device *device)
{
    return (device->status & STATUS_DRIVER_OK) != 0;
}

bool vm_has(const struct vm_device *device, uint64_t feature)
{
    return (device->agreed & feature) != 0;
}

static uint64_t offer_of(const struct vm_device *device)
{
    return device->features | F_EVENT_IDX | F_VERSION_1;
}

static void interrupt(struct vm_device *device, uint32_t why)
{
    device->interrupt |= why;
    sim_irq_raise(&device->window);
}

void vm_config_changed(struct vm_device *device)
{
    device->generation++;
    if (vm_running(device)) {
        interrupt(device, 2);
    }
}

/* --- registers: virtio 1.2, 4.2.2 ------------------------------------------------------------------------------------- */

static struct vm_queue *selected(struct vm_device *device)
{
    return device->queue_select < device->queue_count ? &device->queue[device->queue_select] : NULL;
}

static void reset(struct vm_device *device)
{
    device->agreed = 0;
    device->status = 0;
    device->interrupt = 0;
    device->features_select = device->driver_features_select = device->queue_select = 0;
    device->epoch++;
    for (unsigned i = 0; i < device->queue_count; i++) {
        device->queue[i] = (struct vm_queue){.size_max = device->queue_size};
    }
    if (device->reset != NULL) {
        device->reset(device);
    }
}

static void status_write(struct vm_device *device, uint32_t value)
{
    if (value == 0) {
        reset(device);
        return;
    }
    if ((device->status & ~value) != 0) {
        sim_die("%s: driver cleared status bits 0x%x (2.1.1)", device->name, device->status & ~value);
    }
    if ((value & STATUS_DRIVER_OK) != 0 && (device->status & STATUS_FEATURES_OK) == 0) {
        sim_die("%s: DRIVER_OK without FEATURES_OK (3.1.1)", device->name);
    }
    if ((value & ~device->status & STATUS_FEATURES_OK) != 0 &&
        ((device->agreed & F_VERSION_1) == 0 || (device->agreed & ~offer_of(device)) != 0)) {
        value &= ~(uint32_t)STATUS_FEATURES_OK; /* not acceptable: 2.2.2 */
    }
    device->status = value;
}

static void features_write(struct vm_device *device, uint32_t value)
{
    if ((device->status & STATUS_DRIVER) == 0 || (device->status & STATUS_FEATURES_OK) != 0) {
        sim_die("%s: features written with status 0x%x (3.1.1)", device->name, device->status);
    }
    if (device->driver_features_select == 0) {
        device->agreed = (device->agreed & ~0xffffffffull) | value;
    } else if (device->driver_features_select == 1) {
        device->agreed = (device->agreed & 0xffffffffull) | (uint64_t)value << 32;
    } else if (value != 0) {
        sim_die("%s: feature bits beyond 63", device->name);
    }
}

static void ready_write(struct vm_device *device, struct vm_queue *q, uint32_t value)
{
    if (value == 1 && (q->size == 0 || q->size > q->size_max || (q->size & (q->size - 1)) != 0)) {
        sim_die("%s: queue made ready with size %u", device->name, q->size);
    }
    if (value == 1 && ((q->desc & 15) != 0 || (q->driver & 1) != 0 || (q->device & 3) != 0)) {
        sim_die("%s: queue parts are misaligned (2.7)", device->name);
    }
    if (value == 1 && vm_running(device)) {
        sim_die("%s: queue set up after DRIVER_OK (3.1.1)", device->name);
    }
    q->ready = value == 1;
}

static void half_write(uint64_t *address, bool high, uint32_t value)
{
    *address = high ? (*address & 0xffffffffull) | (uint64_t)value << 32 : (*address & ~0xffffffffull) | value;
}

static void queue_write(struct vm_device *device, size_t offset, uint32_t value)
{
    struct vm_queue *q = selected(device);

    if (q == NULL) {
        return;
    }
    if (offset == 0x044) {
        ready_write(device, q, value);
        return;
    }
    if (q->ready) {
        sim_die("%s: a queue that is ready is changed (4.2.2.2)", device->name);
    }
    switch (offset) {
    case 0x038:
        q->size = value;
        return;
    case 0x080:
    case 0x084:
        half_write(&q->desc, offset == 0x084, value);
        return;
    case 0x090:
    case 0x094:
        half_write(&q->driver, offset == 0x094, value);
        return;
    case 0x0a0:
    case 0x0a4:
        half_write(&q->device, offset == 0x0a4, value);
        return;
    default:
        return;
    }
}

static void notify_write(struct vm_device *device, uint32_t value)
{
    if (!vm_running(device)) {
        sim_die("%s: notified before DRIVER_OK (3.1.1)", device->name);
    }
    if (value < device->queue_count && device->queue[value].ready) {
        device->notify(device, value);
    }
}

static void window_write(void *context, size_t offset, unsigned size, uint32_t value)
{
    struct vm_device *device = context;

    if (offset >= CONFIG_SPACE) {
        return; /* nothing here can be written */
    }
    if (size != 4) {
        sim_die("%s: %u-byte write to register 0x%zx (4.2.2.2)", device->name, size, offset);
    }
    switch (offset) {
    case 0x014:
        device->features_select = value;
        return;
    case 0x020:
        features_write(device, value);
        return;
    case 0x024:
        device->driver_features_select = value;
        return;
    case 0x030:
        device->queue_select = value;
        return;
    case 0x050:
        notify_write(device, value);
        return;
    case 0x064:
        device->interrupt &= ~value;
        return;
    case 0x070:
        status_write(device, value);
        return;
    default:
        queue_write(device, offset, value);
        return;
    }
}

static uint32_t config_get(const struct vm_device *device, size_t offset, unsigned size)
{
    uint32_t value = 0;

    if (offset < device->config_size && size <= device->config_size - offset) {
        memcpy(&value, (const char *)device->config + offset, size);
    }
    return value;
}

static uint32_t features_get(const struct vm_device *device)
{
    return device->features_select > 1 ? 0 : (uint32_t)(offer_of(device) >> 32 * device->features_select);
}

static uint32_t register_read(struct vm_device *device, size_t offset)
{
    struct vm_queue *q = selected(device);

    switch (offset) {
    case 0x000:
        return 0x74726976;
    case 0x004:
        return 2;
    case 0x008:
        return device->type;
    case 0x00c:
        return 0x4d495343; /* vendor: "CSIM" */
    case 0x010:
        return features_get(device);
    case 0x034:
        return q != NULL ? q->size_max : 0;
    case 0x044:
        return q != NULL && q->ready;
    case 0x060:
        return device->interrupt;
    case 0x070:
        return device->status;
    case 0x0fc:
        return device->generation;
    case 0x0b0: /* length of a shared memory region: there is none (4.2.2.1) */
    case 0x0b4:
        return UINT32_MAX;
    default:
        return 0;
    }
}

static uint32_t window_read(void *context, size_t offset, unsigned size)
{
    struct vm_device *device = context;

    if (offset >= CONFIG_SPACE) {
        return config_get(device, offset - CONFIG_SPACE, size);
    }
    if (size != 4) {
        sim_die("%s: %u-byte read of register 0x%zx (4.2.2.2)", device->name, size, offset);
    }
    return register_read(device, offset);
}

void vm_device_add(struct vm_device *device)
{
    device->window.size = 0x200;
    device->window.read = window_read;
    device->window.write = window_write;
    device->window.device = device;
    reset(device);
    sim_mmio_add(&device->window);
}

/* --- queues: virtio 1.2, 2.7 ------------------------------------------------------------------------------------------ */

static void *guest(struct vm_device *device, uint64_t address, size_t size)
{
    void *p = sim_dma(address, size);

    if (p == NULL) {
        sim_die("%s: [0x%llx, +%zu) is not the guest's memory", device->name, (unsigned long long)address, size);
    }
    return p;
}

/* 16-bit word `i` of the avail or used ring. */
static uint16_t *word(struct vm_device *device, uint64_t ring, uint32_t i)
{
    return guest(device, ring + 2ull * i, sizeof(uint16_t));
}

static void segment_add(struct vm_device *device, struct vm_chain *chain, const struct desc *d)
{
    unsigned n = chain->out + chain->in;

    if (n == VM_SEGMENTS_MAX || d->size == 0 || d->size > 1u << 30) {
        sim_die("%s: descriptor of %u bytes, number %u of its chain", device->name, d->size, n);
    }
    if ((d->flags & DESC_WRITE) == 0 && chain->in != 0) {
        sim_die("%s: a readable descriptor after a writable one (2.7.4.2)", device->name);
    }
    if ((d->flags & DESC_INDIRECT) != 0) {
        sim_die("%s: an indirect descriptor, which was not agreed on (2.7.5.3)", device->name);
    }
    chain->segment[n] = (struct vm_segment){guest(device, d->address, d->size), d->size};
    if ((d->flags & DESC_WRITE) != 0) {
        chain->in++;
        chain->in_bytes += d->size;
    } else {
        chain->out++;
        chain->out_bytes += d->size;
    }
}

static void chain_read(struct vm_device *device, const struct vm_queue *q, struct vm_chain *chain)
{
    uint32_t at = chain->head;

    for (uint32_t count = 0;; count++) {
        if (at >= q->size || count == q->size) {
            sim_die("%s: a chain leaves its table or has no end (head %u)", device->name, chain->head);
        }
        struct desc d = *(struct desc *)guest(device, q->desc + 16ull * at, sizeof d);
        segment_add(device, chain, &d);
        if ((d.flags & DESC_NEXT) == 0) {
            return;
        }
        at = d.next;
    }
}

bool vm_pop(struct vm_device *device, unsigned queue, struct vm_chain *chain)
{
    struct vm_queue *q = &device->queue[queue];

    if (!vm_running(device) || !q->ready) {
        return false;
    }
    uint16_t index = __atomic_load_n(word(device, q->driver, 1), __ATOMIC_ACQUIRE);
    if (index == q->avail_seen) {
        /* Asleep: to be woken when the index passes this one (2.7.13.3). The driver does not run meanwhile. */
        *word(device, q->device, 2 + 4 * q->size) = q->avail_seen;
        return false;
    }
    if ((uint16_t)(index - q->avail_seen) > q->size) {
        sim_die("%s: queue %u has %u chains of %u", device->name, queue, (uint16_t)(index - q->avail_seen), q->size);
    }
    chain->head = *word(device, q->driver, 2 + (q->avail_seen & (q->size - 1)));
    chain->out = chain->in = 0;
    chain->out_bytes = chain->in_bytes = 0;
    chain->epoch = device->epoch;
    chain_read(device, q, chain);
    q->avail_seen++;
    return true;
}

bool vm_chain_alive(const struct vm_device *device, const struct vm_chain *chain)
{
    return chain->epoch == device->epoch;
}

void vm_unpop(struct vm_device *device, unsigned queue)
{
    device->queue[queue].avail_seen--;
}

void vm_push(struct vm_device *device, unsigned queue, const struct vm_chain *chain, uint32_t written)
{
    struct vm_queue *q = &device->queue[queue];

    if (!vm_chain_alive(device, chain)) {
        return; /* of before a reset */
    }
    uint32_t *entry = guest(device, q->device + 4 + 8ull * (q->used_next & (q->size - 1)), 8);
    entry[0] = chain->head;
    entry[1] = written;
    q->used_next++;
    __atomic_store_n(word(device, q->device, 1), q->used_next, __ATOMIC_RELEASE);
}

void vm_signal(struct vm_device *device, unsigned queue)
{
    struct vm_queue *q = &device->queue[queue];
    uint16_t before = q->used_told;

    if (!q->ready || before == q->used_next) {
        return;
    }
    q->used_told = q->used_next;
    if (vm_has(device, F_EVENT_IDX)) {
        uint16_t event = *word(device, q->driver, 2 + q->size);
        if ((uint16_t)(q->used_next - event - 1) >= (uint16_t)(q->used_next - before)) {
            return;
        }
    } else if ((*word(device, q->driver, 0) & 1) != 0) {
        return;
    }
    interrupt(device, 1);
}

/* --- bytes ------------------------------------------------------------------------------------------------------------ */

static size_t chain_copy(const struct vm_segment *segment, unsigned count, size_t offset, uint8_t *bytes, size_t size,
                         bool in)
{
    size_t done = 0;

    for (unsigned i = 0; i < count && done < size; i++) {
        if (offset >= segment[i].size) {
            offset -= segment[i].size;
            continue;
        }
        size_t n = segment[i].size - offset;
        n = n < size - done ? n : size - done;
        if (in) {
            memcpy(segment[i].bytes + offset, bytes + done, n);
        } else {
            memcpy(bytes + done, segment[i].bytes + offset, n);
        }
        done += n;
        offset = 0;
    }
    return done;
}

size_t vm_chain_read(const struct vm_chain *chain, size_t offset, void *bytes, size_t size)
{
    return chain_copy(chain->segment, chain->out, offset, bytes, size, false);
}

size_t vm_chain_write(const struct vm_chain *chain, size_t offset, const void *bytes, size_t size)
{
    union {
        const void *source;
        uint8_t *bytes;
    } from = {.source = bytes}; /* chain_copy reads it only */

    return chain_copy(chain->segment + chain->out, chain->in, offset, from.bytes, size, true);
}
