/* SPDX-License-Identifier: MIT OR Apache-2.0
 * fake_disk.h: a disk in memory with a volatile cache, for tests. Requests end in a seeded order.
 *
 *  (1) A power cut leaves any subset of the sectors that were not flushed, in any order. Of a physical block that was being
 *      written, any sector may be garbage: also one that nobody wrote to just then.
 *  (2) A reset (of the machine, not of the disk) keeps the cache: what was written is seen, and is still not durable.
 */
#pragma once
#include "lib/blkdev/blkdev.h"
#include "test.h"

#define DISK_BLOCKS 1024u
#define DISK_SECTORS (DISK_BLOCKS * 8u)
#define DISK_DEPTH 8u
#define DISK_CACHED_MAX 4096u

struct cached {
    struct blk_request *request; /* still in flight; NULL: ended */
    uint32_t sector;
    uint8_t bytes[BLKDEV_SECTOR_BYTES];
};

static struct fake_disk {
    struct blkdev device;
    uint8_t durable[DISK_SECTORS][BLKDEV_SECTOR_BYTES]; /* survives */
    uint8_t view[DISK_SECTORS][BLKDEV_SECTOR_BYTES];    /* what reads see */
    struct cached *cached;
    uint32_t cached_count;
    struct blk_request *pending[DISK_DEPTH];
    uint32_t pending_count;
    uint64_t writes;  /* sectors written */
    bool lose_flush;  /* a planted bug: FLUSH does nothing */
    bool fail_writes; /* writes end with ST_IO */
} disk;

static void disk_note_write(struct blk_request *r)
{
    uint32_t sector = (uint32_t)r->sector;
    for (uint16_t i = 0; i < r->segment_count; i++) {
        const uint8_t *bytes = r->segment[i].data;
        for (uint32_t at = 0; at < r->segment[i].size; at += BLKDEV_SECTOR_BYTES, sector++) {
            REQUIRE(disk.cached_count < DISK_CACHED_MAX);
            struct cached *c = &disk.cached[disk.cached_count++];
            c->request = r;
            c->sector = sector;
            memcpy(c->bytes, bytes + at, BLKDEV_SECTOR_BYTES);
            disk.writes++;
        }
    }
}

static status_t disk_submit(struct blkdev *device, struct blk_request *r)
{
    if (device->dead) {
        return ST_CLOSED;
    }
    if (disk.pending_count == DISK_DEPTH) {
        return ST_FULL;
    }
    status_t s = blkdev_check(device, r);
    if (s != ST_OK) {
        return s;
    }
    if (r->op == BLK_WRITE && !disk.fail_writes) {
        disk_note_write(r); /* from here on a cut may leave any part of it */
    }
    disk.pending[disk.pending_count++] = r;
    return ST_OK;
}

static void disk_read(struct blk_request *r)
{
    uint32_t sector = (uint32_t)r->sector;
    for (uint16_t i = 0; i < r->segment_count; i++) {
        memcpy(r->segment[i].data, disk.view[sector], r->segment[i].size);
        sector += r->segment[i].size / BLKDEV_SECTOR_BYTES;
    }
}

static void disk_write(struct blk_request *r)
{
    for (uint32_t i = 0; i < disk.cached_count; i++) {
        if (disk.cached[i].request == r) {
            disk.cached[i].request = NULL;
        }
    }
    uint32_t sector = (uint32_t)r->sector;
    for (uint16_t i = 0; i < r->segment_count; i++) {
        memcpy(disk.view[sector], r->segment[i].data, r->segment[i].size);
        sector += r->segment[i].size / BLKDEV_SECTOR_BYTES;
    }
}

