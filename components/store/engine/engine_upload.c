/* SPDX-License-Identifier: MIT OR Apache-2.0
 * engine_upload.c: a blob on its way in: hashed, checksummed and written as its bytes come, never whole in memory.
 *
 * A write's bytes are three parts: the head fills up the block in `carry`, the middle are whole blocks that go to the disk from
 * where they are, the tail begins the next carry. Blocks go into runs that the catalog lends; ENGINE_FILLS of them are kept in
 * memory with their CRCs, and then become the catalog's (EXTEND), or at the end (PUT).
 *
 *  (1) Writes begin in the order in which they came. A write that needs a buffer or room which is not there yet waits, perhaps
 *      half done, and all after it.
 *  (2) received = bytes of writes that began. A fill's `used` blocks have a CRC and are on their way.
 *  (3) The catalog is told of blocks only when none is on its way: what it commits, the disk has taken.
 *  (4) A blob of at most ENGINE_INSIDE_MAX bytes stays in the carry and is given to the catalog as bytes.
 *  (5) What was lent, reserved and held is given back at close, one after the other.
 */
#include <string.h>
#include "core/assert.h"
#include "core/mem.h"
#include "engine.h"
#include "lib/crc32c/crc32c.h"

static void advance(struct engine_upload *u) REQUIRES(LOOP);

void engine_upload_init(struct engine_upload *u)
{
    for (unsigned i = 0; i < 2; i++) {
        u->carry[i].bytes = boot_alloc(DISK_BLOCK_BYTES, DISK_BLOCK_BYTES);
    }
    for (unsigned i = 0; i < ENGINE_FILLS; i++) {
        u->fill[i].crc = boot_alloc(CATALOG_EXTENT_BLOCKS * sizeof *u->fill[i].crc, 16);
    }
}

static uint64_t blocks_of(uint64_t size)
{
    return size / DISK_BLOCK_BYTES + (size % DISK_BLOCK_BYTES != 0 ? 1 : 0);
}

static bool stays_inside(const struct engine_upload *u)
{
    return u->size <= ENGINE_INSIDE_MAX; /* (4) */
}

/* --- asking the catalog ---------------------------------------------------------------------------------------------- */

static void ask(struct engine_upload *u, enum catalog_op_kind kind, void (*done)(struct engine_op *op))
{
    ASSERT(!u->asking);
    u->asking = true;
    u->ask = (struct engine_op){.op = {.kind = kind, .object = u->object}, .done = done};
}

static struct engine_upload *asked(struct engine_op *op)
{
    struct engine_upload *u = CONTAINER_OF(op, struct engine_upload, ask);

    u->asking = false;
    return u;
}

static void fail(struct engine_upload *u, status_t status, enum catalog_answer answer)
{
    if (u->failed == ST_OK) {
        u->failed = status;
        u->answer = answer;
    }
}

static void opened(struct engine_op *op)
{
    room_assert_loop();
    struct engine_upload *u = asked(op);

    u->reserved = op->op.answer == CATALOG_OK ? op->op.size : 0;
    u->opened(u, op->op.answer);
}

void engine_upload_open(struct engine_upload *u, uint64_t size,
                        void (*done)(struct engine_upload *upload, enum catalog_answer answer))
{
    struct engine_upload fresh = {.size = size, .name = u->name, .opened = done};

    for (unsigned i = 0; i < 2; i++) {
        fresh.carry[i] = (struct engine_block){.bytes = u->carry[i].bytes, .upload = u};
    }
    for (unsigned i = 0; i < ENGINE_FILLS; i++) {
        fresh.fill[i].crc = u->fill[i].crc;
    }
    *u = fresh;
    list_init(&u->waiting);
    list_init(&u->hashing);
    sha256_init(&u->hash);
    ask(u, CATALOG_RESERVE, opened);
    u->ask.op.size = stays_inside(u) ? 0 : blocks_of(size);
    engine_submit(&u->ask);
}

/* --- room ------------------------------------------------------------------------------------------------------------ */

static struct engine_fill *filling(struct engine_upload *u)
{
    return &u->fill[u->fill_at];
}

