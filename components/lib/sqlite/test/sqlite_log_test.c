/* SPDX-License-Identifier: MIT OR Apache-2.0
 * sqlite_log_test.c: whether what a torn log held is in the database, page by page.
 */
#include "../sqlite_log.c"
#include "../../volume/test/test_disk.h"

#define LOG_BLOCKS 64u
#define LEAVES 2u

static struct volume volume;
static uint64_t memory[VOLUME_MEMORY(LEAVES, LOG_BLOCKS) / 8 + 1];
static struct walk walk = {.volume = &volume};

static const unsigned char *page_of(char what)
{
    static unsigned char page[VOLUME_PAGE_BYTES];

    memset(page, what, sizeof page);
    return page;
}

/* Frame `number` has this page, and only its number and bytes matter here. */
static void frame(uint64_t number, uint32_t page, char what)
{
    unsigned char head[FRAME_HEAD_BYTES] = {0, 0, 0, (unsigned char)page};
    uint64_t offset = HEADER_BYTES + (number - 1) * FRAME_BYTES;

    REQUIRE(volume_log_write(&volume, offset, head, sizeof head) == ST_OK);
    REQUIRE(volume_log_write(&volume, offset + sizeof head, page_of(what), VOLUME_PAGE_BYTES) == ST_OK);
}

static bool all_there(uint64_t begin, uint64_t end)
{
    bool there = false;

    CHECK_EQ(in_database(&walk, &(struct evidence){.end = end + 1, .last_begin = begin, .last_end = end}, &there),
             ST_OK);
    return there;
}

/* A transaction that ran out of memory wrote page 1 early, and once more at its end. */
static void test_a_page_that_was_written_twice(void)
{
    frame(1, 1, 'x'); /* of a commit before */
    frame(2, 1, 'a');
    frame(3, 2, 'b');
    frame(4, 1, 'c');
    REQUIRE(volume_log_sync(&volume) == ST_OK);
    CHECK(!all_there(2, 4)); /* page 2 is not */
    REQUIRE(volume_page_write(&volume, 1, page_of('b')) == ST_OK && volume_commit(&volume) == ST_OK);
    CHECK(all_there(2, 4));
    CHECK(!all_there(1, 3)); /* its last word on page 1 is another */
}

/* A page that the disk does not read now is not known to be missing. */
static void test_a_page_that_cannot_be_read(void)
{
    struct evidence evidence = {.end = 5, .last_begin = 2, .last_end = 4};
    bool there = false;
    status_t s = ST_IO;
    unsigned most = 0;

    for (; s != ST_OK && most < 20; most++) {
        disk.fail_reads = most;
        volume.log_window_count = 0;
        s = in_database(&walk, &evidence, &there);
        CHECK(s == ST_OK ? there : s == ST_IO);
    }
    CHECK(most > 2 && most < 20); /* the log and the database were read */
    disk.fail_reads = UINT32_MAX;
}

static struct sum log_sum; /* of all frames so far */

/* Frame `number` of this life, which follows the one before it: a commit if `commit`. */
static void next_frame(uint64_t number, uint32_t page, bool commit)
{
    unsigned char head[FRAME_HEAD_BYTES] = {0, 0, 0, (unsigned char)page, 0, 0, 0, commit ? 9 : 0};
    uint64_t offset = HEADER_BYTES + (number - 1) * FRAME_BYTES;

    log_sum = sum_of(sum_of(log_sum, head, 8), page_of((char)page), VOLUME_PAGE_BYTES);
    for (unsigned i = 0; i < 4; i++) {
        head[8 + i] = (unsigned char)(walk.salt[0] >> (24 - 8 * i));
        head[12 + i] = (unsigned char)(walk.salt[1] >> (24 - 8 * i));
        head[16 + i] = (unsigned char)(log_sum.a >> (24 - 8 * i));
        head[20 + i] = (unsigned char)(log_sum.b >> (24 - 8 * i));
    }
    REQUIRE(volume_log_write(&volume, offset, head, sizeof head) == ST_OK);
    REQUIRE(volume_log_write(&volume, offset + sizeof head, page_of((char)page), VOLUME_PAGE_BYTES) == ST_OK);
}

/* Frame `at` is of a commit that no disk finished, and those behind it, too. A write in its place failed: of its head `bytes` bytes
 * are there, which say that it is a commit. */
static uint64_t lost_after_half_a_head(uint64_t at, unsigned bytes)
{
    struct evidence evidence = {0};
    const unsigned char head[8] = {0, 0, 0, 12, 0, 0, 0, 16};

    walk.salt[0] = 0x01020304;
    walk.salt[1] = (uint32_t)at;
    walk.count = at + 6;
    log_sum = (struct sum){1, 2};
    for (uint64_t i = at; i <= at + 6; i++) {
        next_frame(i, (uint32_t)i % 100, i == at + 5 || i == at + 6); /* the last fills the block up */
    }
    REQUIRE(volume_log_write(&volume, HEADER_BYTES + (at - 1) * FRAME_BYTES, head, bytes) == ST_OK);
    REQUIRE(volume_log_sync(&volume) == ST_OK);
    volume.log_window_count = 0;
    CHECK_EQ(walk_rest(&walk, at, false, &evidence), ST_OK);
    return evidence.end;
}

static void test_a_head_that_is_half_there(void)
{
    /* A sector ends behind the words of frame 42 that say what it is. */
    CHECK(HEADER_BYTES + 41 * FRAME_HEAD_BYTES == 2 * SECTOR_BYTES - 8);
    CHECK_EQ(lost_after_half_a_head(42, 8), 0);
    CHECK_EQ(lost_after_half_a_head(42, 0), 0);
    /* Frame 43's head is in one sector: it was a commit, and what stands behind that was written when it was durable. */
    CHECK_EQ(lost_after_half_a_head(43, 8), 49);
}

int main(void)
{
    struct volume_memory given = {memory, sizeof memory};

    disk_new(4000);
    REQUIRE(volume_init(&volume, &disk.io, &given, LEAVES) == ST_OK);
    REQUIRE(volume_format(&volume, (const uint8_t *)"test log volume", LOG_BLOCKS, 0) == ST_OK);
    REQUIRE(volume_page_write(&volume, 0, page_of('c')) == ST_OK && volume_commit(&volume) == ST_OK);
    RUN(test_a_page_that_was_written_twice);
    RUN(test_a_page_that_cannot_be_read);
    RUN(test_a_head_that_is_half_there);
    disk_free();
    return test_end();
}
