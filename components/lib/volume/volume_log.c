/* SPDX-License-Identifier: MIT OR Apache-2.0
 * volume_log.c: the log as bytes, on whole blocks.
 *
 *  (1) `tail` is the block that is being filled; it is written when another takes its place, and at a sync.
 *  (2) A block that is `known` has its CRC in log_crc: of what was written to it, or of what was read from it first.
 *  (3) A block that is not known and not read yet holds nothing that anyone has been promised: it is taken to be zero when a
 *      part of it is written.
 *  (4) The log begins anew with its first byte, and nothing that stood in it counts from then on. Otherwise each block of its next
 *      round would be read before it is written.
 *  (5) The rest of its first block stays as it is then, until it is written. So of the block that says that the log begins anew
 *      only the first sector differs from what was there: a cut leaves the log of before or the new one, and nothing between.
 */
#include <string.h>
#include "core/assert.h"
#include "lib/crc32c/crc32c.h"
#include "lib/volume/volume.h"
#include "volume_private.h"
#define LOG_TAG "volume"
#include "core/log.h"

#define NO_BLOCK UINT64_MAX

void volume_log_forget(struct volume *volume)
{
    memset(volume->log_known, 0, volume->log_room);
    volume->log_tail_block = NO_BLOCK;
    volume->log_tail_dirty = false;
    volume->log_window_count = 0;
    volume->log_next = NO_BLOCK;
}

uint64_t volume_log_bytes(const struct volume *volume)
{
    return volume->super.log_blocks * DISK_BLOCK_BYTES;
}

/* --- reading --------------------------------------------------------------------------------------------------------- */

/* (2) */
static status_t check(struct volume *volume, uint64_t block, const void *data)
{
    uint32_t crc = crc32c_update(0, data, DISK_BLOCK_BYTES);

    if (volume->log_known[block] == 0) {
        volume->log_known[block] = 1;
        volume->log_crc[block] = crc;
    }
    if (volume->log_crc[block] == crc) {
        return ST_OK;
    }
    volume->count.errors++;
    log_err("block %lu of the log is not what was there before", block);
    return ST_PROTO;
}

/* Reads the block into the window, and those behind it when the log is being read in order. */
static status_t window_fill(struct volume *volume, uint64_t block) REQUIRES(THREAD)
{
    uint64_t left = volume->super.log_blocks - block;
    uint32_t most = block == volume->log_next ? VOLUME_LOG_READ_MAX : 2; /* a page of the log lies on two blocks */
    uint32_t count = left < most ? (uint32_t)left : most;
    status_t s = disk_read(volume->io, volume->super.log_start + block, count, volume->log_window);

    volume->log_window_count = s == ST_OK ? count : 0;
    volume->log_window_start = block;
    volume->log_next = block + count;
    volume->count.log_reads++;
    return s;
}

/* The block's bytes, not checked, borrowed until the next call. */
static status_t block_peek(struct volume *volume, uint64_t block, const unsigned char **data) REQUIRES(THREAD)
{
    if (block == volume->log_tail_block) {
        *data = volume->log_tail;
        return ST_OK;
    }
    if (block - volume->log_window_start >= volume->log_window_count) {
        status_t s = window_fill(volume, block);
        if (s != ST_OK) {
            return s;
        }
    }
    *data = volume->log_window + (block - volume->log_window_start) * DISK_BLOCK_BYTES;
    return ST_OK;
}

/* The same, checked. */
static status_t block_get(struct volume *volume, uint64_t block, const unsigned char **data) REQUIRES(THREAD)
{
    status_t s = block_peek(volume, block, data);

    return s == ST_OK && block != volume->log_tail_block ? check(volume, block, *data) : s;
}

static bool within(const struct volume *volume, uint64_t offset, uint32_t size)
{
    uint64_t bytes = volume_log_bytes(volume);

    return offset <= bytes && size <= bytes - offset;
}

typedef status_t block_fn(struct volume *volume, uint64_t block, const unsigned char **data);