static uint32_t room(struct engine_upload *u)
{
    return filling(u)->lent.blocks - filling(u)->used;
}

static uint64_t blocks_so_far(const struct engine_upload *u)
{
    uint64_t blocks = u->blocks;

    for (unsigned i = 0; i < ENGINE_FILLS; i++) {
        blocks += u->fill[i].used;
    }
    return blocks;
}

static void lent(struct engine_op *op)
{
    room_assert_loop();
    struct engine_upload *u = asked(op);

    if (op->op.answer == CATALOG_OK) {
        filling(u)->lent = op->op.run;
    } else {
        fail(u, ST_PROTO, op->op.answer);
    }
    advance(u);
}

static void lend(struct engine_upload *u, uint64_t hint) REQUIRES(LOOP)
{
    uint64_t left = blocks_of(u->size) - blocks_so_far(u);

    ask(u, CATALOG_LEND, lent);
    u->ask.op.flags = CATALOG_RESERVED;
    u->ask.op.blocks = (uint32_t)(left < CATALOG_EXTENT_BLOCKS ? left : CATALOG_EXTENT_BLOCKS);
    u->ask.op.hint = hint;
    engine_submit(&u->ask);
}

/* The fills as the operation wants them. */
static void name_fills(struct engine_upload *u)
{
    u->ask.op.block = u->blocks;
    u->ask.op.extent = u->extent;
    u->ask.op.extent_count = 0;
    for (unsigned i = 0; i < ENGINE_FILLS; i++) {
        const struct engine_fill *fill = &u->fill[i];
        if (fill->used > 0) {
            u->extent[u->ask.op.extent_count++] = (struct catalog_extent){{fill->lent.start, fill->used}, fill->crc};
        }
    }
}

/* They are the catalog's now, and so is their part of what was reserved. */
static void forget_fills(struct engine_upload *u)
{
    u->reserved -= blocks_so_far(u) - u->blocks;
    u->blocks = blocks_so_far(u);
    for (unsigned i = 0; i < ENGINE_FILLS; i++) {
        u->fill[i].lent = (struct catalog_run){0};
        u->fill[i].used = 0;
    }
    u->fill_at = 0;
}

static void extended(struct engine_op *op)
{
    room_assert_loop();
    struct engine_upload *u = asked(op);

    if (op->op.answer == CATALOG_OK) {
        u->object = op->op.object;
        forget_fills(u);
    } else {
        fail(u, ST_PROTO, op->op.answer);
    }
    advance(u);
}

static void extend(struct engine_upload *u) REQUIRES(LOOP)
{
    ask(u, CATALOG_EXTEND, extended);
    name_fills(u);
    u->ask.op.flags = CATALOG_KEEP | CATALOG_RESERVED;
    u->ask.op.size = blocks_so_far(u) * DISK_BLOCK_BYTES;
    engine_submit(&u->ask);
}

/* Whether a block can be placed; otherwise sees to it that one can be, later. */
static bool has_room(struct engine_upload *u) REQUIRES(LOOP)
{
    if (room(u) > 0) {
        return true;
    }
    if (u->asking || u->failed != ST_OK) {
        return false;
    }
    struct catalog_run last = filling(u)->lent;
    if (last.blocks == 0) {
        lend(u, 0);
    } else if (u->fill_at + 1 < ENGINE_FILLS) {
        u->fill_at++;
        lend(u, last.start + last.blocks);
    } else if (u->io_out == 0) {
        extend(u); /* (3) */
    }
    return false;
}

/* --- bytes ----------------------------------------------------------------------------------------------------------- */

static void io_ended(struct engine_upload *u, status_t status)
{
    ASSERT(u->io_out > 0);
    u->io_out--;
    if (status != ST_OK) {
        fail(u, status, CATALOG_FAILED);
    }
}

static void carry_written(struct engine_io *io, status_t status)
{
    room_assert_loop();
    struct engine_block *block = CONTAINER_OF(io, struct engine_block, io);

    block->busy = false;
    io_ended(block->upload, status);
    advance(block->upload);
}

