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
 *  (5) What a discarded sector holds is undefined until it is written again. A disk may leave a discard undone where it is not
 *      whole pieces of discard_sectors. WRITE_ZEROES is a write, for (2) and (3) too, though the disk may give back the room.
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

enum blk_op { BLK_READ, BLK_WRITE, BLK_FLUSH, BLK_DISCARD, BLK_WRITE_ZEROES };

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
    uint64_t sector_count;             /* [I] DISCARD: 1..discard_sectors_max; WRITE_ZEROES: 1..zeroes_sectors_max */
    void (*done)(struct blk_request *request, status_t status); /* [I] LOOP. ST_OK; ST_IO; ST_UNSUPPORTED */
    struct list node;                                           /* [d] */
};

struct blkdev_ops {
    status_t (*submit)(struct blkdev *device, struct blk_request *request);
    void (*revoke)(struct blkdev *device);
};

struct blkdev_counters {
    uint64_t reads, read_bytes, writes, write_bytes, flushes, discards, zeroes;
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
    uint32_t discard_sectors_max; /* [I] of a request; 0: no BLK_DISCARD */
    uint32_t discard_sectors;     /* [I] what the disk discards at once: (5). A hint; 1 where it says nothing */
    uint32_t zeroes_sectors_max;  /* [I] of a request; 0: no BLK_WRITE_ZEROES */
    bool dead;                    /* [L] for good; blkdev_submit() answers ST_CLOSED */
    char id[21];                  /* [I] the disk's own serial text, NUL-terminated; "" unknown */
    struct blkdev_counters count; /* [L] */
};

/* The bytes that a request moves: those of its segments. Pure. */
static inline uint32_t blkdev_bytes(const struct blk_request *request)
{
    uint32_t bytes = 0;

    if (request->op != BLK_READ && request->op != BLK_WRITE) {
        return 0;
    }
    for (uint16_t i = 0; i < request->segment_count; i++) {
        bytes += request->segment[i].size;
    }
    return bytes;
}

static inline status_t blkdev_check_op(const struct blkdev *device, const struct blk_request *request)
{
    if (request->op == BLK_READ) {
        return ST_OK; /* most are */
    }
    switch (request->op) {
    case BLK_READ:
    case BLK_FLUSH:
        return ST_OK;
    case BLK_WRITE:
        return device->read_only ? ST_DENIED : request->durable && !device->has_durable ? ST_UNSUPPORTED : ST_OK;
    case BLK_DISCARD:
        return device->read_only ? ST_DENIED : device->discard_sectors_max == 0 ? ST_UNSUPPORTED : ST_OK;
    case BLK_WRITE_ZEROES:
        return device->read_only ? ST_DENIED : device->zeroes_sectors_max == 0 ? ST_UNSUPPORTED : ST_OK;
    }
    UNREACHABLE();
}

/* How many sectors a request is for, in `count`. ST_BADARG: none or too many segments, too long, unaligned. */
static inline status_t blkdev_check_size(const struct blkdev *device, const struct blk_request *request,
                                         uint64_t *count)
{
    uint32_t total = 0;
    uint32_t mask = device->logical_bytes - 1;

    if (request->op == BLK_DISCARD || request->op == BLK_WRITE_ZEROES) {
        uint32_t most = request->op == BLK_DISCARD ? device->discard_sectors_max : device->zeroes_sectors_max;
        *count = request->sector_count;
        return *count == 0 || *count > most ? ST_BADARG : ST_OK;
    }
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
    *count = total / BLKDEV_SECTOR_BYTES;
    return ST_OK;
}

/* Whether a request is one that this disk takes: ST_OK; ST_DENIED: a change of a read-only disk; ST_UNSUPPORTED: it cannot do
 * such a thing; ST_BADARG: no or too many segments or sectors, too long, unaligned; ST_RANGE: beyond the end. Pure. */
static inline status_t blkdev_check(const struct blkdev *device, const struct blk_request *request)
{
    uint64_t mask = device->logical_bytes / BLKDEV_SECTOR_BYTES - 1;
    uint64_t count = 0;

    status_t s = blkdev_check_op(device, request);
    if (s != ST_OK || request->op == BLK_FLUSH) {
        return s;
    }
    s = blkdev_check_size(device, request, &count);
    if (s != ST_OK) {
        return s;
    }
    if (request->sector > device->sectors || count > device->sectors - request->sector) {
        return ST_RANGE;
    }
    return ((request->sector | count) & mask) != 0 ? ST_BADARG : ST_OK;
}

/* For drivers: a request ended with this status. */
static inline void blkdev_count(struct blkdev_counters *count, const struct blk_request *request, status_t status)
{
    if (status != ST_OK) {
        count->errors++;
        return;
    }
    switch (request->op) {
    case BLK_READ:
        count->reads++;
        count->read_bytes += blkdev_bytes(request);
        return;
    case BLK_WRITE:
        count->writes++;
        count->write_bytes += blkdev_bytes(request);
        return;
    case BLK_FLUSH:
        count->flushes++;
        return;
    case BLK_DISCARD:
        count->discards++;
        return;
    case BLK_WRITE_ZEROES:
        count->zeroes++;
        return;
    }
    UNREACHABLE();
}

/* Lends the request: (1). ST_FULL: `depth` are in flight or the ring is full, nothing happened, a done() is coming.
 * ST_DENIED, ST_UNSUPPORTED, ST_BADARG, ST_RANGE: as blkdev_check. ST_CLOSED: the device is dead. The doorbell rings once at
 * the end of the turn. */
static inline status_t blkdev_submit(struct blkdev *device, struct blk_request *request) REQUIRES(LOOP)
{
    ASSERT(request->done != NULL);
    return device->ops->submit(device, request);
}

/* Takes the disk away for good: ST_CLOSED from here on. It is reset (quiesce); when it confirmed that, or is gone, what was out
 * ends with ST_IO, and what the driver had lent it of its own is zeroed (scrub). Until then it may write to what it was lent; a
 * device that never confirms keeps that. */
static inline void blkdev_revoke(struct blkdev *device) REQUIRES(LOOP)
{
    device->ops->revoke(device);
}
