/* SPDX-License-Identifier: MIT OR Apache-2.0
 * blobs_journal.c: makes changes durable, many at a time.
 *
 * One group at a time goes through:   plan -> FLUSH (blob data) -> write the group -> FLUSH -> apply -> answer
 * Ops that come meanwhile wait for the next group. When a half is full, everything that is known is written to the other
 * half as a snapshot of the next generation, and the superblock (both copies) then says which half counts.
 *
 *  (1) Nothing is answered or visible before the second FLUSH of its group.
 *  (2) A group touches a blob and a name once only: an op that meets a touched one waits for the next group, so what a
 *      record means can be planned from the index alone, and replay decides the same.
 *  (3) A failed transfer of the journal ends all writing for good (READ_ONLY): what the disk holds is then unknown.
 */
#define LOG_TAG "store"
#include "blobs_volume.h"
#include "core/assert.h"
#include "core/fmt.h"
#include "core/log.h"
#include "core/loop.h"
#include <string.h>

/* --- transfers --- */

static void request_done(struct blk_request *request, status_t status);

/* Gives what waits to the disk. A callback may come back here: the outermost call does it all, so that a dead disk, where
 * every transfer ends at once, makes a loop and no tower of calls. */
REQUIRES(LOOP)
static void io_advance(struct blobs_volume *v)
{
    if (v->io_advancing) {
        return;
    }
    v->io_advancing = true;
    while (v->io_out < v->disk->depth && !list_empty(&v->io_waiting)) {
        struct blobs_io *io = CONTAINER_OF(list_pop_front(&v->io_waiting), struct blobs_io, request.node);
        status_t s = blkdev_submit(v->disk, &io->request);
        ASSERT(s != ST_BADARG && s != ST_RANGE && s != ST_FULL); /* extents, buffers, depth: ours, and checked */
        if (s == ST_OK) {
            v->io_out++;
        } else {
            io->done(io, ST_IO);
        }
    }
    v->io_advancing = false;
}

static void request_done(struct blk_request *request, status_t status)
{
    room_assert_loop();
    struct blobs_io *io = CONTAINER_OF(request, struct blobs_io, request);
    struct blobs_volume *v = io->volume;
    ASSERT(v->io_out > 0);
    v->io_out--;
    io->done(io, status);
    io_advance(v);
}

void blobs_io_start(struct blobs_io *io)
{
    io->request.done = request_done;
    list_push_back(&io->volume->io_waiting, &io->request.node);
    io_advance(io->volume);
}

void blobs_state_set(struct blobs_volume *v, enum blobs_state state)
{
    v->state = state;
    if (v->changed != NULL) {
        v->changed(v);
    }
}

REQUIRES(LOOP)
static void answer_all(struct list *ops, status_t status)
{
    for (struct list *node = list_pop_front(ops); node != NULL; node = list_pop_front(ops)) {
        struct blobs_op *op = CONTAINER_OF(node, struct blobs_op, node);
        op->done(op, status);
    }
}

REQUIRES(LOOP)
static void journal_failed(struct blobs_volume *v)
{
    v->next = NULL;
    if (v->state == BLOBS_MOUNTED) {
        fmt_text(v->why, sizeof(v->why), "a write to the disk failed; reading goes on, writing needs a restart");
        log_err("%s", v->why);
        blobs_state_set(v, BLOBS_READ_ONLY);
    } else {
        fmt_text(v->why, sizeof(v->why), "a disk that does not read or write; a restart tries again");
        log_err("disk %s is not mounted: found %s", v->disk->name, v->why);
        blobs_state_set(v, BLOBS_FOREIGN);
    }
    answer_all(&v->group, ST_IO);
    answer_all(&v->waiting, ST_IO);
}

static void journal_io_done(struct blobs_io *io, status_t status)
{
    room_assert_loop();
    struct blobs_volume *v = io->volume;
    if (status != ST_OK) {
        journal_failed(v);
        return;
    }
    void (*next)(struct blobs_volume * volume) = v->next;
    v->next = NULL;
    next(v);
}