/* All writes that ended are durable; those still in flight stay volatile. */
static void disk_flush(void)
{
    if (disk.lose_flush) {
        return;
    }
    uint32_t kept = 0;
    for (uint32_t i = 0; i < disk.cached_count; i++) {
        struct cached *c = &disk.cached[i];
        if (c->request != NULL) {
            disk.cached[kept++] = *c;
        } else {
            memcpy(disk.durable[c->sector], c->bytes, BLKDEV_SECTOR_BYTES);
        }
    }
    disk.cached_count = kept;
}

/* Ends one request, chosen by the seed. False: none is pending. */
static bool disk_step(void)
{
    if (disk.pending_count == 0) {
        return false;
    }
    uint32_t i = (uint32_t)(test_random() % disk.pending_count);
    struct blk_request *r = disk.pending[i];
    disk.pending[i] = disk.pending[--disk.pending_count];
    status_t status = ST_OK;
    if (disk.device.dead || (disk.fail_writes && r->op != BLK_READ)) {
        status = ST_IO;
    } else if (r->op == BLK_READ) {
        disk_read(r);
    } else if (r->op == BLK_WRITE) {
        disk_write(r);
    } else {
        disk_flush();
    }
    r->done(r, status);
    return true;
}

static void disk_shuffle(void)
{
    for (uint32_t i = 0; i < disk.cached_count; i++) {
        uint32_t j = i + (uint32_t)(test_random() % (disk.cached_count - i));
        struct cached swap = disk.cached[i];
        disk.cached[i] = disk.cached[j];
        disk.cached[j] = swap;
    }
}

static void disk_garbage(uint32_t sector)
{
    for (uint32_t i = 0; i < BLKDEV_SECTOR_BYTES; i++) {
        disk.durable[sector][i] = (uint8_t)(test_random() >> 24);
    }
}

/* The power went while the physical block of this sector was being written: (1). */
static void disk_tear(uint32_t sector)
{
    uint32_t sectors = disk.device.physical_bytes / BLKDEV_SECTOR_BYTES;
    uint32_t first = sector / sectors * sectors;
    disk_garbage(first + (uint32_t)(test_random() % sectors));
}

/* Power goes: any subset, any order, some torn to garbage. */
static void disk_cut(void)
{
    disk_shuffle();
    for (uint32_t i = 0; i < disk.cached_count; i++) {
        uint64_t fate = test_random() % 16;
        if (fate < 9) {
            memcpy(disk.durable[disk.cached[i].sector], disk.cached[i].bytes, BLKDEV_SECTOR_BYTES);
        } else if (fate < 11) {
            disk_tear(disk.cached[i].sector);
        }
    }
    disk.cached_count = 0;
    disk.pending_count = 0;
    memcpy(disk.view, disk.durable, sizeof(disk.view));
}

/* The machine begins anew: of what was in flight some reached the cache, the cache stays: (2). */
static void disk_reset(void)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < disk.cached_count; i++) {
        struct cached *c = &disk.cached[i];
        if (c->request != NULL && test_random() % 2 == 0) {
            continue;
        }
        if (c->request != NULL) {
            memcpy(disk.view[c->sector], c->bytes, BLKDEV_SECTOR_BYTES);
        }
        c->request = NULL;
        disk.cached[kept++] = *c;
    }
    disk.cached_count = kept;
    disk.pending_count = 0;
}

static const struct blkdev_ops disk_ops = {.submit = disk_submit};

static void disk_init(void)
{
    if (disk.cached == NULL) {
        disk.cached = calloc(DISK_CACHED_MAX, sizeof(disk.cached[0]));
    }
    struct cached *cached = disk.cached;
    memset(&disk, 0, sizeof(disk));
    disk.cached = cached;
    disk.device = (struct blkdev){.ops = &disk_ops,
                                  .name = "disk0",
                                  .sectors = DISK_SECTORS,
                                  .logical_bytes = 512,
                                  .physical_bytes = 512,
                                  .bytes_max = 65536, /* the least that the store takes */
                                  .segments_max = 16,
                                  .depth = DISK_DEPTH,
                                  .has_flush = true};
}
