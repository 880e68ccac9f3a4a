/* SPDX-License-Identifier: MIT OR Apache-2.0
 * catalog_support.h: a catalog on a disk in memory, contents that are told apart by a number, and ways to put, write and read them.
 */
#pragma once
#include "../catalog.c"
#include "../../crc32c/crc32c.h"
#include "../../volume/test/test_disk.h"

#define LOG_BLOCKS 256u
#define DATA_BLOCKS 400u
#define DISK_SIZE (17u + LOG_BLOCKS + 2 + 1026 + DATA_BLOCKS)
#define LEAVES 4u
#define BLOCK DISK_BLOCK_BYTES

status_t sqlite_start(void);
uint64_t clock_wall_ns(void)
{
    return test_clock_ns;
}

static struct volume volume;
static uint64_t memory[VOLUME_MEMORY(LEAVES, LOG_BLOCKS) / 8 + 1];
static const uint8_t uuid[16] = "test volume";
static struct catalog catalog;

/* --- scaffolding ----------------------------------------------------------------------------------------------------- */

static enum catalog_answer mount(void)
{
    static bool started;
    struct volume_memory given = {memory, sizeof memory};

    if (!started) {
        test_room = ROOM_BOOT;
        REQUIRE(sqlite_start() == ST_OK);
        started = true;
    }
    test_room = ROOM_THREAD;
    REQUIRE(volume_init(&volume, &disk.io, &given, LEAVES) == ST_OK);
    return volume_mount(&volume) == ST_OK ? catalog_open(&catalog, &volume, "seed", 4) : CATALOG_FAILED;
}

static void begin_disk_of(uint64_t log_blocks, uint64_t data_blocks)
{
    struct volume_memory given = {memory, sizeof memory};

    disk_new(DISK_SIZE - LOG_BLOCKS - DATA_BLOCKS + log_blocks + data_blocks);
    REQUIRE(volume_init(&volume, &disk.io, &given, LEAVES) == ST_OK);
    REQUIRE(volume_format(&volume, uuid, log_blocks, data_blocks) == ST_OK);
    REQUIRE(mount() == CATALOG_OK);
}

static inline void begin_disk(void)
{
    begin_disk_of(LOG_BLOCKS, DATA_BLOCKS);
}

/* Ends without a word, as a cut does, but the disk keeps all. */
static void drop(void)
{
    disk.recording = false;
    disk.fail_writes = 0;
    catalog_close(&catalog);
    disk.fail_writes = UINT32_MAX;
}

static enum catalog_answer run(struct catalog_op *op)
{
    struct catalog_op *const ops[] = {op};

    catalog_run(&catalog, ops, 1);
    return op->answer;
}

static struct catalog_text text(const char *s)
{
    return (struct catalog_text){s, (uint32_t)strlen(s)};
}

#define ROOT                                                                                                           \
    {                                                                                                                  \
        CATALOG_ROOT, CATALOG_NOW                                                                                      \
    }
#define NAMES                                                                                                          \
    {                                                                                                                  \
        CATALOG_NAMES, CATALOG_NOW                                                                                     \
    }

/* Stands for SHA-256: different content has a different one. */
static const uint8_t *digest_of(unsigned content)
{
    static uint8_t digest[8][CATALOG_DIGEST];
    static unsigned next;
    uint8_t *at = digest[next++ % 8];

    memset(at, 0xd0, CATALOG_DIGEST);
    memcpy(at, &content, sizeof content);
    return at;
}

/* Bytes of a content, block by block. */
static void fill(unsigned content, uint64_t block, uint8_t bytes[BLOCK])
{
    for (unsigned i = 0; i < BLOCK; i++) {
        bytes[i] = (uint8_t)(content * 37 + block * 11 + i * 3 + i / 256);
    }
}

static void unlend(const struct catalog_extent extent[], unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct catalog_op op = {.kind = CATALOG_UNLEND, .run = extent[i].run};
        CHECK_EQ(run(&op), CATALOG_OK);
    }
}

/* Lends room for `blocks` of the content from its block `first` on, fills it, and says what it is. */
static unsigned lend(unsigned content, uint64_t first, uint32_t blocks, struct catalog_extent extent[], uint32_t *crc)
{
    unsigned count = 0;

    while (blocks > 0 && count < CATALOG_EXTENTS_MAX) {
        struct catalog_op op = {.kind = CATALOG_LEND, .blocks = blocks};
        if (run(&op) != CATALOG_OK) {
            break;
        }
        extent[count++] = (struct catalog_extent){op.run, crc};
        for (uint32_t i = 0; i < op.run.blocks; i++) {
            uint8_t bytes[BLOCK];
            fill(content, first++, bytes);
            *crc++ = crc32c_update(0, bytes, BLOCK);
            REQUIRE(disk.io.ops->write(&disk.io, op.run.start + i, bytes) == ST_OK);
        }
        blocks -= op.run.blocks;
    }
    if (blocks > 0) {
        unlend(extent, count);
    }
    return blocks == 0 ? count : 0;
}

