/* SPDX-License-Identifier: MIT OR Apache-2.0
 * volume.c: the superblock: what it may say, format, mount, commit, growth.
 *
 *  (1) The two copies stand in blocks SUPER_A and SUPER_B. A commit writes A, FLUSHes, and writes B, which is durable with the
 *      next FLUSH of anything: so at every moment one copy is whole, and most of the time both. The log begins anew when both are:
 *      so either copy, with the log, is all that was acknowledged, also when the newer one cannot be read.
 *  (2) The order of parts on the disk is: superblocks, log, index blocks, runs, data. Each begins where the one before it ends, or
 *      later.
 *  (3) After a reset without a loss of power the disk may hold writes of before in its cache, and gives them out when it is
 *      read. So a mount FLUSHes first: what it reads and builds upon is there after a cut too.
 *  (4) A cut of a format leaves what was there before, or the mark of a blank disk, at which the next boot makes the volume: the
 *      mark stands in A until the new volume is whole by B.
 */
#include "lib/volume/volume.h"
#include <string.h>
#include "core/assert.h"
#include "lib/crc32c/crc32c.h"
#include "volume_private.h"
#define LOG_TAG "volume"
#include "core/log.h"

#define SUPER_A 0u
#define SUPER_B 16u
#define FIRST_BLOCK 17u
#define RUN_UNIT (VOLUME_LEAF_PAGES + 2u) /* blocks of a leaf's pages and its two homes */
#define META_PART 8u
#define META_MIN 2600u /* blocks: superblocks, indexes, and a database of some MiB */
#define LOG_PART 64u
#define LOG_LEAST 256u
#define HEALTHY_BYTES (DISK_BLOCK_BYTES - sizeof(uint32_t))

status_t volume_fail(struct volume *volume, status_t status)
{
    if (status != ST_OK && volume->failed == ST_OK) {
        volume->failed = status;
        log_err("%s: no more is written to this volume before it is mounted again", status_name(status));
    }
    return status;
}

/* --- what a superblock may say --------------------------------------------------------------------------------------- */

static uint32_t super_crc(const struct volume_super *super)
{
    return crc32c_update(0, super, HEALTHY_BYTES);
}

/* Whether [start, start + count) lies behind `*end` and within the volume; moves `*end` behind it. */
static bool part_ok(const struct volume_super *super, uint64_t start, uint64_t count, uint64_t *end)
{
    if (start < *end || start > super->blocks || count > super->blocks - start) {
        return false;
    }
    *end = start + count;
    return true;
}

static bool runs_ok(const struct volume_super *super, uint64_t *end)
{
    uint64_t pages = 0;

    if (super->run_count > VOLUME_RUNS_MAX) {
        return false;
    }
    for (uint64_t i = 0; i < super->run_count; i++) {
        uint64_t units = super->run[i].pages / VOLUME_LEAF_PAGES;
        if (super->run[i].pages % VOLUME_LEAF_PAGES != 0 || units == 0 || units > LEAVES_MAX ||
            !part_ok(super, super->run[i].start, units * RUN_UNIT, end)) {
            return false;
        }
        pages += super->run[i].pages;
    }
    return super->page_count <= pages && pages <= super->index_count * VOLUME_INDEX_LEAVES * VOLUME_LEAF_PAGES;
}

/* All that the rest of the code relies on. The CRC was right: what is wrong here was written so. */
static bool super_ok(const struct volume_super *super, uint64_t disk_blocks)
{
    uint64_t end = FIRST_BLOCK;

    if (super->block_bytes != DISK_BLOCK_BYTES || super->blocks > disk_blocks || super->data_start != super->blocks ||
        super->data_blocks > disk_blocks - super->blocks || super->generation == 0 ||
        super->log_blocks < VOLUME_LOG_BLOCKS_MIN || super->index_count == 0 || super->index_count > VOLUME_INDEX_MAX) {
        return false;
    }
    if (!part_ok(super, super->log_start, super->log_blocks, &end) ||
        !part_ok(super, super->index_start, 2 * super->index_count, &end) || !runs_ok(super, &end) ||
        super->free_start < end || super->free_start > super->blocks) {
        return false;
    }
    for (uint64_t i = 0; i < super->index_count; i++) {
        if (super->index[i].home > 2) {
            return false;
        }
    }
    return true;
}

static bool all_zero(const void *bytes, size_t size)
{
    const unsigned char *at = bytes;

    for (size_t i = 0; i < size; i++) {
        if (at[i] != 0) {
            return false;
        }
    }
    return true;
}

