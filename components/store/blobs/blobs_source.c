/* SPDX-License-Identifier: MIT OR Apache-2.0
 * blobs_source.c: reads of one blob, each block checked against its CRC before a byte of it is given out.
 *
 *  (1) One CRC block of the blob is in memory. Reads that need another wait until it was loaded; each
 *      read takes a copy of the CRCs that it needs when it begins.
 *  (2) A read never crosses the border of a CRC block, nor, when it begins inside a block, that block: it gives fewer
 *      bytes than asked for, as at the end.
 */
#define LOG_TAG "store"
#include "blobs_volume.h"
#include "core/assert.h"
#include "core/log.h"
#include "lib/crc32c/crc32c.h"
#include <string.h>

void blobs_source_init(struct blobs_source *s)
{
    s->crcs = boot_alloc(BLOBS_BLOCK, BLOBS_BLOCK);
}

void blobs_read_init(struct blobs_read *r)
{
    r->bounce = boot_alloc(BLOBS_BLOCK, BLOBS_BLOCK);
}

void blobs_source_open(struct blobs_volume *v, struct blobs_source *s, struct blobs_blob *blob)
{
    blobs_pin(blob);
    *s = (struct blobs_source){.volume = v, .blob = blob, .crcs = s->crcs, .crc_block = UINT64_MAX};
    list_init(&s->waiting);
}

REQUIRES(LOOP)
static void source_advance(struct blobs_source *s);

uint32_t blobs_read_size(const struct blobs_source *s, uint64_t offset, uint32_t limit)
{
    if (offset >= s->blob->size) {
        return 0;
    }
    bool inside = offset % BLOBS_BLOCK != 0;
    uint64_t border = inside ? BLOBS_BLOCK : (uint64_t)BLOBS_CRCS_PER_BLOCK * BLOBS_BLOCK;
    uint64_t most = border - offset % border;
    uint64_t left = s->blob->size - offset;
    most = left < most ? left : most;
    return (uint32_t)(limit < most ? limit : most);
}

static void report_damage(const struct blobs_source *s, uint64_t block)
{
    const uint8_t *d = s->blob->digest;
    log_err("blob %02x%02x%02x%02x...: block %llu of the disk does not hold what was written", d[0], d[1], d[2], d[3],
            (unsigned long long)(s->blob->start + block));
}

static status_t verify(const struct blobs_read *r)
{
    uint64_t block = r->offset / BLOBS_BLOCK;
    uint32_t whole = r->whole / BLOBS_BLOCK;
    for (uint32_t i = 0; i < whole; i++) {
        if (crc32c_update(0, r->bytes + i * BLOBS_BLOCK, BLOBS_BLOCK) != r->crc[i]) {
            report_damage(r->source, block + i);
            return ST_IO;
        }
    }
    if (r->part > 0 && crc32c_update(0, r->bounce, BLOBS_BLOCK) != r->crc[whole]) {
        report_damage(r->source, block + whole);
        return ST_IO;
    }
    return ST_OK;
}

static void read_done(struct blobs_io *io, status_t status)
{
    room_assert_loop();
    struct blobs_read *r = CONTAINER_OF(io, struct blobs_read, io);
    struct blobs_source *s = r->source;
    if (status == ST_OK) {
        status = verify(r);
    }
    if (status == ST_OK) {
        memcpy(r->bytes + r->whole, r->bounce + r->skip, r->part);
    }
    r->done(r, status, status == ST_OK ? r->whole + r->part : 0);
    ASSERT(s->reads_out > 0);
    s->reads_out--; /* after done(): until here the source cannot end */
    source_advance(s);
}

/* Cuts the read into whole blocks and one part: (2). */
static void read_shape(struct blobs_read *r)
{
    uint32_t size = blobs_read_size(r->source, r->offset, r->size);
    r->skip = (uint32_t)(r->offset % BLOBS_BLOCK);
    r->whole = r->skip > 0 ? 0 : size / BLOBS_BLOCK * BLOBS_BLOCK;
    r->part = size - r->whole;
}

