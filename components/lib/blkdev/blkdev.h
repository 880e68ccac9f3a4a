/* SPDX-License-Identifier: MIT OR Apache-2.0
 * blkdev.h: contract blkdev.v1: a disk, and the requests that its one client lends it.
 *
 *  (1) A request that blkdev_submit() took (ST_OK) is lent, with its segments and their memory, until done(): exactly
 *      once, never from inside blkdev_submit(), also when the device dies (ST_IO). done() may submit again.
 *  (2) Requests in flight complete in any order. A write is durable when a FLUSH that was submitted after the write's
 *      done() has completed with ST_OK. A device without has_flush is durable at done(); FLUSH then just succeeds. Nobody
 *      vouches for what was written before a FLUSH that failed, a later one neither: it may be lost until it is written again.
 *  (3) A write that failed, or whose image stopped, leaves each physical block old, new or torn.
 *  (4) At most `depth` requests are in flight: a client that counts its own never sees ST_FULL.
 *  (5) What a discarded sector holds is undefined until it is written again.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/assert.h"
#include "core/list.h"
#include "core/room.h"
#include "core/status.h"

#define BLKDEV_SECTOR_BYTES 512u /* the unit of blk_request.sector and blkdev.sectors, whatever the disk */
#define BLKDEV_SEGMENTS_MAX 64u

struct blkdev;

enum blk_op { BLK_READ, BLK_WRITE, BLK_FLUSH, BLK_DISCARD };

struct blk_segment {
    void *data;    /* boot_alloc, pool, arena, DMA or static memory; never a stack; 4-aligned. Read only by a write */
    uint32_t size; /* a multiple of blkdev.logical_bytes, not 0 */
};

/* The client's memory. Keys: [I] fixed while lent  [d] the driver's while lent */
struct blk_request {
    enum blk_op op;                    /* [I] */
    uint64_t sector;                   /* [I] of BLKDEV_SECTOR_BYTES; a multiple of logical_bytes. FLUSH: ignored */
    const struct blk_segment *segment; /* [I] READ, WRITE */
    uint16_t segment_count;            /* [I] READ, WRITE: 1..segments_max */
    bool durable;                      /* [I] WRITE: durable at done(), without a FLUSH. Needs has_durable */
    uint64_t sector_count;             /* [I] DISCARD, which needs has_discard */
    void (*done)(struct blk_request *request, status_t status); /* [I] LOOP. ST_OK; ST_IO; ST_UNSUPPORTED */
    struct list node;                                           /* [d] */
};

struct blkdev_ops {
    status_t (*submit)(struct blkdev *device, struct blk_request *request);
};

struct blkdev_counters {
    uint64_t reads, read_bytes, writes, write_bytes, flushes, discards;
    uint64_t errors;       /* requests that ended with other than ST_OK */
    uint64_t broken_rules; /* times that the device said something untrue */
    uint64_t overdue;      /* times that it was reset because it did not answer */
};

/* Filled by the driver before it is provided. Keys: [I] fixed after init  [L] the owning loop only */
struct blkdev {
    const struct blkdev_ops *ops; /* [I] called only by the wrappers below */
    const char *name;             /* [I] "disk0" */
    uint64_t sectors;             /* [I] of BLKDEV_SECTOR_BYTES; a disk that grows keeps this until the next boot */
    uint32_t logical_bytes;       /* [I] smallest unit of a request: 512 or a power of two above */
    uint32_t physical_bytes;      /* [I] what the disk writes at once; a smaller write costs a read */
    uint32_t bytes_max;           /* [I] of a request */
    uint16_t segments_max;        /* [I] of a request, at most BLKDEV_SEGMENTS_MAX */
    uint16_t depth;               /* [I] requests in flight */
    bool read_only;               /* [I] */
    bool has_flush;               /* [I] there is a cache that FLUSH empties */
    bool has_durable;             /* [I] blk_request.durable */
    bool has_discard;             /* [I] BLK_DISCARD */
    bool dead;                    /* [L] for good; blkdev_submit() answers ST_CLOSED */
    char id[21];                  /* [I] the disk's own serial text, NUL-terminated; "" unknown */
    struct blkdev_counters count; /* [L] */
};

/* Whether [sector, sector + count) is a piece of this disk: ST_OK; ST_RANGE: beyond the end; ST_BADARG: unaligned. Pure. */
static inline status_t blkdev_check_place(const struct blkdev *device, uint64_t sector, uint64_t count)
{
    uint64_t mask = device->logical_bytes / BLKDEV_SECTOR_BYTES - 1;

    if (sector > device->sectors || count > device->sectors - sector) {
        return ST_RANGE;
    }
    return ((sector | count) & mask) != 0 ? ST_BADARG : ST_OK;
}

/* Whether this disk does such a thing: ST_OK; ST_DENIED: a change of a read-only disk; ST_UNSUPPORTED. Pure. */
static inline status_t blkdev_check_op(const struct blkdev *device, const struct blk_request *request)
{
    bool changes = request->op == BLK_WRITE || request->op == BLK_DISCARD;

    if (changes && device->read_only) {
        return ST_DENIED;
    }
    bool unknown = (request->op == BLK_DISCARD && !device->has_discard) ||
                   (request->op == BLK_WRITE && request->durable && !device->has_durable);
    return unknown ? ST_UNSUPPORTED : ST_OK;
}

/* Whether the segments of a request fit this disk: ST_OK; ST_BADARG: no or too many segments, too long, unaligned;
 * ST_RANGE: beyond the end. Adds to `bytes` what they hold. Pure. */
static inline status_t blkdev_check(const struct blkdev *device, const struct blk_request *request, uint32_t *bytes)
{
    uint32_t total = 0;
    uint32_t mask = device->logical_bytes - 1;

    if (request->segment_count == 0 || request->segment_count > device->segments_max) {
        return ST_BADARG;
    }
    for (uint16_t i = 0; i < request->segment_count; i++) {
        uint32_t size = request->segment[i].size;
        bool skewed = ((uintptr_t)request->segment[i].data & 3) != 0;
        if (size == 0 || (size & mask) != 0 || size > device->bytes_max - total || skewed) {
            return ST_BADARG;
        }
        total += size;
    }
    status_t s = blkdev_check_place(device, request->sector, total / BLKDEV_SECTOR_BYTES);
    if (s == ST_OK) {
        *bytes = total;
    }
    return s;
}

/* Lends the request: (1). ST_FULL: `depth` are in flight or the ring is full, nothing happened, a done() is coming.
 * ST_RANGE, ST_BADARG: as blkdev_check. ST_DENIED, ST_UNSUPPORTED: as blkdev_check_op. ST_CLOSED: the device is dead.
 * The doorbell rings once at the end of the turn. */
static inline status_t blkdev_submit(struct blkdev *device, struct blk_request *request) REQUIRES(LOOP)
{
    ASSERT(request->done != NULL);
    return device->ops->submit(device, request);
}
