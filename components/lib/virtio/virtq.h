/* SPDX-License-Identifier: MIT OR Apache-2.0
 * virtq.h: one split virtqueue (virtio 1.2, 2.7): chains of buffers lent to a device and taken back.
 *
 * No room is named here because a driver fills its queues in BOOT and uses them in LOOP: whoever owns the queue calls, one
 * at a time, never TRAP.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/device.h"
#include "core/status.h"

#define VIRTQ_SIZE_MAX 1024u
#define VIRTQ_CHAIN_MAX 68u /* buffers of one chain: 64 of data, and what a driver puts around them */

/* Device-visible layouts, little-endian as the CPU is. */
struct virtq_desc {
    uint64_t address;
    uint32_t size;
    uint16_t flags;
    uint16_t next;
};
_Static_assert(sizeof(struct virtq_desc) == 16, "virtio 1.2, 2.7.5");

struct virtq_used {
    uint32_t id;
    uint32_t size;
};
_Static_assert(sizeof(struct virtq_used) == 8, "virtio 1.2, 2.7.8");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "rings are written without swapping");

enum virtq_desc_flag { VIRTQ_DESC_NEXT = 1, VIRTQ_DESC_WRITE = 2, VIRTQ_DESC_INDIRECT = 4 };

/* What we know of a descriptor without asking memory that the device can write. Keys: [L] the owner */
struct virtq_slot {
    void *token;    /* [L] heads of lent chains: the caller's; else NULL */
    uint32_t lent;  /* [L] heads: bytes that the device may say it wrote */
    uint16_t next;  /* [L] next of the chain or of the free list */
    uint16_t last;  /* [L] heads: last of the chain */
    uint16_t count; /* [L] heads: descriptors of the chain */
};

/* Keys: [I] fixed after init  [L] the owner only  [D] written by the device, untrusted */
struct virtq {
    struct virtq_desc *desc;  /* [I] size entries; written by us, never read back */
    uint16_t *avail;          /* [I] flags, index, size heads, used_event; written by us, never read back */
    uint16_t *used;           /* [D] flags, index, size entries, avail_event */
    struct virtq_slot *slot;  /* [I] size entries */
    struct dma_memory memory; /* [I] the three parts */
    uint16_t size;            /* [I] power of two */
    bool event_idx;           /* [I] VIRTIO_F_EVENT_IDX was negotiated */
    bool counts_all;          /* [I] it counts as written what it only read, too: QEMU's SCSI adapter */
    bool broken;              /* [L] the device lied; only virtq_reclaim() makes sense now */
    uint16_t free_head;       /* [L] valid while free_count > 0 */
    uint16_t free_count;      /* [L] descriptors */
    uint16_t lent_count;      /* [L] descriptors that the device has */
    uint16_t in_flight;       /* [L] chains that the device has */
    uint16_t avail_next;      /* [L] free-running */
    uint16_t avail_rung;      /* [L] free-running: what the last virtq_kick_wanted() had told */
    uint16_t used_seen;       /* [L] free-running */
};

struct virtq_segment {
    dma_t address;
    uint32_t size; /* not 0 */
};

struct virtq_table {
    struct virtq_desc *desc; /* DMA memory */
    dma_t address;           /* the same, for the device */
};

/* Device-visible bytes of a queue, and where its parts begin (virtio 1.2, 2.7: desc at 0). */
size_t virtq_bytes(uint16_t size);
size_t virtq_avail_offset(uint16_t size);
size_t virtq_used_offset(uint16_t size);

/* memory: at least virtq_bytes(size), zeroed, 16-aligned. slots: size entries. Both kept. */
void virtq_init(struct virtq *q, uint16_t size, bool event_idx, struct dma_memory memory, struct virtq_slot *slots);

/* As virtq_init() left it: for a device that was reset, when nothing is lent any more (virtq_reclaim gave NULL). */
void virtq_empty(struct virtq *q);

/* Lends a chain: `readable` segments that the device reads, then `writable` ones that it writes, until virtq_reap() or
 * virtq_reclaim() gives back the token. The array is borrowed. ST_FULL: not enough descriptors, nothing happened.
 * ST_CLOSED: broken. */
status_t virtq_submit(struct virtq *q, const struct virtq_segment *segment, uint16_t readable, uint16_t writable,
                      void *token);

/* The same by way of a table, which is lent too: one descriptor of the ring, however long the chain (2.7.5.3). It has room for
 * as many as there are segments. Only where VIRTIO_F_INDIRECT_DESC was agreed on. */
status_t virtq_submit_indirect(struct virtq *q, const struct virtq_table *table, const struct virtq_segment *segment,
                               uint16_t readable, uint16_t writable, void *token);

/* By way of the table where there is one (its desc is not NULL) and it is worth an access more of the device's: a chain of three
 * is what most requests of disks are. */
static inline status_t virtq_submit_either(struct virtq *q, const struct virtq_table *table,
                                           const struct virtq_segment *segment, uint16_t readable, uint16_t writable,
                                           void *token)
{
    return table->desc != NULL && readable + writable > 3
               ? virtq_submit_indirect(q, table, segment, readable, writable, token)
               : virtq_submit(q, segment, readable, writable, token);
}

/* The i-th of tables of `size` descriptors in this memory; none where there is no memory. */
static inline struct virtq_table virtq_table_of(const struct dma_memory *memory, unsigned i, unsigned size)
{
    size_t offset = (size_t)i * size * sizeof(struct virtq_desc);

    if (memory->cpu == NULL) {
        return (struct virtq_table){0};
    }
    return (struct virtq_table){.desc = (struct virtq_desc *)(void *)((char *)memory->cpu + offset),
                                .address = {memory->dev.value + offset}};
}

/* Whether the device must be told of what was submitted since this was last asked. Ask once after each batch; true means
 * ring the doorbell. Never says false for a device that may be asleep. */
bool virtq_kick_wanted(struct virtq *q);

/* One finished chain. `written` is at most what was lent writable, and 0 when nothing was: devices in the field put numbers
 * there for chains they cannot write. ST_AGAIN: none. ST_PROTO: the device lied; reset it. */
status_t virtq_reap(struct virtq *q, void **token, uint32_t *written);

/* Asks for no interrupt until the next virtq_interrupts_on(). A hint: they may come all the same. */
void virtq_interrupts_off(struct virtq *q);
/* Asks for an interrupt at the next finished chain. False: one finished meanwhile and no interrupt will say so; reap again. */
bool virtq_interrupts_on(struct virtq *q);

/* After the device confirmed a reset: one lent chain's token, NULL when none is left. */
void *virtq_reclaim(struct virtq *q);

/* Descriptors free for another chain. */
static inline uint16_t virtq_free(const struct virtq *q)
{
    return q->free_count;
}