/* The journal has one transfer at a time; `next` goes on when it succeeded. FLUSH: no sector, no bytes. */
void blobs_transfer(struct blobs_volume *v, enum blk_op op, uint64_t sector, uint32_t bytes,
                    void (*next)(struct blobs_volume *volume))
{
    v->next = next;
    blobs_io_set(&v->io, v, op, sector, journal_io_done);
    if (op != BLK_FLUSH) {
        blobs_io_add(&v->io, v->buffer, bytes);
    }
    blobs_io_start(&v->io);
}

/* --- building sectors --- */

static struct blobs_log_sector *sector_at(struct blobs_volume *v, uint32_t i)
{
    return (struct blobs_log_sector *)(void *)(v->buffer + i * BLOBS_SECTOR);
}

static void group_begin(struct blobs_volume *v)
{
    v->group_sectors = 1;
    memset(v->buffer, 0, BLOBS_SECTOR);
}

/* False: the group is full. */
static bool group_put(struct blobs_volume *v, const struct blobs_record *record)
{
    if (blobs_record_put(sector_at(v, v->group_sectors - 1), record)) {
        return true;
    }
    if (v->group_sectors == BLOBS_GROUP_SECTORS_MAX) {
        return false;
    }
    memset(sector_at(v, v->group_sectors), 0, BLOBS_SECTOR);
    v->group_sectors++;
    return blobs_record_put(sector_at(v, v->group_sectors - 1), record);
}

/* An op makes two records at most (a BIND and the DROP of what it replaces), which one more sector always holds. */
static bool group_has_room(const struct blobs_volume *v)
{
    return v->group_sectors < BLOBS_GROUP_SECTORS_MAX;
}

static void group_add(struct blobs_volume *v, const struct blobs_record *record)
{
    bool fits = group_put(v, record);
    ASSERT(fits);
}

static void group_seal(struct blobs_volume *v)
{
    for (uint32_t i = 0; i < v->group_sectors; i++) {
        struct blobs_log_sector *s = sector_at(v, i);
        s->generation = v->generation;
        s->position = v->position + i;
        s->group = v->group_number;
        s->last = i + 1 == v->group_sectors;
        s->previous = v->chain;
        blobs_log_sector_seal(s, v->superblock.uuid);
        v->chain = s->crc;
    }
}

REQUIRES(LOOP)
static void group_write(struct blobs_volume *v, uint32_t half, void (*next)(struct blobs_volume *volume))
{
    group_seal(v);
    uint64_t sector = blobs_log_block(&v->geometry, half) * BLOBS_SECTORS_PER_BLOCK + v->position;
    blobs_transfer(v, BLK_WRITE, sector, v->group_sectors * BLOBS_SECTOR, next);
}

static void group_advance(struct blobs_volume *v)
{
    v->position = blobs_group_start(&v->geometry, v->position + v->group_sectors);
    v->group_number++;
}

/* --- planning: what an op means now --- */

enum plan { PLAN_RECORD, PLAN_LATER, PLAN_DONE };

static bool group_has_digest(const struct blobs_volume *v, const uint8_t *digest)
{
    for (struct list *n = v->group.next; n != &v->group; n = n->next) {
        const struct blobs_op *op = CONTAINER_OF(n, struct blobs_op, node);
        if (op->record.kind == BLOBS_RECORD_BLOB && memcmp(op->record.digest, digest, BLOBS_DIGEST) == 0) {
            return true;
        }
    }
    return false;
}

static bool group_has_name(const struct blobs_volume *v, const struct blobs_record *r)
{
    for (struct list *n = v->group.next; n != &v->group; n = n->next) {
        const struct blobs_record *o = &CONTAINER_OF(n, struct blobs_op, node)->record;
        if ((o->kind == BLOBS_RECORD_BIND || o->kind == BLOBS_RECORD_UNBIND) && o->name_size == r->name_size &&
            memcmp(o->name, r->name, r->name_size) == 0) {
            return true;
        }
    }
    return false;
}

/* Whether one more would be too many, for the table or for the log. */
static bool blob_is_too_many(const struct blobs_volume *v)
{
    uint64_t blobs = (uint64_t)v->index.blob_count + v->group_blobs;
    uint64_t names = (uint64_t)v->index.name_count + v->group_names;
    return blobs == v->index.blob_max || !blobs_log_holds(&v->geometry, blobs + 1, names);
}

