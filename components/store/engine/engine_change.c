/* SPDX-License-Identifier: MIT OR Apache-2.0
 * engine_change.c: writes, appends and truncations of files, one after the other in each file.
 *
 *  (1) Nothing is written in place. A change asks what the file is (SPAN), reads what stays of the blocks that it covers in part,
 *      is lent room for all blocks that it covers, writes them, and ends as one operation (WRITE, TRUNCATE) for the object that it
 *      began with (CATALOG_EXPECT). If the file got other content meanwhile, it begins anew.
 *  (2) A file of at most ENGINE_INSIDE_MAX bytes is given to the catalog as bytes. One that grows out of that brings what was
 *      inside along as block 0; when the change itself does not cover block 0, by a change of its own before it.
 *  (3) Whole blocks go to the disk from where they are; what is covered in part is put together in `buffer`, and so is everything
 *      when it does not stand as a disk wants it (blkdev.h).
 *  (4) Bytes of the last block behind the file's size are zero.
 */
#include <string.h>
#include "config.h"
#include "core/assert.h"
#include "core/mem.h"
#include "engine.h"
#include "lib/crc32c/crc32c.h"

#define BLOCK DISK_BLOCK_BYTES
#define BLOCKS_MAX (ENGINE_CHUNK_MAX / BLOCK + 1)
#define TRIES_MAX 16u
_Static_assert(BLOCKS_MAX <= CATALOG_EXTENTS_MAX, "each in a place of its own");

struct block_io {
    struct engine_io io;
    struct engine_work *on;
};

/* The change that is under way in one file, and its memory. */
struct engine_work {
    struct engine_file *file;
    struct engine_change *change;
    uint8_t *buffer;           /* [I] BLOCKS_MAX blocks; (3) */
    struct catalog_span *span; /* [I] what the file is */
    struct engine_op ask;
    struct engine_read read[2];
    struct block_io io[BLOCKS_MAX];
    uint32_t crc[BLOCKS_MAX];
    struct catalog_extent extent[BLOCKS_MAX]; /* of which `runs` are lent */
    uint32_t runs, lent;                      /* runs; blocks in them */
    uint64_t first;                           /* the block that it begins with */
    uint32_t blocks;
    uint32_t direct; /* blocks that are written from change->bytes */
    uint64_t size;   /* the file's afterwards */
    bool inside;     /* afterwards */
    bool growing;    /* it only brings out what was inside: (2) */
    uint32_t out;    /* reads or writes */
    uint32_t tries;
    uint64_t charged; /* to the quota */
    enum catalog_answer failed;
    struct list node; /* free */
};

static struct {
    struct list free;   /* of work_on */
    struct list hungry; /* files that wait for one */
} self;

static void look(struct engine_work *w) REQUIRES(LOOP);
static void next_change(struct engine_file *file) REQUIRES(LOOP);