static status_t read_by(struct volume *volume, block_fn *block_of, uint64_t offset, void *data, uint32_t size)
{
    unsigned char *target = data;

    if (!within(volume, offset, size)) {
        return ST_RANGE;
    }
    while (size > 0) {
        const unsigned char *block;
        uint32_t at = (uint32_t)(offset % DISK_BLOCK_BYTES);
        uint32_t part = size < DISK_BLOCK_BYTES - at ? size : DISK_BLOCK_BYTES - at;
        status_t s = block_of(volume, offset / DISK_BLOCK_BYTES, &block);
        if (s != ST_OK) {
            return s;
        }
        memcpy(target, block + at, part);
        target += part;
        offset += part;
        size -= part;
    }
    return ST_OK;
}

status_t volume_log_read(struct volume *volume, uint64_t offset, void *data, uint32_t size)
{
    return read_by(volume, block_get, offset, data, size);
}

status_t volume_log_peek(struct volume *volume, uint64_t offset, void *data, uint32_t size)
{
    return read_by(volume, block_peek, offset, data, size);
}

/* --- writing --------------------------------------------------------------------------------------------------------- */

static status_t tail_write(struct volume *volume) REQUIRES(THREAD)
{
    uint64_t block = volume->log_tail_block;

    if (!volume->log_tail_dirty) {
        return ST_OK;
    }
    status_t s = block == 0 && volume->super_loose ? volume_flush(volume) : ST_OK; /* (1) of volume.c */
    if (s != ST_OK) {
        return s;
    }
    volume->log_tail_dirty = false;
    volume->log_known[block] = 1;
    volume->log_crc[block] = crc32c_update(0, volume->log_tail, DISK_BLOCK_BYTES);
    volume->count.log_writes++;
    return disk_write(volume->io, volume->super.log_start + block, volume->log_tail);
}

/* Makes `block` the tail. */
static status_t tail_move(struct volume *volume, uint64_t block, bool whole) REQUIRES(THREAD)
{
    const unsigned char *data = NULL;

    if (block == volume->log_tail_block) {
        return ST_OK;
    }
    status_t s = tail_write(volume);
    if (s == ST_OK && !whole && volume->log_known[block] != 0) {
        s = block_get(volume, block, &data);
    }
    if (s != ST_OK) {
        return s;
    }
    if (data != NULL) {
        memcpy(volume->log_tail, data, DISK_BLOCK_BYTES);
    } else {
        memset(volume->log_tail, 0, DISK_BLOCK_BYTES); /* (3) */
    }
    volume->log_tail_block = block;
    return ST_OK;
}

/* (4), (5). A block that cannot be read is zero: what stood there is lost, and then is so behind a torn head, too. */
static void begin_anew(struct volume *volume) REQUIRES(THREAD)
{
    const unsigned char *data = NULL;

    volume_log_forget(volume);
    if (block_peek(volume, 0, &data) == ST_OK) {
        memcpy(volume->log_tail, data, DISK_BLOCK_BYTES);
    } else {
        memset(volume->log_tail, 0, DISK_BLOCK_BYTES);
    }
    volume->log_tail_block = 0;
    volume->log_window_count = 0;
}

status_t volume_log_write(struct volume *volume, uint64_t offset, const void *data, uint32_t size)
{
    const unsigned char *source = data;

    if (!within(volume, offset, size)) {
        return ST_FULL;
    }
    if (offset == 0) {
        begin_anew(volume);
    }
    status_t s = volume->failed;
    while (size > 0 && s == ST_OK) {
        uint32_t at = (uint32_t)(offset % DISK_BLOCK_BYTES);
        uint32_t part = size < DISK_BLOCK_BYTES - at ? size : DISK_BLOCK_BYTES - at;
        s = tail_move(volume, offset / DISK_BLOCK_BYTES, part == DISK_BLOCK_BYTES);
        if (s == ST_OK) {
            memcpy(volume->log_tail + at, source, part);
            volume->log_tail_dirty = true;
            volume->log_window_count = 0; /* it may hold the block as it was */
        }
        source += part;
        offset += part;
        size -= part;
    }
    return volume_fail(volume, s);
}

status_t volume_log_sync(struct volume *volume)
{
    status_t s = volume->failed;

    if (s == ST_OK) {
        s = tail_write(volume);
    }
    if (s == ST_OK) {
        s = volume_flush(volume);
    }
    volume->count.log_syncs++;
    return volume_fail(volume, s);
}

status_t volume_log_clear(struct volume *volume)
{
    static const unsigned char nothing[64];
    status_t s = volume_log_write(volume, 0, nothing, sizeof nothing);

    return s == ST_OK ? volume_log_sync(volume) : s;
}
