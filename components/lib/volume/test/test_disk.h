/* SPDX-License-Identifier: MIT OR Apache-2.0
 * test_disk.h: a disk_io in memory that writes down what is done to it, so that a test can cut the power anywhere.
 *
 *  (1) A cut at event `k` leaves every write that a FLUSH before `k` covers, and of the others any subset; a write of that
 *      subset may be torn: some of its sectors old, new or garbage.
 */
#pragma once
#include <stdlib.h>
#include "lib/disk/disk_io.h"
#include "test.h"

#define EVENTS_MAX 20000u
#define SECTOR 512u

struct event { /* data NULL: a FLUSH */
    uint64_t block;
    unsigned char *data;
};
static struct test_disk {
    struct disk_io io;
    unsigned char *now;   /* what reads see */
    unsigned char *begin; /* what was there when the record began */
    struct event event[EVENTS_MAX];
    unsigned event_count;
    bool recording;
    unsigned fail_writes; /* so many more succeed; UINT_MAX: all */
    unsigned fail_reads;
    uint64_t fail_read_once; /* of this block; UINT64_MAX: of none */
    bool lose_flush;
} disk;

static unsigned char *disk_at(uint64_t block)
{
    return disk.now + block * DISK_BLOCK_BYTES;
}

static bool runs_out(unsigned *left)
{
    if (*left == UINT32_MAX) {
        return false;
    }
    if (*left == 0) {
        return true;
    }
    --*left;
    return false;
}

static void event_add(uint64_t block, const void *data)
{
    struct event *event = &disk.event[disk.event_count];

    if (!disk.recording) {
        return;
    }
    REQUIRE(disk.event_count < EVENTS_MAX);
    *event = (struct event){.block = block};
    if (data != NULL) {
        event->data = malloc(DISK_BLOCK_BYTES);
        memcpy(event->data, data, DISK_BLOCK_BYTES);
    }
    disk.event_count++;
}

static status_t test_read(struct disk_io *io, uint64_t block, uint32_t count, void *data)
{
    if (runs_out(&disk.fail_reads)) {
        return ST_IO;
    }
    if (block == disk.fail_read_once) {
        disk.fail_read_once = UINT64_MAX;
        return ST_IO;
    }
    memcpy(data, disk_at(block), (size_t)count * DISK_BLOCK_BYTES);
    return ST_OK;
}

static status_t test_write(struct disk_io *io, uint64_t block, const void *data)
{
    if (runs_out(&disk.fail_writes)) {
        return ST_IO;
    }
    event_add(block, data);
    memcpy(disk_at(block), data, DISK_BLOCK_BYTES);
    return ST_OK;
}

static status_t test_flush(struct disk_io *io)
{
    if (disk.fail_writes == 0) {
        return ST_IO;
    }
    if (!disk.lose_flush) {
        event_add(0, NULL);
    }
    return ST_OK;
}

static void disk_forget(void)
{
    for (unsigned i = 0; i < disk.event_count; i++) {
        free(disk.event[i].data);
    }
    disk.event_count = 0;
}

static void disk_free(void)
{
    disk_forget();
    free(disk.now);
    free(disk.begin);
    disk.now = disk.begin = NULL;
}

/* A blank disk. */
static void disk_new(uint64_t blocks)
{
    static const struct disk_io_ops ops = {test_read, test_write, test_flush};

    disk_free();
    test_room = ROOM_THREAD;
    disk.io = (struct disk_io){&ops, blocks};
    disk.now = calloc(blocks, DISK_BLOCK_BYTES);
    disk.begin = calloc(blocks, DISK_BLOCK_BYTES);
    disk.recording = false;
    disk.lose_flush = false;
    disk.fail_writes = disk.fail_reads = UINT32_MAX;
    disk.fail_read_once = UINT64_MAX;
}

static inline void disk_record(void)
{
    disk_forget();
    memcpy(disk.begin, disk.now, disk.io.blocks * DISK_BLOCK_BYTES);
    disk.recording = true;
}

/* The events before `cut` that no FLUSH covers: from the result to `cut`. */
static unsigned disk_unflushed(unsigned cut)
{
    unsigned first = cut;

    while (first > 0 && disk.event[first - 1].data != NULL) {
        first--;
    }
    return first;
}

/* (1) */
static void disk_tear(const struct event *event)
{
    for (unsigned at = 0; at < DISK_BLOCK_BYTES; at += SECTOR) {
        unsigned char *sector = disk_at(event->block) + at;
        switch (test_random() % 4) {
        case 0:
            break;
        case 1:
            for (unsigned i = 0; i < SECTOR; i++) {
                sector[i] = (unsigned char)test_random();
            }
            break;
        default:
            memcpy(sector, event->data + at, SECTOR);
        }
    }
}

/* What the disk holds after a cut: of the writes that are not covered those whose bit is set. `torn`: of these, one. */
static inline void disk_cut(unsigned cut, uint64_t subset, int torn)
{
    unsigned first = disk_unflushed(cut);

    memcpy(disk.now, disk.begin, disk.io.blocks * DISK_BLOCK_BYTES);
    for (unsigned i = 0; i < cut; i++) {
        const struct event *event = &disk.event[i];
        if (event->data == NULL || (i >= first && (subset >> ((i - first) % 64) & 1) == 0)) {
            continue;
        }
        if (torn >= 0 && i == first + (unsigned)torn) {
            disk_tear(event);
        } else {
            memcpy(disk_at(event->block), event->data, DISK_BLOCK_BYTES);
        }
    }
    disk.recording = false;
}