static bool name_is_too_many(const struct blobs_volume *v)
{
    uint64_t blobs = (uint64_t)v->index.blob_count + v->group_blobs;
    uint64_t names = (uint64_t)v->index.name_count + v->group_names;
    return names == v->index.name_max || !blobs_log_holds(&v->geometry, blobs, names + 1);
}

static enum plan plan_blob(struct blobs_volume *v, struct blobs_op *op, status_t *status)
{
    struct blobs_blob *same = blobs_find(&v->index, op->record.digest);
    if (same != NULL && same->touched != v->stamp) {
        op->duplicate = true;
        *status = ST_OK;
        return PLAN_DONE;
    }
    if (same != NULL || group_has_digest(v, op->record.digest)) {
        return PLAN_LATER;
    }
    if (blob_is_too_many(v)) {
        *status = ST_FULL;
        return PLAN_DONE;
    }
    v->group_blobs++;
    group_add(v, &op->record);
    return PLAN_RECORD;
}

/* The name will no longer mean this blob: the last name takes the blob with it. */
static void plan_release(struct blobs_volume *v, struct blobs_op *op, struct blobs_blob *blob)
{
    blob->touched = v->stamp;
    memcpy(op->previous, blob->digest, BLOBS_DIGEST);
    op->had_previous = true;
    if (blob->names == 1) {
        struct blobs_record drop = {.kind = BLOBS_RECORD_DROP};
        memcpy(drop.digest, blob->digest, BLOBS_DIGEST);
        group_add(v, &drop);
    }
}

static enum plan plan_new_name(struct blobs_volume *v, struct blobs_op *op, struct blobs_blob *blob, status_t *status)
{
    if (name_is_too_many(v)) {
        *status = ST_FULL;
        return PLAN_DONE;
    }
    v->group_names++;
    blob->touched = v->stamp;
    group_add(v, &op->record);
    return PLAN_RECORD;
}

static enum plan plan_bind(struct blobs_volume *v, struct blobs_op *op, status_t *status)
{
    struct blobs_blob *blob = blobs_find(&v->index, op->record.digest);
    if (blob == NULL) {
        *status = ST_STALE;
        return group_has_digest(v, op->record.digest) ? PLAN_LATER : PLAN_DONE;
    }
    if (blob->touched == v->stamp || group_has_name(v, &op->record)) {
        return PLAN_LATER;
    }
    struct blobs_name *name = blobs_name_find(&v->index, op->record.name, op->record.name_size);
    if (name == NULL) {
        return plan_new_name(v, op, blob, status);
    }
    struct blobs_blob *before = &v->index.blob[name->blob];
    if (before == blob) {
        memcpy(op->previous, blob->digest, BLOBS_DIGEST);
        op->had_previous = true;
        *status = ST_OK;
        return PLAN_DONE;
    }
    if (before->touched == v->stamp) {
        return PLAN_LATER;
    }
    blob->touched = v->stamp;
    group_add(v, &op->record);
    plan_release(v, op, before);
    return PLAN_RECORD;
}

static enum plan plan_unbind(struct blobs_volume *v, struct blobs_op *op, status_t *status)
{
    if (group_has_name(v, &op->record)) {
        return PLAN_LATER;
    }
    struct blobs_name *name = blobs_name_find(&v->index, op->record.name, op->record.name_size);
    if (name == NULL) {
        *status = ST_STALE;
        return PLAN_DONE;
    }
    struct blobs_blob *blob = &v->index.blob[name->blob];
    if (blob->touched == v->stamp) {
        return PLAN_LATER;
    }
    group_add(v, &op->record);
    plan_release(v, op, blob);
    return PLAN_RECORD;
}

static enum plan plan_drop(struct blobs_volume *v, struct blobs_op *op, status_t *status)
{
    struct blobs_blob *blob = blobs_find(&v->index, op->record.digest);
    if (blob != NULL && blob->touched == v->stamp) {
        return PLAN_LATER;
    }
    if (blob == NULL || blob->names > 0) {
        *status = blob == NULL ? ST_STALE : ST_DENIED;
        return PLAN_DONE;
    }
    blob->touched = v->stamp;
    group_add(v, &op->record);
    return PLAN_RECORD;
}