/* ST_OK: a superblock that may be believed. ST_STALE, ST_UNSUPPORTED, ST_PROTO: as volume_mount says. */
static status_t super_check(const struct volume_super *super, uint64_t disk_blocks)
{
    if (super->magic != VOLUME_MAGIC) {
        return all_zero(super, sizeof *super) ? ST_STALE : ST_UNSUPPORTED;
    }
    if (super->crc != super_crc(super)) {
        return ST_PROTO;
    }
    if (super->version != VOLUME_VERSION) {
        return ST_UNSUPPORTED;
    }
    return super_ok(super, disk_blocks) ? ST_OK : ST_PROTO;
}

/* --- mount ----------------------------------------------------------------------------------------------------------- */

/* Of two answers that are no success, the one that says more: the disk failed, damaged, foreign, blank. */
static status_t worse(status_t a, status_t b)
{
    static const status_t order[] = {ST_STALE, ST_UNSUPPORTED, ST_PROTO};
    unsigned rank_a = 0;
    unsigned rank_b = 0;

    while (rank_a < 3 && order[rank_a] != a) {
        rank_a++;
    }
    while (rank_b < 3 && order[rank_b] != b) {
        rank_b++;
    }
    return rank_a >= rank_b ? a : b;
}

status_t volume_flush(struct volume *volume)
{
    status_t s = disk_flush(volume->io);

    volume->super_loose = volume->super_loose && s != ST_OK;
    return s;
}

static status_t write_and_flush(struct volume *volume, uint64_t block, const void *bytes) REQUIRES(THREAD)
{
    status_t s = disk_write(volume->io, block, bytes);

    return s == ST_OK ? volume_flush(volume) : s;
}

uint64_t volume_super_block(unsigned copy)
{
    ASSERT(copy < VOLUME_COPIES);
    return copy == 0 ? SUPER_A : SUPER_B;
}

status_t volume_super_read(struct disk_io *io, unsigned copy, struct volume_super *super)
{
    status_t s = disk_read(io, volume_super_block(copy), 1, super);

    return s == ST_OK ? super_check(super, io->blocks) : s;
}

/* The better copy into volume->super. */
static status_t super_choose(struct volume *volume) REQUIRES(THREAD)
{
    struct volume_super *other = (struct volume_super *)(void *)volume->log_window; /* room that is free now */
    status_t a = volume_super_read(volume->io, 0, &volume->super);
    status_t b = volume_super_read(volume->io, 1, other);

    if (a != ST_OK && b != ST_OK) {
        return worse(a, b);
    }
    if (a != ST_OK || b != ST_OK) {
        log_warn("superblock %c: %s; the other one is used", a != ST_OK ? 'A' : 'B', status_name(a != ST_OK ? a : b));
    }
    if (a != ST_OK || (b == ST_OK && other->generation > volume->super.generation)) {
        /* A may say more, and could not be read: the next commit would write over what only A names. So A is what B is first. */
        volume->super = *other;
        return write_and_flush(volume, SUPER_A, &volume->super);
    }
    /* The next commit writes A: B has to be whole before that, and is by the FLUSH that comes first there. */
    bool same = b == ST_OK && other->generation == volume->super.generation;
    volume->super_loose = !same;
    return same ? ST_OK : disk_write(volume->io, SUPER_B, &volume->super);
}

status_t volume_mount(struct volume *volume)
{
    volume_map_forget(volume);
    volume_log_forget(volume);
    volume->changed = volume->super_loose = false;
    volume->failed = ST_OK;
    status_t s = disk_flush(volume->io); /* (3) */
    if (s == ST_OK) {
        s = super_choose(volume);
    }
    if (s == ST_OK && volume->super.log_blocks > volume->log_room) {
        s = ST_NOMEM;
    }
    if (s != ST_OK) {
        memset(&volume->super, 0, sizeof volume->super);
        volume->failed = s;
        log_err("no volume is mounted: %s", s == ST_STALE         ? "the disk is blank"
                                            : s == ST_UNSUPPORTED ? "the disk holds something else"
                                            : s == ST_PROTO       ? "both superblocks are damaged"
                                                                  : status_name(s));
    }
    return s;
}

/* --- commit ---------------------------------------------------------------------------------------------------------- */

static status_t super_write(struct volume *volume, uint64_t first, uint64_t second) REQUIRES(THREAD)
{
    struct volume_super *super = &volume->super;

    super->generation++;
    super->crc = super_crc(super);
    status_t s = write_and_flush(volume, first, super);
    volume->super_loose = true;
    return s == ST_OK ? disk_write(volume->io, second, super) : s;
}

