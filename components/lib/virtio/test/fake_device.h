/* SPDX-License-Identifier: MIT OR Apache-2.0
 * fake_device.h: for unit tests of virtio drivers: a transport whose device the test plays: it sees what was lent and answers with
 * what it likes, true or not. Include once, after test.h.
 */
#pragma once
#include <string.h>
#include "fake_loop.h"
#include "lib/virtio/virtio.h"

/* --- a device --------------------------------------------------------------------------------------------------------- */

static struct device_grant fake_grant;

static struct fake {
    struct virtio_device device;
    struct virtio_bus bus;
    uint64_t offered;
    uint64_t agreed;
    uint8_t status;
    bool refuses_features;
    bool never_resets; /* status stays what it was */
    bool gone;         /* registers read all ones */
    uint32_t generation;
    uint32_t generation_moves; /* for so many reads of the configuration it changes meanwhile */
    uint8_t config[64];
    uint16_t queue_size;
    uint16_t queue_size_others; /* but of queue 0; 0: the same */
    const struct virtq *queue[VIRTIO_QUEUES_MAX];
    uint16_t seen[VIRTIO_QUEUES_MAX]; /* of the avail ring */
    unsigned notified[VIRTIO_QUEUES_MAX];
    unsigned resets;
    unsigned rewired;
} fake;

static uint8_t fake_status_get(struct virtio_device *device)
{
    (void)device;
    return fake.gone ? 0xff : fake.status;
}

static void fake_status_set(struct virtio_device *device, uint8_t status)
{
    (void)device;
    fake.resets += status == 0;
    if (fake.gone || (status == 0 && fake.never_resets)) {
        return;
    }
    if (status == 0) {
        memset(fake.seen, 0, sizeof fake.seen);
        memset(fake.queue, 0, sizeof fake.queue);
    }
    if (fake.refuses_features) {
        status &= (uint8_t)~VIRTIO_STATUS_FEATURES_OK;
    }
    fake.status = status;
}

static uint64_t fake_features_get(struct virtio_device *device)
{
    (void)device;
    return fake.gone ? UINT64_MAX : fake.offered;
}

static void fake_features_set(struct virtio_device *device, uint64_t features)
{
    (void)device;
    fake.agreed = features;
}

static uint32_t fake_generation(struct virtio_device *device)
{
    (void)device;
    return fake.generation;
}

static uint32_t fake_config(struct virtio_device *device, size_t offset, unsigned width)
{
    uint32_t value = 0;

    REQUIRE(offset + width <= device->config_bytes && (offset & (width - 1)) == 0);
    memcpy(&value, fake.config + offset, width);
    if (fake.generation_moves > 0) {
        fake.generation_moves--;
        fake.generation++;
        memset(&value, 0xa5, width); /* torn */
    }
    return value;
}

static uint16_t fake_queue_size(struct virtio_device *device, uint16_t index)
{
    (void)device;
    if (index != 0 && fake.queue_size_others != 0) {
        return fake.queue_size_others;
    }
    return index < VIRTIO_QUEUES_MAX ? fake.queue_size : 0;
}

static status_t fake_queue_set(struct virtio_device *device, uint16_t index, const struct virtq *q)
{
    (void)device;
    fake.queue[index] = q;
    return ST_OK;
}

static status_t fake_interrupts(struct virtio_device *device, uint16_t queues)
{
    (void)device;
    (void)queues;
    return ST_OK;
}

static void fake_notify(struct virtio_device *device, uint16_t index)
{
    (void)device;
    REQUIRE((fake.status & VIRTIO_STATUS_DRIVER_OK) != 0);
    fake.notified[index]++;
}

static status_t fake_rewire(struct virtio_device *device)
{
    (void)device;
    fake.rewired++;
    return ST_OK;
}

static const struct virtio_ops fake_ops = {
    .status_get = fake_status_get,
    .status_set = fake_status_set,
    .features_get = fake_features_get,
    .features_set = fake_features_set,
    .generation = fake_generation,
    .config = fake_config,
    .queue_size = fake_queue_size,
    .queue_set = fake_queue_set,
    .interrupts = fake_interrupts,
    .rewire = fake_rewire,
    .notify = fake_notify,
};

/* A device of this type, driven by firmware a moment ago, with nothing agreed. */
static inline void fake_begin(enum virtio_type type, uint64_t offered)
{
    memset(&fake, 0, sizeof fake);
    fake_loop_begin();
    list_init(&fake.bus.devices);
    fake.offered = offered | VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX;
    fake.status = VIRTIO_STATUS_DRIVER_OK; /* firmware's */
    fake.queue_size = 256;
    fake_grant_begin(&fake_grant);
    virtio_device_init(&fake.device, &fake_grant, &fake_ops, type);
    fake.device.config_bytes = sizeof fake.config;
    list_push_back(&fake.bus.devices, &fake.device.node);
}

struct fake_chain {
    uint16_t head;
    unsigned out, in;
    bool indirect;
    struct {
        uint8_t *bytes;
        uint32_t size;
    } segment[VIRTQ_CHAIN_MAX];
};

static inline void fake_segment(struct fake_chain *chain, const struct virtq_desc *desc)
{
    unsigned n = chain->out + chain->in;

    REQUIRE(n < VIRTQ_CHAIN_MAX);
    chain->segment[n].bytes = (uint8_t *)(uintptr_t)desc->address;
    chain->segment[n].size = desc->size;
    if ((desc->flags & VIRTQ_DESC_WRITE) != 0) {
        chain->in++;
    } else {
        REQUIRE(chain->in == 0);
        chain->out++;
    }
}

/* The next chain that the driver lent; false: none. */
static inline bool fake_pop(unsigned index, struct fake_chain *chain)
{
    const struct virtq *q = fake.queue[index];
    const struct virtq_desc *table = q->desc;
    uint32_t size = q->size;

    if (q->avail[1] == fake.seen[index]) {
        return false;
    }
    *chain = (struct fake_chain){.head = q->avail[2 + (fake.seen[index]++ & (q->size - 1))]};
    q->used[2 + 4 * q->size] = fake.seen[index]; /* avail_event: wants to hear of the next one */
    uint16_t at = chain->head;
    REQUIRE(at < q->size);
    if ((table[at].flags & VIRTQ_DESC_INDIRECT) != 0) {
        REQUIRE(table[at].flags == VIRTQ_DESC_INDIRECT && (fake.agreed & VIRTIO_F_INDIRECT_DESC) != 0);
        size = table[at].size / 16;
        table = (const struct virtq_desc *)(uintptr_t)table[at].address;
        at = 0;
        chain->indirect = true;
    }
    for (;; at = table[at].next) {
        REQUIRE(at < size && (table[at].flags & VIRTQ_DESC_INDIRECT) == 0);
        fake_segment(chain, &table[at]);
        if ((table[at].flags & VIRTQ_DESC_NEXT) == 0) {
            return true;
        }
    }
}

/* Says that a chain is used. */
static inline void fake_push(unsigned index, uint32_t id, uint32_t written)
{
    const struct virtq *q = fake.queue[index];
    struct virtq_used *ring = (struct virtq_used *)(void *)(q->used + 2);

    ring[q->used[1] & (q->size - 1)] = (struct virtq_used){id, written};
    q->used[1]++;
}

static inline void fake_interrupt(unsigned index)
{
    test_room = ROOM_LOOP;
    virtio_interrupt(&fake.device, 1u << index, false);
}