static enum plan plan(struct blobs_volume *v, struct blobs_op *op, status_t *status)
{
    switch (op->record.kind) {
    case BLOBS_RECORD_BLOB:
        return plan_blob(v, op, status);
    case BLOBS_RECORD_BIND:
        return plan_bind(v, op, status);
    case BLOBS_RECORD_UNBIND:
        return plan_unbind(v, op, status);
    case BLOBS_RECORD_DROP:
        return plan_drop(v, op, status);
    }
    UNREACHABLE();
}

/* Moves ops from `waiting` to `group` while they fit and do not meet each other, and answers those that change nothing.
 * True: the group has blobs, whose data must be durable first. */
REQUIRES(LOOP)
static bool plan_group(struct blobs_volume *v)
{
    v->stamp++;
    v->group_blobs = 0;
    v->group_names = 0;
    group_begin(v);
    bool has_data = false;
    while (!list_empty(&v->waiting) && group_has_room(v)) {
        struct blobs_op *op = CONTAINER_OF(v->waiting.next, struct blobs_op, node);
        status_t status = ST_OK;
        enum plan p = plan(v, op, &status);
        if (p == PLAN_LATER) {
            break;
        }
        list_remove(&op->node);
        if (p == PLAN_DONE) {
            op->done(op, status);
            continue;
        }
        list_push_back(&v->group, &op->node);
        has_data |= op->record.kind == BLOBS_RECORD_BLOB;
    }
    return has_data;
}

/* --- the life of a group --- */

static void group_durable(struct blobs_volume *v)
{
    room_assert_loop();
    uint32_t sectors = v->group_sectors;
    for (uint32_t i = 0; i < sectors; i++) {
        struct blobs_record record;
        uint32_t offset = 0;
        while (blobs_record_next(sector_at(v, i), &offset, &v->geometry, &record) == ST_OK) {
            status_t s = blobs_index_apply(&v->index, &record, false);
            ASSERT(s == ST_OK); /* (2): planned against this very index */
        }
    }
    group_advance(v);
    v->groups_written++;
    struct list done;
    list_init(&done);
    while (!list_empty(&v->group)) {
        list_push_back(&done, list_pop_front(&v->group));
    }
    answer_all(&done, ST_OK);
    blobs_journal_kick(v);
}

static void group_written(struct blobs_volume *v)
{
    room_assert_loop();
    blobs_transfer(v, BLK_FLUSH, 0, 0, group_durable);
}

static void data_durable(struct blobs_volume *v)
{
    room_assert_loop();
    group_write(v, v->superblock.live_half, group_written);
}

/* --- snapshot --- */

static void snapshot_continue(struct blobs_volume *v);

static bool snapshot_put_blob(struct blobs_volume *v, const struct blobs_blob *blob)
{
    if (!blob->used || blob->dropped) {
        return true;
    }
    struct blobs_record r = {.kind = BLOBS_RECORD_BLOB, .size = blob->size, .start = blob->start};
    r.blocks = blobs_extent_blocks(blob->size);
    memcpy(r.digest, blob->digest, BLOBS_DIGEST);
    return group_put(v, &r);
}

static bool snapshot_put_name(struct blobs_volume *v, const struct blobs_name *name)
{
    struct blobs_record r = {.kind = BLOBS_RECORD_BIND, .name_size = name->size};
    memcpy(r.name, name->text, name->size);
    memcpy(r.digest, v->index.blob[name->blob].digest, BLOBS_DIGEST);
    return group_put(v, &r);
}

/* Fills one group from the cursor on: all blobs, then all names, which need them. */
static void snapshot_fill(struct blobs_volume *v)
{
    group_begin(v);
    for (; v->cursor < v->index.blob_max; v->cursor++) {
        if (!snapshot_put_blob(v, &v->index.blob[v->cursor])) {
            return;
        }
    }
    for (; v->cursor < v->index.blob_max + v->index.name_count; v->cursor++) {
        if (!snapshot_put_name(v, &v->index.name[v->cursor - v->index.blob_max])) {
            return;
        }
    }
}

