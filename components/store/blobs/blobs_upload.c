/* SPDX-License-Identifier: MIT OR Apache-2.0
 * blobs_upload.c: a blob on its way in: hashed, checksummed and written as its bytes come, never whole in memory.
 *
 * A write's bytes are three parts: the head fills up the block in `carry`, the middle are whole blocks that go to the disk
 * from where they are, the tail begins the next carry. Carry and CRC blocks are double: one is filled, one is written.
 *
 *  (1) Writes begin in the order in which they came; they may end in any. A write that needs a buffer which is still
 *      being written waits, and all after it.
 *  (2) received = bytes of writes that began; next_block = data blocks that have a CRC and are on their way.
 *  (3) The extent goes back to the free blocks at close, unless a record of the blob became durable.
 */
#include "blobs_volume.h"
#include "core/assert.h"
#include "lib/crc32c/crc32c.h"
#include <string.h>

void blobs_upload_init(struct blobs_upload *u)
{
    for (int i = 0; i < 2; i++) {
        u->carry[i].bytes = boot_alloc(BLOBS_BLOCK, BLOBS_BLOCK);
        u->crcs[i].bytes = boot_alloc(BLOBS_BLOCK, BLOBS_BLOCK);
    }
}

status_t blobs_upload_open(struct blobs_volume *v, struct blobs_upload *u, uint64_t size)
{
    if (v->state != BLOBS_MOUNTED) {
        return v->state == BLOBS_MOUNTING || v->state == BLOBS_FORMATTING ? ST_AGAIN : ST_IO;
    }
    if (size > v->geometry.blocks * BLOBS_BLOCK) {
        return ST_FULL;
    }
    uint64_t start;
    status_t s = blobs_extent_take(&v->index, blobs_extent_blocks(size), &start);
    if (s != ST_OK) {
        return s;
    }
    struct blobs_upload fresh = {.volume = v, .size = size, .start = start, .data_blocks = blobs_data_blocks(size)};
    for (int i = 0; i < 2; i++) {
        fresh.carry[i] = (struct blobs_block){.bytes = u->carry[i].bytes, .upload = u};
        fresh.crcs[i] = (struct blobs_block){.bytes = u->crcs[i].bytes, .upload = u};
    }
    *u = fresh;
    list_init(&u->waiting);
    sha256_init(&u->hash);
    return ST_OK;
}

REQUIRES(LOOP)
static void upload_advance(struct blobs_upload *u);

static void io_ended(struct blobs_upload *u, status_t status)
{
    ASSERT(u->io_out > 0);
    u->io_out--;
    if (status != ST_OK && u->failed == ST_OK) {
        u->failed = status;
    }
}

static void block_written(struct blobs_io *io, status_t status)
{
    room_assert_loop();
    struct blobs_block *block = CONTAINER_OF(io, struct blobs_block, io);
    block->busy = false;
    io_ended(block->upload, status);
    upload_advance(block->upload);
}

/* Sends one block of ours to `at`, counted from the extent's start. */
REQUIRES(LOOP)
static void block_write(struct blobs_upload *u, struct blobs_block *block, uint64_t at)
{
    ASSERT(!block->busy);
    block->busy = true;
    u->io_out++;
    blobs_io_set(&block->io, u->volume, BLK_WRITE, (u->start + at) * BLOBS_SECTORS_PER_BLOCK, block_written);
    blobs_io_add(&block->io, block->bytes, BLOBS_BLOCK);
    blobs_io_start(&block->io);
}

REQUIRES(LOOP)
static void crcs_write(struct blobs_upload *u)
{
    uint64_t index = (u->next_block - 1) / BLOBS_CRCS_PER_BLOCK;
    block_write(u, &u->crcs[u->crcs_at], u->data_blocks + index);
    u->crcs_at ^= 1;
}

/* The next data block has these bytes: notes its CRC. */
REQUIRES(LOOP)
static void block_sum(struct blobs_upload *u, const uint8_t *bytes)
{
    uint32_t *crcs = u->crcs[u->crcs_at].bytes;
    uint32_t at = (uint32_t)(u->next_block % BLOBS_CRCS_PER_BLOCK);
    if (at == 0) {
        ASSERT(!u->crcs[u->crcs_at].busy);
        memset(crcs, 0, BLOBS_BLOCK);
    }
    crcs[at] = crc32c_update(0, bytes, BLOBS_BLOCK);
    u->next_block++;
    if (at + 1 == BLOBS_CRCS_PER_BLOCK) {
        crcs_write(u);
    }
}

