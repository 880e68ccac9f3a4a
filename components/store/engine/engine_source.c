/* SPDX-License-Identifier: MIT OR Apache-2.0
 * engine_source.c: reads of one object, each block checked against its CRC before a byte of it is given out.
 *
 *  (1) One span of the object is in memory. Reads that need another wait until the catalog has said it; each read takes a copy of
 *      the CRCs that it needs when a transfer begins.
 *  (2) A read is done in parts where it crosses the border of a span, or begins inside a block. Where its bytes then do not
 *      stand as a disk wants them (blkdev.h), each part is one block, and is copied.
 *  (3) A source of a node shows the file as it changes: what was answered before a read began is seen by it. So its span is asked
 *      again when any change was answered since, and when a CRC does not fit: only a block that is still said to be where it was,
 *      and with the same CRC, is damaged. A read of several parts is of one state of the file: it begins anew when the file was
 *      written to meanwhile, and ends as CATALOG_CONFLICT after AGAIN_MAX times, or when the file became too short for it.
 */
#define LOG_TAG "store"
#include <string.h>
#include "core/assert.h"
#include "core/log.h"
#include "core/mem.h"
#include "engine.h"
#include "lib/crc32c/crc32c.h"

#define BLOCK DISK_BLOCK_BYTES
#define AGAIN_MAX 16u

static void source_advance(struct engine_source *s) REQUIRES(LOOP);

void engine_source_init(struct engine_source *s)
{
    s->span = boot_alloc(sizeof *s->span, 16);
}

void engine_read_init(struct engine_read *r)
{
    r->bounce = boot_alloc(BLOCK, BLOCK);
}

static void held(struct engine_op *op)
{
    room_assert_loop();
    struct engine_source *s = CONTAINER_OF(op, struct engine_source, ask);

    s->asking = false;
    s->object = op->op.object;
    s->size = op->op.size;
    s->opened(s, op->op.answer);
}

static void source_new(struct engine_source *s)
{
    struct catalog_span *span = s->span;

    *s = (struct engine_source){.span = span};
    span->blocks = 0;
    list_init(&s->waiting);
}

void engine_source_open(struct engine_source *s, const struct catalog_op *which,
                        void (*done)(struct engine_source *source, enum catalog_answer answer))
{
    source_new(s);
    s->asking = true;
    s->opened = done;
    s->ask = (struct engine_op){.op = *which, .done = held};
    s->ask.op.kind = CATALOG_HOLD;
    engine_submit(&s->ask);
}

void engine_source_open_node(struct engine_source *s, uint64_t id)
{
    source_new(s);
    s->id = id;
    s->seen = UINT64_MAX; /* nothing yet */
}

uint32_t engine_read_size(const struct engine_source *s, uint64_t offset, uint32_t limit)
{
    uint64_t left = offset < s->size ? s->size - offset : 0;

    limit = limit < ENGINE_CHUNK_MAX ? limit : ENGINE_CHUNK_MAX;
    return (uint32_t)(left < limit ? left : limit);
}

/* --- transfers ------------------------------------------------------------------------------------------------------- */

static bool block_ok(const struct engine_read *r, uint32_t i, const void *bytes)
{
    return crc32c_update(0, bytes, BLOCK) == r->crc[i];
}

/* Which of its blocks is not what was written; as many as it has: none. */
static uint32_t first_bad(const struct engine_read *r)
{
    uint32_t blocks = r->whole / BLOCK;
    uint32_t i = 0;

    while (i < blocks && block_ok(r, i, r->bytes + r->got + i * BLOCK)) {
        i++;
    }
    return i == blocks && (r->part == 0 || block_ok(r, blocks, r->bounce)) ? blocks + 1 : i;
}

static void say_damaged(const struct engine_read *r, uint32_t bad)
{
    engine_self.count.damaged++;
    log_err("object %llu: block %llu of the disk does not hold what was written", (unsigned long long)r->object,
            (unsigned long long)(r->block + bad));
}

/* What the transfer says: CATALOG_CONFLICT: ask again where the block is, (3). */
static enum catalog_answer check(struct engine_read *r, status_t status)
{
    uint32_t bad = status == ST_OK ? first_bad(r) : 0;

    if (status != ST_OK) {
        return CATALOG_FAILED;
    }
    if (bad > r->whole / BLOCK) {
        r->doubt = 0;
        return CATALOG_OK;
    }
    bool doubted = r->doubt == r->block + bad && r->doubt_crc == r->crc[bad];
    r->doubt = r->block + bad;
    r->doubt_crc = r->crc[bad];
    if (r->source->id != 0 && !doubted) {
        return CATALOG_CONFLICT;
    }
    say_damaged(r, bad);
    return CATALOG_DAMAGED;
}