static void snapshot_live(struct blobs_volume *v)
{
    room_assert_loop();
    v->snapshots++;
    blobs_journal_kick(v);
}

static void snapshot_flushed(struct blobs_volume *v)
{
    room_assert_loop();
    v->superblock.generation = v->generation;
    v->superblock.live_half = v->half;
    blobs_superblock_write(v, snapshot_live);
}

static void snapshot_written(struct blobs_volume *v)
{
    room_assert_loop();
    group_advance(v);
    if (v->cursor < v->index.blob_max + v->index.name_count) {
        snapshot_continue(v);
    } else {
        blobs_transfer(v, BLK_FLUSH, 0, 0, snapshot_flushed);
    }
}

static void snapshot_continue(struct blobs_volume *v)
{
    room_assert_loop();
    snapshot_fill(v);
    ASSERT(v->position + v->group_sectors <= v->geometry.log_blocks * BLOBS_SECTORS_PER_BLOCK);
    group_write(v, v->half, snapshot_written);
}

REQUIRES(LOOP)
static void snapshot_begin(struct blobs_volume *v)
{
    v->half = 1 - v->superblock.live_half;
    v->generation = v->superblock.next_generation++;
    v->position = 0;
    v->group_number = 0;
    v->chain = 0;
    v->cursor = 0;
    /* What a snapshot that was cut off left in the half has another generation, so it is never taken for ours. */
    blobs_superblock_write(v, snapshot_continue);
}

/* --- the superblock: both copies, one after the other, so that one of them is always whole --- */

REQUIRES(LOOP)
static void superblock_put(struct blobs_volume *v, void (*next)(struct blobs_volume *volume))
{
    v->superblock.sequence++;
    blobs_superblock_seal(&v->superblock);
    memset(v->buffer, 0, BLOBS_BLOCK);
    memcpy(v->buffer, &v->superblock, sizeof(v->superblock));
    uint64_t block = v->superblock.sequence % BLOBS_SUPERBLOCKS;
    blobs_transfer(v, BLK_WRITE, block * BLOBS_SECTORS_PER_BLOCK, BLOBS_BLOCK, next);
}

static void superblock_second_written(struct blobs_volume *v)
{
    room_assert_loop();
    blobs_transfer(v, BLK_FLUSH, 0, 0, v->after_superblock);
}

static void superblock_first_durable(struct blobs_volume *v)
{
    room_assert_loop();
    superblock_put(v, superblock_second_written);
}

static void superblock_first_written(struct blobs_volume *v)
{
    room_assert_loop();
    blobs_transfer(v, BLK_FLUSH, 0, 0, superblock_first_durable);
}

void blobs_superblock_write(struct blobs_volume *v, void (*next)(struct blobs_volume *volume))
{
    v->after_superblock = next;
    superblock_put(v, superblock_first_written);
}

/* --- the door --- */

void blobs_journal_kick(struct blobs_volume *v)
{
    while (v->next == NULL && !v->planning && v->state == BLOBS_MOUNTED && !list_empty(&v->waiting)) {
        if (v->position + BLOBS_GROUP_SECTORS_MAX > v->geometry.log_blocks * BLOBS_SECTORS_PER_BLOCK) {
            snapshot_begin(v);
            return;
        }
        v->planning = true; /* done() of an op may come back here */
        bool has_data = plan_group(v);
        v->planning = false;
        if (list_empty(&v->group)) {
            continue; /* everything was answered without a record */
        }
        if (has_data) {
            blobs_transfer(v, BLK_FLUSH, 0, 0, data_durable);
        } else {
            data_durable(v);
        }
    }
}

void blobs_op_submit(struct blobs_volume *v, struct blobs_op *op)
{
    op->had_previous = false;
    op->duplicate = false;
    list_init(&op->node);
    if (v->state != BLOBS_MOUNTED) {
        op->done(op, v->state == BLOBS_READ_ONLY ? ST_IO : ST_AGAIN);
        return;
    }
    list_push_back(&v->waiting, &op->node);
    blobs_journal_kick(v);
}