/* Whether the write can begin with the buffers that are free now: (1). */
static bool buffers_ready(const struct blobs_upload *u, uint32_t size)
{
    uint32_t blocks = (u->carry_used + size) / BLOBS_BLOCK;
    bool tail = (u->carry_used + size) % BLOBS_BLOCK != 0;
    bool fills_carry = u->carry_used > 0 && blocks > 0;
    const struct blobs_block *tail_goes = &u->carry[fills_carry ? 1 - u->carry_at : u->carry_at];
    if (tail && tail_goes->busy) {
        return false;
    }
    uint64_t in_block = u->next_block % BLOBS_CRCS_PER_BLOCK;
    if (blocks > 0 && in_block == 0 && u->crcs[u->crcs_at].busy) {
        return false;
    }
    return in_block + blocks <= BLOBS_CRCS_PER_BLOCK || !u->crcs[1 - u->crcs_at].busy;
}

/* Fills the carry; sends it when it is full. Returns the bytes taken. */
REQUIRES(LOOP)
static uint32_t take_head(struct blobs_upload *u, const uint8_t *bytes, uint32_t size)
{
    struct blobs_block *carry = &u->carry[u->carry_at];
    uint32_t room = BLOBS_BLOCK - u->carry_used;
    uint32_t taken = size < room ? size : room;
    memcpy((uint8_t *)carry->bytes + u->carry_used, bytes, taken);
    u->carry_used += taken;
    if (u->carry_used == BLOBS_BLOCK) {
        uint64_t at = u->next_block;
        block_sum(u, carry->bytes);
        u->carry_used = 0;
        u->carry_at ^= 1;
        block_write(u, carry, at);
    }
    return taken;
}

static void write_done(struct blobs_io *io, status_t status)
{
    room_assert_loop();
    struct blobs_write *w = CONTAINER_OF(io, struct blobs_write, io);
    struct blobs_upload *u = w->upload;
    w->done(w, status);
    io_ended(u, status); /* after done(): until here the upload cannot end */
    upload_advance(u);
}

/* What is left of a chunk when the carry has taken some from its front, moved down to where a disk takes it (blkdev.h): what was
 * taken is room enough. */
static uint8_t *aligned(uint8_t *bytes, uint32_t left)
{
    uint8_t *down = bytes - ((uintptr_t)bytes & 3);

    return down == bytes ? bytes : memmove(down, bytes, left);
}

REQUIRES(LOOP)
static void write_begin(struct blobs_upload *u, struct blobs_write *w)
{
    uint8_t *bytes = w->bytes;
    uint32_t left = w->size;
    sha256_update(&u->hash, bytes, left);
    u->received += left;
    u->io_out++; /* the write itself, so that nothing below ends the upload */
    if (u->carry_used > 0) {
        uint32_t taken = take_head(u, bytes, left);
        left -= taken;
        bytes = aligned(bytes + taken, left);
    }
    uint32_t whole = left / BLOBS_BLOCK * BLOBS_BLOCK;
    uint64_t at = u->next_block;
    for (uint32_t i = 0; i < whole; i += BLOBS_BLOCK) {
        block_sum(u, bytes + i);
    }
    if (left > whole) {
        (void)take_head(u, bytes + whole, left - whole);
    }
    blobs_io_set(&w->io, u->volume, BLK_WRITE, (u->start + at) * BLOBS_SECTORS_PER_BLOCK, write_done);
    if (whole == 0) {
        write_done(&w->io, ST_OK);
        return;
    }
    blobs_io_add(&w->io, bytes, whole);
    blobs_io_start(&w->io);
}

static void fail_waiting(struct blobs_upload *u, status_t status)
{
    for (struct list *n = list_pop_front(&u->waiting); n != NULL; n = list_pop_front(&u->waiting)) {
        struct blobs_write *w = CONTAINER_OF(n, struct blobs_write, node);
        w->done(w, status);
    }
}

REQUIRES(LOOP)
static void begin_waiting(struct blobs_upload *u)
{
    while (!list_empty(&u->waiting)) {
        struct blobs_write *w = CONTAINER_OF(u->waiting.next, struct blobs_write, node);
        if (u->failed != ST_OK || u->closed != NULL) {
            fail_waiting(u, u->failed != ST_OK ? u->failed : ST_CLOSED);
            return;
        }
        if (!buffers_ready(u, w->size)) {
            return;
        }
        list_remove(&w->node);
        write_begin(u, w);
    }
}