/* The next block has these bytes: notes its CRC; where it goes. */
static uint64_t place(struct engine_upload *u, const uint8_t *bytes)
{
    struct engine_fill *fill = filling(u);

    ASSERT(fill->used < fill->lent.blocks);
    fill->crc[fill->used] = crc32c_update(0, bytes, DISK_BLOCK_BYTES);
    return fill->lent.start + fill->used++;
}

static void carry_write(struct engine_upload *u) REQUIRES(LOOP)
{
    struct engine_block *carry = &u->carry[u->carry_at];

    ASSERT(!carry->busy && u->carry_used == DISK_BLOCK_BYTES);
    carry->busy = true;
    u->io_out++;
    u->carry_used = 0;
    u->carry_at ^= 1;
    engine_io_set(&carry->io, BLK_WRITE, place(u, carry->bytes), carry_written);
    engine_io_add(&carry->io, carry->bytes, DISK_BLOCK_BYTES);
    engine_io_start(&carry->io);
}

/* Takes bytes from the front of the write into the carry; false: the carry is not free. */
static bool take_into_carry(struct engine_upload *u, struct engine_write *w)
{
    struct engine_block *carry = &u->carry[u->carry_at];
    uint32_t left = DISK_BLOCK_BYTES - u->carry_used;
    uint32_t taken = w->left < left ? w->left : left;

    if (carry->busy) {
        return false;
    }
    memcpy(carry->bytes + u->carry_used, w->bytes, taken);
    u->carry_used += taken;
    w->bytes += taken;
    w->left -= taken;
    return true;
}

static void part_written(struct engine_io *io, status_t status)
{
    room_assert_loop();
    struct engine_write *w = CONTAINER_OF(io, struct engine_write, io);
    struct engine_upload *u = w->upload;

    w->out = false;
    io_ended(u, status);
    if (!w->listed) { /* all its bytes were on their way */
        u->io_out++;  /* until after done() the upload cannot end */
        w->done(w, u->failed);
        u->io_out--;
    }
    advance(u);
}

/* What the carry left, moved down to where a disk takes it (blkdev.h): what was taken is room enough. */
static void align(struct engine_write *w)
{
    uint8_t *down = w->bytes - ((uintptr_t)w->bytes & 3);

    if (down != w->bytes) {
        w->bytes = memmove(down, w->bytes, w->left);
    }
}

/* Whole blocks, as many as go into the run, from where they are. */
static void write_part(struct engine_upload *u, struct engine_write *w) REQUIRES(LOOP)
{
    uint32_t blocks = w->left / DISK_BLOCK_BYTES;

    align(w);
    blocks = blocks < room(u) ? blocks : room(u);
    uint64_t at = place(u, w->bytes);
    for (uint32_t i = 1; i < blocks; i++) {
        (void)place(u, w->bytes + i * DISK_BLOCK_BYTES);
    }
    engine_io_set(&w->io, BLK_WRITE, at, part_written);
    engine_io_add(&w->io, w->bytes, blocks * DISK_BLOCK_BYTES);
    w->bytes += blocks * DISK_BLOCK_BYTES;
    w->left -= blocks * DISK_BLOCK_BYTES;
    w->out = true;
    u->io_out++;
    engine_io_start(&w->io);
}

/* One step of a write that has begun. False: it waits. */
static bool step(struct engine_upload *u, struct engine_write *w) REQUIRES(LOOP)
{
    if (u->carry_used == DISK_BLOCK_BYTES) {
        if (!has_room(u)) {
            return false;
        }
        carry_write(u);
        return true;
    }
    if (u->carry_used > 0 || w->left < DISK_BLOCK_BYTES) {
        return take_into_carry(u, w);
    }
    if (w->out || !has_room(u)) { /* one part at a time */
        return false;
    }
    write_part(u, w);
    return true;
}

/* Before any of its bytes leave. False: there are more than this turn has time for (engine_hash.c). */
static bool begin(struct engine_upload *u, struct engine_write *w) REQUIRES(LOOP)
{
    uint32_t left = w->size - w->hashed;

    if (!w->begun) {
        w->begun = true;
        u->received += w->size;
    }
    if (left == 0) {
        return true;
    }
    uint32_t now = engine_hash_take(u, left);
    sha256_update(&u->hash, w->bytes + w->hashed, now);
    w->hashed += now;
    return now == left;
}

