/* SPDX-License-Identifier: MIT OR Apache-2.0
 * virtio_queue.c: split queues of a virtio device, from the device's side: chains that come, chains that go back, their bytes.
 *
 * Rules that a driver must keep are checked where they can be seen: chains that end, readable descriptors before writable
 * ones, memory that is the guest's.
 */
#include <string.h>
#include "models/virtio/virtio_transport.h"

enum { DESC_NEXT = 1, DESC_WRITE = 2, DESC_INDIRECT = 4 };

struct desc {
    uint64_t address;
    uint32_t size;
    uint16_t flags;
    uint16_t next;
};

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
    chain->segment[n] = (struct vm_segment){guest(device, d->address, d->size), d->size};
    if ((d->flags & DESC_WRITE) != 0) {
        chain->in++;
        chain->in_bytes += d->size;
    } else {
        chain->out++;
        chain->out_bytes += d->size;
    }
}

/* The descriptors of a table: the queue's own, or one that is named there (2.7.5.3). Those that follow each other are
 * added to the chain; gives the last. */
static struct desc descs_read(struct vm_device *device, const struct vm_queue *q, uint64_t table, uint32_t size,
                              uint32_t at, struct vm_chain *chain)
{
    for (uint32_t count = 0;; count++) {
        if (at >= size || count == q->size) {
            sim_die("%s: a chain leaves its table or has no end (head %u)", device->name, chain->head);
        }
        struct desc d = *(struct desc *)guest(device, table + 16ull * at, sizeof d);
        if ((d.flags & DESC_INDIRECT) != 0) {
            return d;
        }
        segment_add(device, chain, &d);
        if ((d.flags & DESC_NEXT) == 0) {
            return d;
        }
        at = d.next;
    }
}

static void chain_read(struct vm_device *device, const struct vm_queue *q, struct vm_chain *chain)
{
    struct desc last = descs_read(device, q, q->desc, q->size, chain->head, chain);

    if ((last.flags & DESC_INDIRECT) == 0) {
        return;
    }
    if (!vm_has(device, VM_F_INDIRECT_DESC) || (last.flags & DESC_NEXT) != 0 || last.size == 0 || last.size % 16 != 0) {
        sim_die("%s: an indirect descriptor that was not agreed on, goes on, or names no table (2.7.5.3.1)",
                device->name);
    }
    last = descs_read(device, q, last.address, last.size / 16, 0, chain);
    if ((last.flags & DESC_INDIRECT) != 0) {
        sim_die("%s: an indirect descriptor within a table (2.7.5.3.1)", device->name);
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
    vm_fault_popped(device, queue, chain);
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

void vm_used_write(struct vm_device *device, struct vm_queue *q, uint32_t head, uint32_t written)
{
    uint32_t *entry = guest(device, q->device + 4 + 8ull * (q->used_next & (q->size - 1)), 8);

    entry[0] = head;
    entry[1] = written;
    q->used_next++;
    __atomic_store_n(word(device, q->device, 1), q->used_next, __ATOMIC_RELEASE);
}

void vm_push(struct vm_device *device, unsigned queue, const struct vm_chain *chain, uint32_t written)
{
    struct vm_queue *q = &device->queue[queue];

    if (!vm_chain_alive(device, chain) || !vm_running(device)) {
        return; /* of before a reset, or the memory is out of reach */
    }
    if (vm_fault_push(device, queue, chain, written)) {
        vm_used_write(device, q, chain->head, written);
    }
}

void vm_signal(struct vm_device *device, unsigned queue)
{
    struct vm_queue *q = &device->queue[queue];
    uint16_t before = q->used_told;

    if (!vm_running(device) || !q->ready || before == q->used_next) {
        return;
    }
    q->used_told = q->used_next;
    if (vm_has(device, VM_F_EVENT_IDX)) {
        uint16_t event = *word(device, q->driver, 2 + q->size);
        if ((uint16_t)(q->used_next - event - 1) >= (uint16_t)(q->used_next - before)) {
            return;
        }
    } else if ((*word(device, q->driver, 0) & 1) != 0) {
        return;
    }
    device->transport->interrupt(device, (int)queue);
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