static void read_done(struct engine_io *io, status_t status)
{
    room_assert_loop();
    struct engine_read *r = CONTAINER_OF(io, struct engine_read, io);
    struct engine_source *s = r->source;
    enum catalog_answer answer = check(r, status);

    if (answer == CATALOG_OK) {
        memcpy(r->bytes + r->got + r->whole, r->bounce + r->skip, r->part);
        r->got += r->whole + r->part;
    } else if (answer == CATALOG_CONFLICT) {
        s->seen = UINT64_MAX;
    } else {
        engine_suspect(r->object); /* the file may have another one by now */
    }
    if (answer == CATALOG_CONFLICT || (answer == CATALOG_OK && r->got < r->size)) {
        list_push_front(&s->waiting, &r->node); /* its next part, or again */
    } else {
        r->done(r, answer);
    }
    ASSERT(s->reads_out > 0);
    s->reads_out--; /* after done(): until here the source cannot end */
    source_advance(s);
}

/* Cuts what is left of the read, as far as the span goes, into whole blocks and one part: (2). */
static void read_shape(struct engine_read *r)
{
    const struct catalog_span *span = r->source->span;
    uint64_t offset = r->offset + r->got;
    uint64_t end = (span->at + span->blocks) * BLOCK;
    uint64_t left = r->size - r->got;

    left = left < end - offset ? left : end - offset;
    bool copied = offset % BLOCK != 0 || ((uintptr_t)(r->bytes + r->got) & 3) != 0;
    r->skip = (uint32_t)(offset % BLOCK);
    r->whole = copied ? 0 : (uint32_t)(left / BLOCK * BLOCK);
    r->part = (uint32_t)(left - r->whole);
    if (r->part > BLOCK - r->skip) {
        r->part = BLOCK - r->skip;
    }
}

/* From memory: content that stands in the database, or a hole. */
static void read_inside(struct engine_read *r) REQUIRES(LOOP)
{
    const struct catalog_span *span = r->source->span;
    uint32_t bytes = r->whole + r->part;

    if (span->inside) {
        memcpy(r->bytes + r->got, span->bytes + r->offset + r->got, bytes);
    } else {
        memset(r->bytes + r->got, 0, bytes);
    }
    r->got += bytes;
}

static void read_begin(struct engine_read *r) REQUIRES(LOOP)
{
    struct engine_source *s = r->source;
    const struct catalog_span *span = s->span;
    uint64_t at = (r->offset + r->got) / BLOCK - span->at;
    uint32_t blocks = r->whole / BLOCK + (r->part > 0 ? 1 : 0);

    memcpy(r->crc, span->crc + at, blocks * sizeof r->crc[0]);
    r->block = span->start + at;
    s->reads_out++;
    engine_io_set(&r->io, BLK_READ, r->block, read_done);
    if (r->whole > 0) {
        engine_io_add(&r->io, r->bytes + r->got, r->whole);
    }
    if (r->part > 0) {
        engine_io_add(&r->io, r->bounce, BLOCK);
    }
    engine_io_start(&r->io);
}

/* --- spans ----------------------------------------------------------------------------------------------------------- */

static void end_waiting(struct engine_source *s, enum catalog_answer answer) REQUIRES(LOOP)
{
    for (struct list *n = list_pop_front(&s->waiting); n != NULL; n = list_pop_front(&s->waiting)) {
        struct engine_read *r = CONTAINER_OF(n, struct engine_read, node);
        r->done(r, answer);
    }
}

static bool in_span(const struct catalog_span *span, uint64_t block)
{
    return block >= span->at && block - span->at < span->blocks;
}

/* Whether the span is what was asked for: what is held does not change, and a block before the end is in some span. */
static bool span_fits(const struct engine_source *s, uint64_t block)
{
    bool wanted = block < (s->span->size + BLOCK - 1) / BLOCK;

    return (s->id != 0 || (wanted && s->span->size == s->size)) && (!wanted || in_span(s->span, block));
}

