/* SPDX-License-Identifier: MIT OR Apache-2.0
 * virtio_blk.h: what the files of this driver share: its one state.
 */
#pragma once
#include "config.h"
#include "core/device.h"
#include "core/health.h"
#include "core/list.h"
#include "core/loop.h"
#include "core/room.h"
#include "lib/blkdev/blkdev.h"
#include "lib/virtio/virtio.h"

/* virtio 1.2, 5.2.3 */
#define BLK_F_SIZE_MAX (1ull << 1)
#define BLK_F_SEG_MAX (1ull << 2)
#define BLK_F_RO (1ull << 5)
#define BLK_F_BLK_SIZE (1ull << 6)
#define BLK_F_FLUSH (1ull << 9)
#define BLK_F_TOPOLOGY (1ull << 10)
#define BLK_F_MQ (1ull << 12)
#define BLK_F_DISCARD (1ull << 13)
#define BLK_F_WRITE_ZEROES (1ull << 14)

enum { CONFIG_CAPACITY = 0 }; /* the others: virtio_blk_start.c */

enum { /* virtio 1.2, 5.2.6 */
       TYPE_IN = 0,
       TYPE_OUT = 1,
       TYPE_FLUSH = 4,
       TYPE_GET_ID = 8,
       TYPE_DISCARD = 11,
       TYPE_WRITE_ZEROES = 13,
};
enum { RANGE_UNMAP = 1 };
enum { STATUS_OK = 0, STATUS_IOERR = 1, STATUS_UNSUPP = 2, STATUS_NOT_WRITTEN = 0xff };

/* What DISCARD and WRITE_ZEROES have for data. */
struct virtio_blk_range {
    uint64_t sector;
    uint32_t count;
    uint32_t flags;
};
_Static_assert(sizeof(struct virtio_blk_range) == 16, "virtio 1.2, 5.2.6");

/* Device-visible: what goes before the data and the byte that comes after it. Keys: [D] written by the device */
struct virtio_blk_wrap {
    uint32_t type;
    uint32_t reserved;
    uint64_t sector;
    struct virtio_blk_range range;
    uint8_t status; /* [D] */
    uint8_t id[20]; /* [D] of GET_ID */
    uint8_t unused[11];
};
_Static_assert(sizeof(struct virtio_blk_wrap) == 64, "one cache line a request");
#define HEADER_BYTES 16u
#define TABLE_SIZE (VIRTIO_BLK_SEGMENTS_MAX + 2u) /* a chain's descriptors at most */

/* Keys: [I] fixed after BOOT  [L] the owning loop only */
struct blk_slot {
    struct virtio_blk_wrap *wrap; /* [I] DMA memory */
    dma_t wrap_dma;               /* [I] */
    struct virtq_table table;     /* [I] for TABLE_SIZE descriptors; of NULL: no indirect ones */
    struct blk_request *request;  /* [L] NULL: free, or the driver's own GET_ID */
    uint32_t bytes;               /* [L] of data */
    bool busy;                    /* [L] with the device */
    uint32_t watch;               /* [L] virtio_blk.watches when the device got it */
    uint16_t next;                /* [L] of the free list */
};

struct virtio_blk {
    struct virtio_bus *bus;       /* [I] */
    struct virtio_device *device; /* [I] */
    struct blkdev blkdev;
    struct virtq queue[VIRTIO_BLK_QUEUES]; /* [L] */
    uint16_t queue_count;                  /* [I] that are used */
    uint16_t queue_next;                   /* [L] that gets the next request */
    uint32_t zeroes_flags;                 /* [I] of the range of a WRITE_ZEROES */
    struct blk_slot *slot;                 /* [I] VIRTIO_BLK_DEPTH + 1 entries, the last for GET_ID */
    uint16_t slot_free;                    /* [L] == VIRTIO_BLK_DEPTH: none */
    uint64_t sectors_told;                 /* [L] that the device last said it has */
    uint32_t taken;                        /* [L] requests lent: with the device and waiting */
    struct list waiting;      /* [L] requests that found no slot or descriptors; first come, first served */
    struct list instant;      /* [L] flushes that need no device */
    struct work instant_work; /* [L] answers them */
    struct work bell;         /* [L] at turn end: requests were submitted */
    struct work again;        /* [L] more may have finished, and no interrupt will say so */
    struct timer watch;       /* [L] armed while the device has requests: (5) */
    uint32_t watches;         /* [L] how often it fired */
    struct health health;     /* [L] */
};
extern struct virtio_blk virtio_blk_self;

extern const struct virtio_driver virtio_blk_driver;
extern const struct blkdev_ops virtio_blk_ops;
/* The bytes of a slot's data, as the device is told of them. BOOT or LOOP. */
status_t virtio_blk_slot_submit(struct blk_slot *slot, uint32_t type, const struct blk_request *request);
void virtio_blk_bell(struct work *work);    /* LOOP */
void virtio_blk_watch(struct timer *timer); /* LOOP */
void virtio_blk_instant(struct work *work); /* LOOP */
void virtio_blk_again(struct work *work);   /* LOOP */