static void leave(struct engine_upload *u, struct engine_write *w)
{
    list_remove(&w->node);
    list_remove(&u->hashing);
    w->listed = false;
}

/* The first write that waits goes on; when all its bytes are on their way it leaves the list. False: it waits. */
static bool write_on(struct engine_upload *u) REQUIRES(LOOP)
{
    struct engine_write *w = CONTAINER_OF(u->waiting.next, struct engine_write, node);

    if (!begin(u, w)) {
        return false;
    }
    while (w->left > 0) {
        if (u->failed != ST_OK || !step(u, w)) {
            return false;
        }
    }
    leave(u, w);
    if (!w->out) { /* all of it is in the carry */
        w->done(w, u->failed);
    }
    return true;
}

/* False: the first has a part on its way. */
static bool refuse_first(struct engine_upload *u, status_t status) REQUIRES(LOOP)
{
    struct engine_write *w = CONTAINER_OF(u->waiting.next, struct engine_write, node);

    if (w->out) {
        return false;
    }
    leave(u, w);
    w->done(w, status);
    return true;
}

static void write_waiting(struct engine_upload *u) REQUIRES(LOOP)
{
    bool going = true;

    while (going && !list_empty(&u->waiting)) {
        if (u->failed != ST_OK || u->closed != NULL) {
            going = refuse_first(u, u->failed != ST_OK ? u->failed : ST_CLOSED);
        } else {
            going = write_on(u) || u->failed != ST_OK;
        }
    }
}

void engine_upload_write(struct engine_upload *u, struct engine_write *w)
{
    uint64_t expected = u->received;

    ASSERT(w->size <= ENGINE_CHUNK_MAX && ((uintptr_t)w->bytes & 3) == 0);
    for (struct list *n = u->waiting.next; n != &u->waiting; n = n->next) {
        struct engine_write *before = CONTAINER_OF(n, struct engine_write, node);
        expected += before->begun ? 0 : before->size;
    }
    if (u->finished != NULL || u->padded || u->closed != NULL || w->size > u->size - expected) {
        w->done(w, ST_RANGE);
        return;
    }
    if (w->offset != ENGINE_NEXT && w->offset != expected) {
        w->done(w, ST_BADARG);
        return;
    }
    w->upload = u;
    w->left = w->size;
    w->begun = w->out = false;
    w->hashed = 0;
    w->listed = true;
    list_push_back(&u->waiting, &w->node);
    advance(u);
}

bool engine_upload_may_go_on(const struct engine_upload *u)
{
    return u->failed == ST_OK && !u->padded && u->received > 0 && list_empty(&u->waiting) && !stays_inside(u);
}

/* --- finish ---------------------------------------------------------------------------------------------------------- */

static bool idle(const struct engine_upload *u)
{
    return u->io_out == 0 && list_empty(&u->waiting) && !u->asking;
}

static void finish_end(struct engine_upload *u, status_t status) REQUIRES(LOOP)
{
    void (*finished)(struct engine_upload * upload, status_t status) = u->finished;
    bool outer = u->advancing;

    u->advancing = true; /* what finished() does must not end the upload under us */
    u->finished = NULL;
    finished(u, status);
    u->advancing = outer;
}

static void committed(struct engine_op *op)
{
    room_assert_loop();
    struct engine_upload *u = asked(op);

    if (op->op.answer == CATALOG_OK) {
        u->committed = true;
        u->object = op->op.object;
        if (op->op.extent_named > 0) {
            forget_fills(u);
        }
    } else {
        fail(u, ST_PROTO, op->op.answer);
    }
    finish_end(u, u->failed);
    advance(u);
}