static void span_said(struct engine_op *op)
{
    room_assert_loop();
    struct engine_source *s = CONTAINER_OF(op, struct engine_source, ask);
    enum catalog_answer answer = op->op.answer;

    if (answer == CATALOG_OK && !span_fits(s, op->op.block)) {
        answer = CATALOG_DAMAGED;
    }
    if (answer == CATALOG_OK && s->id != 0) {
        s->size = s->span->size;
        s->object = s->span->object;
        s->seen = engine_self.changes;
    }
    if (answer != CATALOG_OK) {
        s->span->blocks = 0;
        end_waiting(s, answer);
    }
    s->asking = false;
    source_advance(s);
}

static void span_ask(struct engine_source *s, uint64_t block) REQUIRES(LOOP)
{
    s->asking = true;
    s->ask = (struct engine_op){
        .op = {.kind = CATALOG_SPAN, .id = s->id, .object = s->object, .block = block, .span = s->span},
        .done = span_said};
    engine_submit(&s->ask);
}

static void read_next(struct engine_source *s, struct engine_read *r) REQUIRES(LOOP)
{
    list_remove(&r->node);
    read_shape(r);
    if (s->span->start != 0) {
        read_begin(r);
        return;
    }
    read_inside(r);
    if (r->got < r->size) {
        list_push_front(&s->waiting, &r->node);
    } else {
        r->done(r, CATALOG_OK);
    }
}

/* The read has its size and room, now that the file's size is known. False: it ended, or cannot be done. */
static bool read_placed(struct engine_source *s, struct engine_read *r) REQUIRES(LOOP)
{
    if (r->place != NULL) {
        list_remove(&r->node);
        r->size = engine_read_size(s, r->offset, r->size);
        if (!r->place(r)) {
            return false;
        }
        r->place = NULL;
        list_push_front(&s->waiting, &r->node);
    }
    if (r->offset + r->size <= s->size) {
        return true;
    }
    list_remove(&r->node);
    r->done(r, CATALOG_CONFLICT); /* (3) */
    return false;
}

/* (3). False: it ended. */
static bool read_of_one_state(struct engine_source *s, struct engine_read *r) REQUIRES(LOOP)
{
    if (r->got > 0 && (r->object != s->span->object || r->version != s->version)) {
        r->got = 0;
        r->again++;
    }
    if (r->got == 0) {
        r->object = s->span->object;
        r->version = s->version;
    }
    if (r->again <= AGAIN_MAX) {
        return true;
    }
    list_remove(&r->node);
    r->done(r, CATALOG_CONFLICT);
    return false;
}

static void read_waiting(struct engine_source *s) REQUIRES(LOOP)
{
    while (!s->asking && !list_empty(&s->waiting)) {
        struct engine_read *r = CONTAINER_OF(s->waiting.next, struct engine_read, node);
        uint64_t block = (r->offset + r->got) / BLOCK;
        if (s->id != 0 && s->seen != engine_self.changes) {
            span_ask(s, block);
        } else if (read_placed(s, r) && read_of_one_state(s, r)) {
            block = (r->offset + r->got) / BLOCK;
            if (in_span(s->span, block)) {
                read_next(s, r);
            } else {
                span_ask(s, block); /* reads in flight have their copies */
            }
        }
    }
}

static void let_go(struct engine_op *op)
{
    room_assert_loop();
    struct engine_source *s = CONTAINER_OF(op, struct engine_source, ask);

    s->closed(s);
}

/* Whatever may go on now, goes on. Callbacks may come back here: the outermost call does it all. */
static void source_advance(struct engine_source *s)
{
    if (s->advancing) {
        return;
    }
    s->advancing = true;
    read_waiting(s);
    s->advancing = false;
    bool ends = s->closed != NULL && !s->asking && s->reads_out == 0 && list_empty(&s->waiting);
    if (ends && (s->id != 0 || s->object == 0)) {
        s->closed(s); /* nothing is held */
    } else if (ends) {
        s->asking = true;
        s->ask = (struct engine_op){.op = {.kind = CATALOG_UNHOLD, .object = s->object}, .done = let_go};
        engine_submit(&s->ask);
    }
}

void engine_source_read(struct engine_source *s, struct engine_read *r)
{
    ASSERT(s->closed == NULL && (r->place != NULL || (r->size > 0 && r->size <= ENGINE_CHUNK_MAX)));
    r->source = s;
    r->got = 0;
    r->doubt = 0;
    r->again = 0;
    list_push_back(&s->waiting, &r->node);
    source_advance(s);
}

void engine_source_close(struct engine_source *s, void (*closed)(struct engine_source *source))
{
    ASSERT(s->closed == NULL && list_empty(&s->waiting)); /* a call holds its target */
    s->closed = closed;
    source_advance(s);
}