REQUIRES(LOOP)
static void read_begin(struct blobs_read *r)
{
    struct blobs_source *s = r->source;
    uint64_t block = r->offset / BLOBS_BLOCK;
    read_shape(r);
    uint32_t blocks = r->whole / BLOBS_BLOCK + (r->part > 0);
    memcpy(r->crc, s->crcs + block % BLOBS_CRCS_PER_BLOCK, blocks * sizeof(r->crc[0]));
    s->reads_out++;
    blobs_io_set(&r->io, s->volume, BLK_READ, (s->blob->start + block) * BLOBS_SECTORS_PER_BLOCK, read_done);
    if (r->whole > 0) {
        blobs_io_add(&r->io, r->bytes, r->whole);
    }
    if (r->part > 0) {
        blobs_io_add(&r->io, r->bounce, BLOBS_BLOCK);
    }
    blobs_io_start(&r->io);
}

static void fail_waiting(struct blobs_source *s, status_t status)
{
    for (struct list *n = list_pop_front(&s->waiting); n != NULL; n = list_pop_front(&s->waiting)) {
        struct blobs_read *r = CONTAINER_OF(n, struct blobs_read, node);
        r->done(r, status, 0);
    }
}

static void crcs_loaded(struct blobs_io *io, status_t status)
{
    room_assert_loop();
    struct blobs_source *s = CONTAINER_OF(io, struct blobs_source, crc_io);
    if (status != ST_OK) {
        s->crc_block = UINT64_MAX;
        fail_waiting(s, status);
    }
    s->loading = false;
    source_advance(s);
}

REQUIRES(LOOP)
static void crcs_load(struct blobs_source *s, uint64_t index)
{
    s->loading = true;
    s->crc_block = index;
    uint64_t block = s->blob->start + blobs_data_blocks(s->blob->size) + index;
    blobs_io_set(&s->crc_io, s->volume, BLK_READ, block * BLOBS_SECTORS_PER_BLOCK, crcs_loaded);
    blobs_io_add(&s->crc_io, s->crcs, BLOBS_BLOCK);
    blobs_io_start(&s->crc_io);
}

REQUIRES(LOOP)
static void begin_waiting(struct blobs_source *s)
{
    while (!s->loading && !list_empty(&s->waiting)) {
        struct blobs_read *r = CONTAINER_OF(s->waiting.next, struct blobs_read, node);
        uint64_t index = r->offset / BLOBS_BLOCK / BLOBS_CRCS_PER_BLOCK;
        if (s->crc_block != index) {
            crcs_load(s, index); /* reads in flight have their copies */
        } else {
            list_remove(&r->node);
            read_begin(r);
        }
    }
}

/* Whatever may go on now, goes on. Callbacks may come back here: the outermost call does it all. */
REQUIRES(LOOP)
static void source_advance(struct blobs_source *s)
{
    if (s->advancing) {
        return;
    }
    s->advancing = true;
    begin_waiting(s);
    s->advancing = false;
    if (s->closed != NULL && !s->loading && s->reads_out == 0) {
        blobs_unpin(&s->volume->index, s->blob);
        s->closed(s);
    }
}

void blobs_source_read(struct blobs_source *s, struct blobs_read *r)
{
    ASSERT(r->size <= BLOBS_CHUNK_MAX && s->closed == NULL);
    r->source = s;
    if (r->offset >= s->blob->size || r->size == 0) {
        r->done(r, ST_OK, 0);
        return;
    }
    list_push_back(&s->waiting, &r->node);
    source_advance(s);
}

void blobs_source_close(struct blobs_source *s, void (*closed)(struct blobs_source *source))
{
    ASSERT(s->closed == NULL);
    s->closed = closed;
    if (!s->loading) {
        fail_waiting(s, ST_CLOSED);
    }
    source_advance(s);
}