status_t volume_commit(struct volume *volume)
{
    if (volume->failed != ST_OK) {
        return volume->failed;
    }
    if (!volume->changed) {
        return volume_fail(volume, volume_flush(volume));
    }
    status_t s = volume_map_write(volume);
    if (s == ST_OK) {
        s = volume_flush(volume); /* pages and map, and the last commit's B */
    }
    if (s == ST_OK) {
        s = super_write(volume, SUPER_A, SUPER_B); /* (1) */
    }
    if (s == ST_OK) {
        volume_map_committed(volume);
        volume->changed = false;
        volume->count.commits++;
    }
    return volume_fail(volume, s);
}

status_t volume_data_sync(struct volume *volume)
{
    return volume->failed != ST_OK ? volume->failed : volume_fail(volume, volume_flush(volume));
}

/* --- format ---------------------------------------------------------------------------------------------------------- */

struct volume_shape volume_shape(uint64_t disk_blocks, uint64_t log_most)
{
    uint64_t log = disk_blocks / LOG_PART > LOG_LEAST ? disk_blocks / LOG_PART : LOG_LEAST;

    log = log < log_most ? log : log_most;
    uint64_t least = META_MIN + log;
    uint64_t meta = disk_blocks / META_PART > least ? disk_blocks / META_PART : least;
    return (struct volume_shape){log, disk_blocks > meta ? disk_blocks - meta : 0};
}

static uint64_t index_count_for(uint64_t blocks)
{
    uint64_t count = blocks / ((uint64_t)VOLUME_LEAF_PAGES * VOLUME_INDEX_LEAVES) + 1;

    return count < VOLUME_INDEX_MAX ? count : VOLUME_INDEX_MAX;
}

static void super_lay_out(struct volume_super *super, uint64_t blocks, const uint8_t uuid[16], uint64_t log_blocks,
                          uint64_t data_blocks)
{
    *super = (struct volume_super){.magic = VOLUME_MAGIC,
                                   .version = VOLUME_VERSION,
                                   .block_bytes = DISK_BLOCK_BYTES,
                                   .blocks = blocks,
                                   .log_start = FIRST_BLOCK,
                                   .log_blocks = log_blocks,
                                   .index_start = FIRST_BLOCK + log_blocks,
                                   .index_count = index_count_for(blocks),
                                   .data_start = blocks,
                                   .data_blocks = data_blocks};
    super->free_start = super->index_start + 2 * super->index_count;
    memcpy(super->uuid, uuid, sizeof super->uuid);
}

status_t volume_blank(struct disk_io *io, void *block, bool *blank)
{
    status_t s = disk_read(io, SUPER_A, 1, block);

    *blank = s == ST_OK && memcmp(block, VOLUME_BLANK_MARK, sizeof VOLUME_BLANK_MARK - 1) == 0;
    return s;
}

/* (4): the first FLUSH makes B whole, if there is a volume, whose A may be torn then, and a mark that is there durable. One that
 * cannot be read may be there: to write it again harms nothing. Without B nobody finds a volume whose log is gone. */
static status_t mark_blank(struct volume *volume) REQUIRES(THREAD)
{
    bool blank = false;
    status_t s;

    status_ignore(volume_blank(volume->io, volume->log_tail, &blank), "then it is written");
    s = disk_flush(volume->io);
    memset(volume->log_tail, 0, DISK_BLOCK_BYTES);
    memcpy(volume->log_tail, VOLUME_BLANK_MARK, sizeof VOLUME_BLANK_MARK - 1);
    if (s == ST_OK && !blank) {
        s = write_and_flush(volume, SUPER_A, volume->log_tail);
    }
    memset(volume->log_tail, 0, DISK_BLOCK_BYTES);
    return s == ST_OK ? write_and_flush(volume, SUPER_B, volume->log_tail) : s;
}

/* A log of before would be replayed into the new volume, so it is gone before that can be found. */
static status_t wipe_log(struct volume *volume) REQUIRES(THREAD)
{
    memset(volume->log_tail, 0, DISK_BLOCK_BYTES);
    return write_and_flush(volume, volume->super.log_start, volume->log_tail);
}