static void commit(struct engine_upload *u) REQUIRES(LOOP)
{
    sha256_final(&u->hash, u->digest);
    if (u->expects && memcmp(u->digest, u->expected, CATALOG_DIGEST) != 0) {
        fail(u, ST_STALE, CATALOG_OK);
        finish_end(u, u->failed);
        return;
    }
    ask(u, CATALOG_PUT, committed);
    name_fills(u);
    u->ask.op.at = u->name.at;
    u->ask.op.path = u->name.path;
    u->ask.op.time = engine_now();
    u->ask.op.flags = u->name.flags | CATALOG_KEEP | CATALOG_RESERVED;
    u->ask.op.size = u->size;
    u->ask.op.digest = u->digest;
    if (stays_inside(u) && u->size > 0) {
        u->ask.op.bytes = u->carry[u->carry_at].bytes;
        u->ask.op.bytes_size = (uint32_t)u->size;
    }
    engine_submit(&u->ask);
}

/* What is left in the carry goes to the disk, with zeros behind it. False: not yet. */
static bool pad(struct engine_upload *u) REQUIRES(LOOP)
{
    if (!stays_inside(u) && u->carry_used > 0) {
        if (!has_room(u)) {
            return false;
        }
        memset(u->carry[u->carry_at].bytes + u->carry_used, 0, DISK_BLOCK_BYTES - u->carry_used);
        u->carry_used = DISK_BLOCK_BYTES;
        carry_write(u);
    }
    u->padded = true;
    return true;
}

static void advance_finish(struct engine_upload *u) REQUIRES(LOOP)
{
    bool whole = u->failed == ST_OK && u->received == u->size;

    if (whole && !u->padded && !pad(u)) {
        return;
    }
    if (!idle(u)) {
        return;
    }
    if (whole) {
        commit(u);
    } else {
        finish_end(u, u->failed != ST_OK ? u->failed : ST_RANGE);
    }
}

void engine_upload_finish(struct engine_upload *u, void (*finished)(struct engine_upload *upload, status_t status))
{
    if (u->finished != NULL || u->padded || u->closed != NULL) {
        finished(u, ST_BADARG);
        return;
    }
    u->finished = finished;
    advance(u);
}

/* --- close: (5) ------------------------------------------------------------------------------------------------------ */

static void gave_back(struct engine_op *op)
{
    room_assert_loop();
    advance(asked(op)); /* whatever the answer: there is nothing else to do */
}

static bool unlend_one(struct engine_upload *u) REQUIRES(LOOP)
{
    for (unsigned i = 0; i < ENGINE_FILLS; i++) {
        struct engine_fill *fill = &u->fill[i];
        if (fill->lent.blocks > 0) {
            ask(u, CATALOG_UNLEND, gave_back);
            u->ask.op.run = fill->lent;
            fill->lent = (struct catalog_run){0};
            fill->used = 0;
            engine_submit(&u->ask);
            return true;
        }
    }
    return false;
}

/* The next thing that has to be given back is; false: there is none. */
static bool give_back(struct engine_upload *u) REQUIRES(LOOP)
{
    if (unlend_one(u)) {
        return true;
    }
    if (u->reserved > 0) {
        ask(u, CATALOG_UNRESERVE, gave_back);
        u->ask.op.size = u->reserved;
        u->reserved = 0;
    } else if (u->object != 0 && !u->let_go) {
        ask(u, CATALOG_UNHOLD, gave_back);
        u->let_go = true;
    } else if (u->object != 0 && !u->committed) {
        ask(u, CATALOG_FORGET, gave_back);
        u->object = 0;
    } else {
        return false;
    }
    engine_submit(&u->ask);
    return true;
}

void engine_upload_close(struct engine_upload *u, void (*closed)(struct engine_upload *upload))
{
    ASSERT(u->closed == NULL);
    u->closed = closed;
    advance(u);
}

/* Whatever may go on now, goes on. The callbacks that this makes may come back here: the outermost call does it all. */
static void advance(struct engine_upload *u)
{
    if (u->advancing) {
        return;
    }
    u->advancing = true;
    write_waiting(u);
    if (list_empty(&u->waiting) && u->finished != NULL && !u->asking) {
        advance_finish(u);
    }
    u->advancing = false;
    if (idle(u) && u->finished == NULL && u->closed != NULL && !give_back(u)) {
        u->closed(u);
    }
}

void engine_upload_go_on(struct engine_upload *u)
{
    advance(u);
}