/* A blob of this content, with a name in `at` when there is one. */
static inline enum catalog_answer put(unsigned content, uint64_t size, struct catalog_place at, const char *path,
                                      uint32_t flags)
{
    struct catalog_extent extent[CATALOG_EXTENTS_MAX];
    uint32_t crc[DATA_BLOCKS];
    uint8_t inside[BLOCK];
    uint32_t blocks = (uint32_t)((size + BLOCK - 1) / BLOCK);
    struct catalog_op op = {
        .kind = CATALOG_PUT, .flags = flags, .at = at, .path = text(path), .digest = digest_of(content), .size = size};

    if (size <= 2000) {
        fill(content, 0, inside);
        op.bytes = size > 0 ? inside : NULL;
        op.bytes_size = (uint32_t)size;
        return run(&op);
    }
    op.extent = extent;
    op.extent_count = lend(content, 0, blocks, extent, crc);
    if (op.extent_count == 0) {
        return CATALOG_FULL;
    }
    if (run(&op) != CATALOG_OK || op.extent_named == 0) {
        unlend(extent, op.extent_count);
    }
    return op.answer;
}

static enum catalog_answer simple(enum catalog_op_kind kind, struct catalog_place at, const char *path)
{
    struct catalog_op op = {.kind = kind, .at = at, .path = text(path)};

    return run(&op);
}

static enum catalog_answer stat_of(struct catalog_place at, const char *path, struct catalog_node *node)
{
    struct catalog_op op = {.kind = CATALOG_STAT, .at = at, .path = text(path)};

    if (run(&op) == CATALOG_OK) {
        *node = op.node;
    }
    return op.answer;
}

/* Reads an object through spans, checks every block, and gives the CRC of its bytes. UINT64_MAX: it cannot be read. */
static uint64_t content_crc(uint64_t object, uint64_t size)
{
    static struct catalog_span span;
    uint32_t crc = 0;

    for (uint64_t at = 0; at * BLOCK < size;) {
        struct catalog_op op = {.kind = CATALOG_SPAN, .object = object, .block = at, .span = &span};
        if (run(&op) != CATALOG_OK || span.blocks == 0 || span.at > at || span.at + span.blocks <= at) {
            return UINT64_MAX;
        }
        for (; at < span.at + span.blocks && at * BLOCK < size; at++) {
            static const uint8_t zero[BLOCK];
            const uint8_t *bytes = span.inside       ? span.bytes
                                   : span.start == 0 ? zero
                                                     : disk_at(span.start + at - span.at);
            uint64_t left = size - at * BLOCK;
            if (!span.inside && span.start != 0 && crc32c_update(0, bytes, BLOCK) != span.crc[at - span.at]) {
                return UINT64_MAX;
            }
            crc = crc32c_update(crc, bytes, left < BLOCK ? left : BLOCK);
        }
    }
    return crc;
}

static uint64_t crc_of_content(unsigned content, uint64_t size)
{
    uint8_t bytes[BLOCK];
    uint32_t crc = 0;

    for (uint64_t at = 0; at * BLOCK < size; at++) {
        fill(content, at, bytes);
        crc = crc32c_update(crc, bytes, size - at * BLOCK < BLOCK ? size - at * BLOCK : BLOCK);
    }
    return crc;
}

static inline bool holds(struct catalog_place at, const char *path, unsigned content, uint64_t size)
{
    struct catalog_node node;

    return stat_of(at, path, &node) == CATALOG_OK && node.size == size &&
           content_crc(node.object, size) == crc_of_content(content, size);
}

static inline uint64_t free_blocks(void)
{
    struct catalog_info info;
    struct catalog_op op = {.kind = CATALOG_INFO, .info = &info};

    REQUIRE(run(&op) == CATALOG_OK);
    CHECK_EQ(info.lent_blocks, 0);
    return info.free_blocks;
}

static void care(void)
{
    for (unsigned i = 0; catalog_care(&catalog); i++) {
        REQUIRE(i < 1000);
    }
}

static inline int64_t number(const char *sql)
{
    sqlite3_stmt *row;

    REQUIRE(sqlite3_prepare_v2(catalog.db, sql, -1, &row, NULL) == SQLITE_OK && sqlite3_step(row) == SQLITE_ROW);
    int64_t result = sqlite3_column_int64(row, 0);
    CHECK_EQ(sqlite3_finalize(row), SQLITE_OK);
    return result;
}

static const struct catalog_place root = ROOT;
static const struct catalog_place names = NAMES;

static uint64_t file_id(const char *path)
{
    struct catalog_node node = {0};

    CHECK_EQ(stat_of(root, path, &node), CATALOG_OK);
    return node.id;
}

static inline enum catalog_answer write_at(const char *path, unsigned content, uint64_t block, uint32_t blocks)
{
    struct catalog_extent extent[CATALOG_EXTENTS_MAX];
    uint32_t crc[DATA_BLOCKS];
    struct catalog_op op = {
        .kind = CATALOG_WRITE, .id = file_id(path), .block = block, .extent = extent, .size = (block + blocks) * BLOCK};

    op.extent_count = lend(content, block, blocks, extent, crc);
    if (op.extent_count == 0) {
        return CATALOG_FULL;
    }
    if (run(&op) != CATALOG_OK) {
        unlend(extent, op.extent_count);
    }
    return op.answer;
}

static inline uint64_t snapshot(const char *label)
{
    struct catalog_op op = {.kind = CATALOG_SNAPSHOT, .prefix = text(label)};

    CHECK_EQ(run(&op), CATALOG_OK);
    return op.generation;
}

static inline void unsnapshot(uint64_t generation)
{
    struct catalog_op op = {.kind = CATALOG_UNSNAPSHOT, .generation = generation};

    CHECK_EQ(run(&op), CATALOG_OK);
    CHECK_EQ(run(&op), CATALOG_MISSING);
    care();
}