status_t volume_format(struct volume *volume, const uint8_t uuid[16], uint64_t log_blocks, uint64_t data_blocks)
{
    uint64_t all = volume->io->blocks;
    uint64_t blocks = data_blocks < all ? all - data_blocks : 0;
    uint64_t least = FIRST_BLOCK + log_blocks + 2 * index_count_for(blocks) + RUN_UNIT;

    if (log_blocks > volume->log_room) {
        return ST_NOMEM;
    }
    if (log_blocks < VOLUME_LOG_BLOCKS_MIN || blocks < least) {
        return ST_FULL;
    }
    volume_map_forget(volume);
    volume_log_forget(volume);
    volume->failed = ST_OK;
    super_lay_out(&volume->super, blocks, uuid, log_blocks, data_blocks);
    status_t s = mark_blank(volume);
    if (s == ST_OK) {
        s = wipe_log(volume);
    }
    if (s == ST_OK) {
        s = super_write(volume, SUPER_B, SUPER_A);
    }
    if (s == ST_OK) {
        s = disk_flush(volume->io);
    }
    volume->changed = false;
    return volume_fail(volume, s);
}

/* --- growth ---------------------------------------------------------------------------------------------------------- */

static uint64_t pages_of(const struct volume_super *super)
{
    uint64_t pages = 0;

    for (uint64_t i = 0; i < super->run_count; i++) {
        pages += super->run[i].pages;
    }
    return pages;
}

/* As much as there is, in units, so that the database doubles; 0: nothing goes. */
static uint64_t next_run_units(const struct volume_super *super, uint64_t pages, uint64_t free_start)
{
    uint64_t units = pages == 0 ? 1 : pages / VOLUME_LEAF_PAGES;
    uint64_t room = (super->blocks - free_start) / RUN_UNIT;
    uint64_t left = super->index_count * VOLUME_INDEX_LEAVES - pages / VOLUME_LEAF_PAGES;

    units = units < room ? units : room;
    return units < left ? units : left;
}

status_t volume_grow(struct volume *volume)
{
    struct volume_super *super = &volume->super;
    uint64_t units = super->run_count < VOLUME_RUNS_MAX ? next_run_units(super, pages_of(super), super->free_start) : 0;

    if (units == 0) {
        return ST_FULL;
    }
    super->run[super->run_count++] = (struct volume_run){super->free_start, units * VOLUME_LEAF_PAGES};
    super->free_start += units * RUN_UNIT;
    volume->changed = true;
    return ST_OK;
}

uint64_t volume_pages_max(const struct volume *volume)
{
    const struct volume_super *super = &volume->super;
    uint64_t pages = pages_of(super);
    uint64_t free_start = super->free_start;

    for (uint64_t runs = super->run_count; runs < VOLUME_RUNS_MAX; runs++) {
        uint64_t units = next_run_units(super, pages, free_start);
        pages += units * VOLUME_LEAF_PAGES;
        free_start += units * RUN_UNIT;
    }
    return pages;
}

/* --- memory ---------------------------------------------------------------------------------------------------------- */

/* The next `size` bytes, 8-aligned; NULL: there are not so many. */
static void *carve(struct volume_memory *memory, uint64_t size)
{
    uint64_t whole = (size + 7) / 8 * 8;

    if (whole > memory->size) {
        return NULL;
    }
    void *bytes = memory->bytes;
    memory->bytes = (unsigned char *)bytes + whole;
    memory->size -= whole;
    return bytes;
}

static bool cache_init(struct volume_cache *cache, struct volume_memory *memory, uint32_t count)
{
    cache->count = count;
    cache->node = carve(memory, count * sizeof *cache->node);
    if (cache->node == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        cache->node[i] = (struct volume_node){.data = carve(memory, DISK_BLOCK_BYTES)};
        if (cache->node[i].data == NULL) {
            return false;
        }
    }
    return true;
}

status_t volume_init(struct volume *volume, struct disk_io *io, const struct volume_memory *memory, uint32_t leaves)
{
    struct volume_memory left = *memory;

    crc32c_init();
    *volume = (struct volume){.io = io, .failed = ST_STALE};
    if (leaves == 0 || !cache_init(&volume->leaves, &left, leaves) ||
        !cache_init(&volume->indexes, &left, VOLUME_INDEX_CACHE)) {
        return ST_NOMEM;
    }
    volume->log_window = carve(&left, VOLUME_LOG_READ_MAX * DISK_BLOCK_BYTES);
    volume->log_tail = carve(&left, DISK_BLOCK_BYTES);
    volume->log_room = left.size / 5 / 8 * 8;
    if (volume->log_window == NULL || volume->log_tail == NULL || volume->log_room < VOLUME_LOG_BLOCKS_MIN) {
        return ST_NOMEM;
    }
    volume->log_crc = carve(&left, volume->log_room * sizeof *volume->log_crc);
    volume->log_known = carve(&left, volume->log_room);
    return ST_OK;
}