static uint64_t block_of(uint64_t at)
{
    return at / BLOCK;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static void ask(struct engine_work *w, struct catalog_op op, void (*done)(struct engine_op *op)) REQUIRES(LOOP)
{
    w->ask = (struct engine_op){.op = op, .done = done};
    engine_submit(&w->ask);
}

static struct engine_work *asked(struct engine_op *op)
{
    return CONTAINER_OF(op, struct engine_work, ask);
}

/* --- the end --------------------------------------------------------------------------------------------------------- */

static void end(struct engine_work *w, enum catalog_answer answer, bool quota) REQUIRES(LOOP)
{
    struct engine_file *file = w->file;
    struct engine_change *change = w->change;

    list_push_back(&self.free, &w->node);
    struct list *hungry = list_pop_front(&self.hungry);
    if (hungry != NULL) {
        struct engine_file *other = CONTAINER_OF(hungry, struct engine_file, hungry);
        other->changing = false;
        next_change(other);
    }
    file->changing = false;
    next_change(file);
    change->done(change, answer, quota); /* last: with it the file may be closed */
}

static void unlend(struct engine_work *w) REQUIRES(LOOP);

static void given_back(struct engine_op *op)
{
    room_assert_loop();
    unlend(asked(op)); /* whatever the answer: there is nothing else to do */
}

/* Gives back what was lent, one run after the other; then it is over, or begins anew: (1). */
static void unlend(struct engine_work *w)
{
    if (w->runs > 0) {
        ask(w, (struct catalog_op){.kind = CATALOG_UNLEND, .run = w->extent[--w->runs].run}, given_back);
        return;
    }
    engine_quota_give(w->file->quota, w->charged);
    w->charged = 0;
    if (w->failed == CATALOG_CONFLICT && ++w->tries < TRIES_MAX) {
        look(w);
    } else {
        end(w, w->failed, false);
    }
}

static void fail(struct engine_work *w, enum catalog_answer answer) REQUIRES(LOOP)
{
    w->failed = answer;
    unlend(w);
}

/* --- the operation --------------------------------------------------------------------------------------------------- */

static void changed(struct engine_op *op)
{
    room_assert_loop();
    struct engine_work *w = asked(op);
    uint64_t before = w->span->size;

    if (op->op.answer != CATALOG_OK) {
        fail(w, op->op.answer);
        return;
    }
    w->runs = 0; /* they are the catalog's now */
    if (w->growing) {
        look(w); /* what it was to make room for */
        return;
    }
    w->file->changed = true;
    engine_file_changed(w->file->id);
    if (w->size < before) {
        engine_quota_give(w->file->quota, before - w->size);
    }
    end(w, CATALOG_OK, false);
}

static void commit(struct engine_work *w) REQUIRES(LOOP)
{
    bool cut = w->change->kind == ENGINE_CHANGE_TRUNCATE && !w->growing;

    ask(w,
        (struct catalog_op){.kind = cut ? CATALOG_TRUNCATE : CATALOG_WRITE,
                            .flags = CATALOG_EXPECT,
                            .id = w->file->id,
                            .object = w->span->object,
                            .size = w->size,
                            .block = w->first,
                            .extent = w->extent,
                            .extent_count = w->inside ? 0 : w->runs,
                            .bytes = w->inside && w->size > 0 ? w->buffer : NULL,
                            .bytes_size = w->inside ? (uint32_t)w->size : 0,
                            .time = engine_now()},
        changed);
}

/* --- writing --------------------------------------------------------------------------------------------------------- */

static void written(struct engine_io *io, status_t status)
{
    room_assert_loop();
    struct engine_work *w = CONTAINER_OF(io, struct block_io, io)->on;

    if (status != ST_OK) {
        w->failed = CATALOG_FAILED;
    }
    if (--w->out > 0) {
        return;
    }
    if (w->failed != CATALOG_OK) {
        unlend(w);
    } else {
        commit(w);
    }
}

static uint8_t *bytes_of(struct engine_work *w, uint32_t block)
{
    /* Readers see a message as constant, but its memory is the server's until the return (object.h). */
    return block < w->direct ? (uint8_t *)(uintptr_t)w->change->bytes + block * BLOCK : w->buffer + block * BLOCK;
}

/* The blocks of one run: those from the message, and those from the buffer. */
static void write_run(struct engine_work *w, uint32_t run, uint32_t from) REQUIRES(LOOP)
{
    struct engine_io *io = &w->io[run].io;
    uint32_t blocks = w->extent[run].run.blocks;
    uint32_t direct = from < w->direct ? (uint32_t)least(w->direct - from, blocks) : 0;

    w->extent[run].crc = w->crc + from;
    engine_io_set(io, BLK_WRITE, w->extent[run].run.start, written);
    if (direct > 0) {
        engine_io_add(io, bytes_of(w, from), direct * BLOCK);
    }
    if (blocks > direct) {
        engine_io_add(io, bytes_of(w, from + direct), (blocks - direct) * BLOCK);
    }
    engine_io_start(io);
}

static void write_all(struct engine_work *w) REQUIRES(LOOP)
{
    uint32_t from = 0;

    for (uint32_t i = 0; i < w->blocks; i++) {
        w->crc[i] = crc32c_update(0, bytes_of(w, i), BLOCK);
    }
    w->out = w->runs + 1; /* one for this loop: an end may come from inside */
    for (uint32_t run = 0; run < w->runs; run++) {
        uint32_t blocks = w->extent[run].run.blocks;
        write_run(w, run, from);
        from += blocks;
    }
    written(&w->io[0].io, ST_OK);
}

static void lent(struct engine_op *op);

static void lend(struct engine_work *w) REQUIRES(LOOP)
{
    const struct catalog_run *last = w->runs > 0 ? &w->extent[w->runs - 1].run : NULL;

    if (w->lent == w->blocks) {
        write_all(w);
        return;
    }
    ask(w,
        (struct catalog_op){
            .kind = CATALOG_LEND, .blocks = w->blocks - w->lent, .hint = last != NULL ? last->start + last->blocks : 0},
        lent);
}

static void lent(struct engine_op *op)
{
    room_assert_loop();
    struct engine_work *w = asked(op);

    if (op->op.answer != CATALOG_OK) {
        fail(w, op->op.answer);
        return;
    }
    w->extent[w->runs++].run = op->op.run;
    w->lent += op->op.run.blocks;
    lend(w);
}

/* --- what stays ------------------------------------------------------------------------------------------------------ */

/* The change's own bytes, over what was read. */
static void compose(struct engine_work *w) REQUIRES(LOOP)
{
    const struct engine_change *change = w->change;
    uint64_t done = (uint64_t)w->direct * BLOCK;

    if (change->bytes != NULL && !w->growing && change->size > done) {
        memcpy(w->buffer + (change->offset + done - w->first * BLOCK), change->bytes + done, change->size - done);
    }
    if (w->inside || w->blocks == 0) {
        commit(w);
    } else {
        lend(w);
    }
}

/* One read has ended, or what starts them. */
static void kept(struct engine_work *w) REQUIRES(LOOP)
{
    if (--w->out == 0 && w->failed != CATALOG_OK) {
        unlend(w);
    } else if (w->out == 0) {
        compose(w);
    }
}

static void read_done(struct engine_read *read, enum catalog_answer answer)
{
    room_assert_loop();
    struct engine_work *w = CONTAINER_OF(read->source, struct engine_file, source)->under_way;

    if (answer != CATALOG_OK) {
        w->failed = answer;
    } else if (read->object != w->span->object) {
        w->failed = CATALOG_CONFLICT; /* what was read is of another content than what is asked to change */
    }
    kept(w);
}

/* What the file has of this block before `end`, into the buffer. */
static void keep(struct engine_work *w, struct engine_read *read, uint64_t block, uint64_t end) REQUIRES(LOOP)
{
    uint64_t at = block * BLOCK;

    end = least(end, least(w->span->size, at + BLOCK));
    if (end <= at) {
        return;
    }
    w->out++;
    read->offset = at;
    read->size = (uint32_t)(end - at);
    read->bytes = w->buffer + (block - w->first) * BLOCK;
    read->place = NULL;
    read->done = read_done;
    engine_source_read(&w->file->source, read);
}

/* Reads what stays of the first and the last block; `cut`: nothing stays from there on. */
static void keep_ends(struct engine_work *w, uint64_t cut) REQUIRES(LOOP)
{
    uint64_t from = w->change->offset;
    uint64_t to = from + w->change->size;
    uint64_t last = w->first + (w->blocks > 0 ? w->blocks - 1 : 0);
    bool whole = w->change->bytes != NULL && !w->growing;
    bool head = !whole || from % BLOCK != 0 || (last == w->first && to % BLOCK != 0);

    w->out = 1; /* for this function: an end may come from inside */
    if (w->blocks > 0 && head) {
        keep(w, &w->read[0], w->first, cut);
    }
    if (whole && last != w->first && to % BLOCK != 0) {
        keep(w, &w->read[1], last, cut);
    }
    kept(w);
}

/* --- the shape ------------------------------------------------------------------------------------------------------- */

/* The file's new size; what it brings to the quota. False: the quota has no room. */
static bool charge(struct engine_work *w, uint64_t size)
{
    uint64_t before = w->span->size;
    uint64_t more = size > before ? size - before : 0;

    w->size = size;
    if (!engine_quota_take(w->file->quota, more)) {
        return false;
    }
    w->charged = more;
    return true;
}

static void zero_ends(struct engine_work *w)
{
    if (w->blocks > 0) {
        memset(w->buffer, 0, BLOCK);
        memset(w->buffer + (w->blocks - 1) * BLOCK, 0, BLOCK);
    }
}

/* All of the file is one block, and stands in the catalog. */
static void shape_inside(struct engine_work *w) REQUIRES(LOOP)
{
    w->inside = true;
    w->first = 0;
    w->blocks = 1;
    zero_ends(w);
    keep_ends(w, w->size);
}

/* What was inside becomes block 0: (2). */
static void shape_growing(struct engine_work *w) REQUIRES(LOOP)
{
    engine_quota_give(w->file->quota, w->charged);
    w->charged = 0;
    w->growing = true;
    w->first = 0;
    w->blocks = 1;
    w->size = w->span->size;
    zero_ends(w);
    keep_ends(w, w->size);
}

static void shape_cut(struct engine_work *w) REQUIRES(LOOP)
{
    bool part = w->size < w->span->size && w->size % BLOCK != 0;
    bool was_inside = w->span->inside && w->span->size > 0;

    w->first = was_inside ? 0 : block_of(w->size);
    w->blocks = part || was_inside ? 1 : 0;
    zero_ends(w);
    keep_ends(w, w->size);
}

static void shape_write(struct engine_work *w) REQUIRES(LOOP)
{
    const struct engine_change *change = w->change;
    bool aligned = change->offset % BLOCK == 0 && ((uintptr_t)change->bytes & 3) == 0;

    w->first = block_of(change->offset);
    w->blocks = (uint32_t)(block_of(change->offset + change->size - 1) - w->first + 1);
    w->direct = aligned ? (uint32_t)(change->size / BLOCK) : 0;
    zero_ends(w);
    keep_ends(w, UINT64_MAX);
}

static void shape(struct engine_work *w) REQUIRES(LOOP)
{
    struct engine_change *change = w->change;
    bool cut = change->kind == ENGINE_CHANGE_TRUNCATE;
    uint64_t old = w->span->size;

    if (change->kind == ENGINE_CHANGE_APPEND) {
        change->offset = old;
    }
    uint64_t size = cut ? change->size : change->offset + change->size > old ? change->offset + change->size : old;
    if (size > ENGINE_FILE_MAX) {
        fail(w, CATALOG_FULL);
    } else if (!cut && change->size == 0) {
        end(w, CATALOG_OK, false);
    } else if (!charge(w, size)) {
        end(w, CATALOG_OK, true);
    } else if (size <= ENGINE_INSIDE_MAX) {
        shape_inside(w);
    } else if (cut) {
        shape_cut(w);
    } else if (w->span->inside && old > 0 && block_of(change->offset) > 0) {
        shape_growing(w);
    } else {
        shape_write(w);
    }
}

static void looked(struct engine_op *op)
{
    room_assert_loop();
    struct engine_work *w = asked(op);

    if (op->op.answer != CATALOG_OK) {
        fail(w, op->op.answer);
        return;
    }
    shape(w);
}

static void look(struct engine_work *w)
{
    w->failed = CATALOG_OK;
    w->runs = w->lent = w->direct = w->blocks = 0;
    w->inside = w->growing = false;
    ask(w, (struct catalog_op){.kind = CATALOG_SPAN, .id = w->file->id, .span = w->span}, looked);
}

/* --- the queue ------------------------------------------------------------------------------------------------------- */

/* Takes those from the front that only wait for the ones before them. */
static void take_syncs(struct engine_file *file, struct list *syncs)
{
    list_init(syncs);
    while (!list_empty(&file->waiting)) {
        struct engine_change *change = CONTAINER_OF(file->waiting.next, struct engine_change, node);
        if (change->kind != ENGINE_CHANGE_SYNC) {
            break;
        }
        list_remove(&change->node);
        list_push_back(syncs, &change->node);
    }
}

/* The next one begins, if there is memory for it. */
static void begin(struct engine_file *file) REQUIRES(LOOP)
{
    file->changing = true;
    struct list *free = list_pop_front(&self.free);
    if (free == NULL) {
        list_push_back(&self.hungry, &file->hungry);
        return;
    }
    struct engine_work *w = CONTAINER_OF(free, struct engine_work, node);
    w->file = file;
    w->change = CONTAINER_OF(list_pop_front(&file->waiting), struct engine_change, node);
    w->charged = 0;
    w->tries = 0;
    file->under_way = w;
    look(w);
}

static void next_change(struct engine_file *file)
{
    struct list syncs;

    if (file->changing) {
        return;
    }
    take_syncs(file, &syncs);
    if (!list_empty(&file->waiting)) {
        begin(file);
    }
    for (struct list *n = list_pop_front(&syncs); n != NULL; n = list_pop_front(&syncs)) {
        struct engine_change *change = CONTAINER_OF(n, struct engine_change, node);
        change->done(change, CATALOG_OK, false); /* with it the file may be closed */
    }
}

void engine_change_submit(struct engine_file *file, struct engine_change *change)
{
    list_push_back(&file->waiting, &change->node);
    next_change(file);
}

void engine_change_init(void)
{
    struct engine_work *all = boot_alloc(ENGINE_FILE_WRITES_MAX * sizeof *all, 16);

    list_init(&self.free);
    list_init(&self.hungry);
    for (int i = 0; i < ENGINE_FILE_WRITES_MAX; i++) {
        all[i].buffer = boot_alloc(BLOCKS_MAX * BLOCK, BLOCK);
        all[i].span = boot_alloc(sizeof *all[i].span, 16);
        engine_read_init(&all[i].read[0]);
        engine_read_init(&all[i].read[1]);
        for (unsigned k = 0; k < BLOCKS_MAX; k++) {
            all[i].io[k].on = &all[i];
        }
        list_push_back(&self.free, &all[i].node);
    }
}