void blobs_upload_write(struct blobs_upload *u, struct blobs_write *w)
{
    ASSERT(w->size <= BLOBS_CHUNK_MAX && ((uintptr_t)w->bytes & 3) == 0);
    w->upload = u;
    uint64_t expected = u->received;
    for (struct list *n = u->waiting.next; n != &u->waiting; n = n->next) {
        expected += CONTAINER_OF(n, struct blobs_write, node)->size;
    }
    if (u->finished != NULL || u->closed != NULL || w->size > u->size - expected) {
        w->done(w, ST_RANGE);
        return;
    }
    list_push_back(&u->waiting, &w->node);
    upload_advance(u);
}

/* --- finish and close --- */

REQUIRES(LOOP)
static void finish_end(struct blobs_upload *u, status_t status)
{
    void (*finished)(struct blobs_upload * upload, status_t status) = u->finished;
    u->finished = NULL;
    finished(u, status);
}

static void commit_done(struct blobs_op *op, status_t status)
{
    room_assert_loop();
    struct blobs_upload *u = CONTAINER_OF(op, struct blobs_upload, op);
    u->committing = false;
    u->committed = status == ST_OK && !op->duplicate;
    u->failed = status;
    bool outer = u->advancing;
    u->advancing = true; /* what finished() does must not end the upload under us */
    finish_end(u, status);
    u->advancing = outer;
    upload_advance(u);
}

/* Sends what is left in carry and CRC blocks. */
REQUIRES(LOOP)
static void pad(struct blobs_upload *u)
{
    u->padded = true;
    if (u->carry_used > 0) {
        static const uint8_t zeros[BLOBS_BLOCK];
        (void)take_head(u, zeros, BLOBS_BLOCK - u->carry_used);
    }
    if (u->next_block % BLOBS_CRCS_PER_BLOCK != 0) {
        crcs_write(u);
    }
}

REQUIRES(LOOP)
static void commit(struct blobs_upload *u)
{
    u->committing = true;
    u->op = (struct blobs_op){.done = commit_done};
    u->op.record = (struct blobs_record){.kind = BLOBS_RECORD_BLOB, .size = u->size, .start = u->start};
    u->op.record.blocks = blobs_extent_blocks(u->size);
    sha256_final(&u->hash, u->op.record.digest);
    blobs_op_submit(u->volume, &u->op);
}

static bool idle(const struct blobs_upload *u)
{
    return u->io_out == 0 && list_empty(&u->waiting) && !u->committing;
}

REQUIRES(LOOP)
static void advance_finish(struct blobs_upload *u)
{
    if (u->failed == ST_OK && u->received == u->size && !u->padded) {
        pad(u);
    }
    if (!idle(u)) {
        return;
    }
    if (u->failed != ST_OK || u->received != u->size) {
        finish_end(u, u->failed != ST_OK ? u->failed : ST_RANGE);
    } else {
        commit(u);
    }
}

REQUIRES(LOOP)
static void advance_close(struct blobs_upload *u)
{
    if (!u->committed) {
        blobs_extent_give(&u->volume->index, u->start, blobs_extent_blocks(u->size));
    }
    u->closed(u);
}

/* Whatever may go on now, goes on. The callbacks that this makes may come back here: the outermost call does it all. */
REQUIRES(LOOP)
static void upload_advance(struct blobs_upload *u)
{
    if (u->advancing) {
        return;
    }
    u->advancing = true;
    begin_waiting(u);
    if (idle(u) && u->finished != NULL) {
        advance_finish(u);
    }
    u->advancing = false;
    if (idle(u) && u->finished == NULL && u->closed != NULL) {
        advance_close(u);
    }
}

void blobs_upload_finish(struct blobs_upload *u, void (*finished)(struct blobs_upload *upload, status_t status))
{
    if (u->finished != NULL || u->padded || u->closed != NULL) {
        finished(u, ST_BADARG);
        return;
    }
    u->finished = finished;
    upload_advance(u);
}

void blobs_upload_close(struct blobs_upload *u, void (*closed)(struct blobs_upload *upload))
{
    ASSERT(u->closed == NULL);
    u->closed = closed;
    upload_advance(u);
}
