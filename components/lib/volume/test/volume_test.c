/* SPDX-License-Identifier: MIT OR Apache-2.0
 * volume_test.c: a volume on a disk in memory: pages, growth, damage of each kind of block, failures, and every cut of a run of
 * commits, with every subset of up to 12 unflushed writes.
 */
#include "../volume.c"
#include "../volume_log.c"
#undef LOG_TAG
#define LOG_TAG "volume"
#include "../volume_map.c"
#include "test_disk.h"

#define LOG_BLOCKS 16u
#define SMALL (FIRST_BLOCK + LOG_BLOCKS + 2 + 3 * RUN_UNIT + 5)
#define LEAVES 2u

static struct volume volume;
static uint64_t memory[VOLUME_MEMORY(LEAVES, LOG_BLOCKS) / 8 + 1];
static const uint8_t uuid[16] = "test volume";
static unsigned char page[VOLUME_PAGE_BYTES], got[VOLUME_PAGE_BYTES];

static status_t init(void)
{
    struct volume_memory given = {memory, sizeof memory};

    return volume_init(&volume, &disk.io, &given, LEAVES);
}

static void begin(uint64_t blocks)
{
    disk_new(blocks);
    REQUIRE(init() == ST_OK);
    REQUIRE(volume_format(&volume, uuid, LOG_BLOCKS, 0) == ST_OK);
}

static const unsigned char *content(uint64_t number, unsigned version)
{
    for (unsigned i = 0; i < sizeof page; i += 8) {
        uint64_t word = number << 32 | version << 16 | i;
        memcpy(page + i, &word, 8);
    }
    return page;
}

static bool page_is(uint64_t number, unsigned version)
{
    return volume_page_read(&volume, number, got) == ST_OK && memcmp(got, content(number, version), sizeof got) == 0;
}

static void test_pages(void)
{
    begin(SMALL);
    CHECK_EQ(volume_page_read(&volume, 0, got), ST_RANGE);
    CHECK_EQ(volume_page_write(&volume, 0, content(0, 1)), ST_OK);
    CHECK_EQ(volume_page_write(&volume, 7, content(7, 1)), ST_OK);
    CHECK(page_is(0, 1) && page_is(7, 1));
    CHECK_EQ(volume_page_read(&volume, 3, got), ST_OK); /* between: never written */
    CHECK(all_zero(got, sizeof got));
    CHECK_EQ(volume_commit(&volume), ST_OK);
    REQUIRE(init() == ST_OK && volume_mount(&volume) == ST_OK);
    CHECK_EQ(volume.super.page_count, 8);
    CHECK(page_is(0, 1) && page_is(7, 1));
    CHECK_EQ(volume_page_write(&volume, 7, content(7, 2)), ST_OK); /* and no commit */
    REQUIRE(volume_mount(&volume) == ST_OK);
    CHECK_EQ(volume_page_read(&volume, 7, got), ST_PROTO); /* newer than the map: the log would have it */
    CHECK(page_is(0, 1));
}

static void test_truncate(void)
{
    begin(SMALL);
    for (unsigned i = 0; i < 5; i++) {
        REQUIRE(volume_page_write(&volume, i, content(i, 1)) == ST_OK);
    }
    CHECK_EQ(volume_truncate(&volume, 2), ST_OK);
    CHECK_EQ(volume_page_read(&volume, 2, got), ST_RANGE);
    CHECK_EQ(volume_page_write(&volume, 4, content(4, 2)), ST_OK);
    CHECK_EQ(volume_page_read(&volume, 3, got), ST_OK);
    CHECK(all_zero(got, sizeof got)); /* not what stood there before */
    CHECK(page_is(4, 2) && page_is(1, 1));
}

/* More leaves than the cache has, the whole disk, and no page more. */
static void test_growth(void)
{
    begin(SMALL);
    uint64_t most = volume_pages_max(&volume);
    CHECK_EQ(most, 3 * VOLUME_LEAF_PAGES);
    for (uint64_t i = 0; i < most; i += 31) {
        REQUIRE(volume_page_write(&volume, i, content(i, 1)) == ST_OK);
    }
    CHECK_EQ(volume_page_write(&volume, most - 1, content(most - 1, 1)), ST_OK);
    CHECK_EQ(volume_page_write(&volume, most, content(most, 1)), ST_FULL);
    CHECK_EQ(volume_pages_max(&volume), most);
    CHECK_EQ(volume_commit(&volume), ST_OK);
    CHECK_EQ(volume.super.run_count, 3); /* 1, 1, and 1 where 2 had no room */
    REQUIRE(init() == ST_OK && volume_mount(&volume) == ST_OK);
    for (uint64_t i = 0; i < most; i += 31) {
        CHECK(page_is(i, 1));
    }
    for (uint64_t i = 0; i < most; i += 500) { /* leaves come and go between */
        REQUIRE(volume_page_write(&volume, i, content(i, 2)) == ST_OK);
        REQUIRE(volume_page_write(&volume, most - 1 - i, content(most - 1 - i, 2)) == ST_OK);
    }
    CHECK_EQ(volume_commit(&volume), ST_OK);
    REQUIRE(init() == ST_OK && volume_mount(&volume) == ST_OK);
    CHECK(page_is(500, 2) && page_is(most - 1, 2) && page_is(31, 1));
}

static void test_format_refuses(void)
{
    begin(SMALL);
    CHECK_EQ(volume_format(&volume, uuid, LOG_BLOCKS + 1000, 0), ST_NOMEM);
    CHECK_EQ(volume_format(&volume, uuid, VOLUME_LOG_BLOCKS_MIN - 1, 0), ST_FULL);
    disk.io.blocks = FIRST_BLOCK + LOG_BLOCKS + 2 + RUN_UNIT - 1;
    CHECK_EQ(volume_format(&volume, uuid, LOG_BLOCKS, 0), ST_FULL);
    disk.io.blocks++;
    CHECK_EQ(volume_format(&volume, uuid, LOG_BLOCKS, 0), ST_OK);
    CHECK_EQ(volume_pages_max(&volume), VOLUME_LEAF_PAGES);
}

/* A log that an older volume left would be replayed into the new one. */
static void test_format_wipes(void)
{
    begin(SMALL);
    REQUIRE(volume_log_write(&volume, 0, content(1, 1), sizeof page) == ST_OK && volume_log_sync(&volume) == ST_OK);
    REQUIRE(!all_zero(disk_at(FIRST_BLOCK), sizeof page));
    CHECK_EQ(volume_format(&volume, uuid, LOG_BLOCKS, 0), ST_OK);
    CHECK(all_zero(disk_at(FIRST_BLOCK), sizeof page));
}

static void test_mount_refuses(void)
{
    disk_new(SMALL);
    REQUIRE(init() == ST_OK);
    CHECK_EQ(volume_mount(&volume), ST_STALE);
    CHECK_EQ(volume_page_write(&volume, 0, page), ST_STALE);
    disk_at(SUPER_B)[17] = 1;
    CHECK_EQ(volume_mount(&volume), ST_UNSUPPORTED);
    begin(SMALL);
    disk_at(SUPER_A)[100] ^= 1;
    CHECK_EQ(volume_mount(&volume), ST_OK);                            /* the other one */
    CHECK_BYTES(disk_at(SUPER_A), disk_at(SUPER_B), DISK_BLOCK_BYTES); /* mended */
    disk_at(SUPER_B)[100] ^= 1;
    CHECK_EQ(volume_mount(&volume), ST_OK);
    CHECK_BYTES(disk_at(SUPER_A), disk_at(SUPER_B), DISK_BLOCK_BYTES); /* mended */
    disk_at(SUPER_A)[100] ^= 1;
    disk_at(SUPER_B)[100] ^= 1;
    CHECK_EQ(volume_mount(&volume), ST_PROTO);
    disk.fail_reads = 0;
    CHECK_EQ(volume_mount(&volume), ST_IO);
}

/* Every field of a superblock with a right CRC, with values that would be dangerous. */
static void test_super_lies(void)
{
    static const uint64_t values[] = {0, 1, 2, 16, 17, 1000, 3000, 1ull << 32, 1ull << 51, 1ull << 63, UINT64_MAX};
    struct volume_super *super = NULL;

    begin(SMALL);
    REQUIRE(volume_page_write(&volume, 0, content(0, 1)) == ST_OK && volume_commit(&volume) == ST_OK);
    struct volume_super good = volume.super;
    for (unsigned word = 2; word < offsetof(struct volume_super, index[3]) / 8; word++) {
        for (unsigned i = 0; i < sizeof values / sizeof values[0]; i++) {
            super = (struct volume_super *)(void *)disk_at(SUPER_A);
            *super = good;
            memcpy((char *)super + word * 8, &values[i], 8);
            super->crc = super_crc(super);
            memcpy(disk_at(SUPER_B), super, sizeof *super);
            if (volume_mount(&volume) == ST_OK) { /* then all must be safe */
                status_ignore(volume_page_read(&volume, 0, got), "whatever it says");
                status_ignore(volume_page_write(&volume, 5000, got), "whatever it says");
                status_ignore(volume_log_read(&volume, 0, got, 64), "whatever it says");
                status_ignore(volume_commit(&volume), "whatever it says");
            }
        }
    }
    CHECK(super != NULL);
    for (unsigned i = 1; i < sizeof values / sizeof values[0];
         i++) { /* data that begins elsewhere, or ends behind the disk */
        *super = good;
        *(i % 2 == 0 ? &super->data_start : &super->data_blocks) += values[i];
        super->crc = super_crc(super);
        memcpy(disk_at(SUPER_B), super, sizeof *super);
        CHECK_EQ(volume_mount(&volume), ST_PROTO);
    }
}

/* As many runs as there may be, and one more. */
static void test_runs_max(void)
{
    begin(SMALL);
    struct volume_super *super = (struct volume_super *)(void *)disk_at(SUPER_A);
    disk.io.blocks = super->blocks = super->data_start = 100 + VOLUME_RUNS_MAX * RUN_UNIT;
    for (unsigned i = 0; i < VOLUME_RUNS_MAX; i++) {
        super->run[i] = (struct volume_run){100 + i * RUN_UNIT, VOLUME_LEAF_PAGES};
    }
    super->free_start = super->blocks;
    for (unsigned more = 0; more < 2; more++) {
        super->run_count = VOLUME_RUNS_MAX + more;
        super->crc = super_crc(super);
        memcpy(disk_at(SUPER_B), super, sizeof *super);
        CHECK_EQ(volume_mount(&volume), more == 0 ? ST_OK : ST_PROTO);
    }
}

/* Rot, a lost write and a misdirected one, of a page, a leaf and an index block. */
static void test_damage(void)
{
    static unsigned char old[DISK_BLOCK_BYTES];

    begin(SMALL);
    for (unsigned v = 1; v <= 3; v++) {
        REQUIRE(volume_page_write(&volume, 1, content(1, v)) == ST_OK);
        REQUIRE(volume_page_write(&volume, 2, content(2, v)) == ST_OK && volume_commit(&volume) == ST_OK);
    }
    const uint64_t blocks[] = {page_block(&volume, 1), leaf_block(&volume, 0, 1), leaf_block(&volume, 0, 2),
                               index_block(&volume, 0, 1), index_block(&volume, 0, 2)};
    unsigned found = 0;
    for (unsigned i = 0; i < 5; i++) {
        memcpy(old, disk_at(blocks[i]), sizeof old);
        disk_at(blocks[i])[9] ^= 0x10;
        REQUIRE(init() == ST_OK && volume_mount(&volume) == ST_OK);
        bool seen = volume_page_read(&volume, 1, got) == ST_PROTO;
        found += seen ? 1 : 0;
        CHECK_EQ(volume.count.errors, seen ? 1 : 0);
        memcpy(disk_at(blocks[i]), old, sizeof old);
    }
    CHECK_EQ(found, 3); /* the page, and the home of each level that is in use; the other is free */
    memcpy(disk_at(blocks[0]), disk_at(page_block(&volume, 2)), sizeof old); /* another's bytes */
    CHECK_EQ(volume_page_read(&volume, 1, got), ST_PROTO);
    memcpy(disk_at(blocks[0]), content(1, 2), sizeof old); /* its own, from before */
    CHECK_EQ(volume_page_read(&volume, 1, got), ST_PROTO);
    memcpy(disk_at(blocks[0]), content(1, 3), sizeof old);
    CHECK(page_is(1, 3));
}

static void test_log(void)
{
    static unsigned char in[3 * DISK_BLOCK_BYTES], out[sizeof in];

    begin(SMALL);
    for (unsigned i = 0; i < sizeof in; i++) {
        in[i] = (unsigned char)test_random();
    }
    CHECK_EQ(volume_log_bytes(&volume), LOG_BLOCKS * DISK_BLOCK_BYTES);
    CHECK_EQ(volume_log_write(&volume, 0, in, 32), ST_OK); /* as SQLite does: pieces, in order */
    CHECK_EQ(volume_log_write(&volume, 32, in + 32, 5000), ST_OK);
    CHECK_EQ(volume_log_write(&volume, 5032, in + 5032, 24), ST_OK);
    CHECK_EQ(volume_log_read(&volume, 0, out, 5056), ST_OK); /* what is not on the disk yet, too */
    CHECK_BYTES(out, in, 5056);
    CHECK_EQ(volume_log_sync(&volume), ST_OK);
    CHECK_EQ(volume_log_write(&volume, 5056, in + 5056, sizeof in - 5056), ST_OK);
    CHECK_EQ(volume_log_write(&volume, 100, in + 200, 8), ST_OK); /* back into what was written */
    memcpy(in + 100, in + 200, 8);
    CHECK_EQ(volume_log_sync(&volume), ST_OK);
    CHECK_EQ(volume_log_read(&volume, 0, out, sizeof out), ST_OK);
    CHECK_BYTES(out, in, sizeof in);
    REQUIRE(init() == ST_OK && volume_mount(&volume) == ST_OK);
    CHECK_EQ(volume_log_read(&volume, 0, out, sizeof out), ST_OK);
    CHECK_BYTES(out, in, sizeof in);
    disk_at(FIRST_BLOCK + 1)[5] ^= 1; /* it was right when it was read first */
    CHECK_EQ(volume_log_read(&volume, 9000, out, 10), ST_OK);
    CHECK_EQ(volume_log_read(&volume, 4096, out, 10), ST_PROTO);
    CHECK_EQ(volume_log_read(&volume, LOG_BLOCKS * 4096 - 1, out, 2), ST_RANGE);
    CHECK_EQ(volume_log_write(&volume, LOG_BLOCKS * 4096 - 1, in, 2), ST_FULL);
    CHECK_EQ(volume_log_write(&volume, UINT64_MAX, in, 2), ST_FULL);
    CHECK_EQ(volume_log_clear(&volume), ST_OK);
    CHECK(all_zero(disk_at(FIRST_BLOCK), 64));
}

/* In its second round the log is written as in its first: nothing is read before. */
static void test_log_begins_anew(void)
{
    static unsigned char in[2][3 * DISK_BLOCK_BYTES], out[sizeof in[0]];

    begin(SMALL);
    for (unsigned round = 0; round < 2; round++) {
        uint64_t reads = volume.count.log_reads;
        memset(in[round], 'a' + (int)round, sizeof in[round]);
        for (uint32_t at = 0; at < 9000; at += 900) {
            CHECK_EQ(volume_log_write(&volume, at, in[round], 900), ST_OK);
        }
        CHECK_EQ(volume_log_sync(&volume), ST_OK);
        CHECK_EQ(volume.count.log_reads, reads + 1); /* its first block */
        CHECK_EQ(volume_log_read(&volume, 0, out, sizeof out), ST_OK);
        CHECK_BYTES(out, in[round], 9000);
        CHECK(all_zero(out + 9000, sizeof out - 9000)); /* of the block that was begun */
    }
}

/* After the first failure nothing more goes to the disk. */
static void test_failures(void)
{
    for (unsigned allowed = 0; allowed < 12; allowed++) {
        begin(SMALL);
        REQUIRE(volume_page_write(&volume, 1, content(1, 1)) == ST_OK && volume_commit(&volume) == ST_OK);
        disk.fail_writes = allowed;
        status_t s = volume_page_write(&volume, 1, content(1, 2));
        s = s == ST_OK ? volume_commit(&volume) : s;
        bool whole = s == ST_OK;
        disk.fail_writes = UINT32_MAX;
        CHECK(whole || volume_page_write(&volume, 2, page) == ST_IO);
        CHECK(whole || volume_commit(&volume) == ST_IO);
        REQUIRE(init() == ST_OK && volume_mount(&volume) == ST_OK);
        CHECK(whole ? page_is(1, 2) : !page_is(1, 2) || volume.super.generation == 3);
    }
}

/* A cut lost the last commit's B, and A cannot be read at the mount, once. What then is written, as far as the disk lets it, takes
 * nothing from what A names. */
static void test_superblock_not_read_once(void)
{
    static unsigned char b[DISK_BLOCK_BYTES];

    for (unsigned allowed = 0; allowed < 16; allowed++) {
        begin(SMALL);
        REQUIRE(volume_page_write(&volume, 1, content(1, 1)) == ST_OK &&
                volume_page_write(&volume, 5, content(5, 1)) == ST_OK);
        REQUIRE(volume_commit(&volume) == ST_OK);
        memcpy(b, disk_at(SUPER_B), sizeof b);
        REQUIRE(volume_page_write(&volume, 1, content(1, 2)) == ST_OK && volume_commit(&volume) == ST_OK);
        memcpy(disk_at(SUPER_B), b, sizeof b);
        disk.fail_read_once = SUPER_A;
        disk.fail_writes = allowed;
        REQUIRE(init() == ST_OK);
        if (volume_mount(&volume) == ST_OK) {
            CHECK(page_is(5, 1));
            status_t s = volume_page_write(&volume, 1, content(1, 3));
            CHECK((s == ST_OK ? volume_commit(&volume) : s) == ST_OK || allowed < 15);
        }
        disk.fail_read_once = UINT64_MAX;
        disk.fail_writes = UINT32_MAX;
        REQUIRE(init() == ST_OK && volume_mount(&volume) == ST_OK);
        CHECK(page_is(5, 1));
    }
}

/* What says that the log begins anew differs from what was there in one sector. */
static void test_log_begins_in_one_sector(void)
{
    static unsigned char before[DISK_BLOCK_BYTES];

    begin(SMALL);
    REQUIRE(volume_log_write(&volume, 0, content(1, 1), sizeof page) == ST_OK && volume_log_sync(&volume) == ST_OK);
    for (unsigned clear = 0; clear < 2; clear++) {
        memcpy(before, disk_at(FIRST_BLOCK), sizeof before);
        status_t s = clear ? volume_log_clear(&volume) : volume_log_write(&volume, 0, content(2, 2), 32);
        CHECK(s == ST_OK && volume_log_sync(&volume) == ST_OK);
        CHECK(memcmp(before, disk_at(FIRST_BLOCK), 512) != 0);
        CHECK_BYTES(disk_at(FIRST_BLOCK) + 512, before + 512, sizeof before - 512);
    }
}

/* The log begins anew when both superblocks are those of the commit that it was moved by. */
static void test_log_begins_behind_both_superblocks(void)
{
    bool whole = false;
    bool begun = false;

    begin(SMALL);
    REQUIRE(volume_page_write(&volume, 1, content(1, 1)) == ST_OK);
    disk_record();
    REQUIRE(volume_commit(&volume) == ST_OK && volume_log_write(&volume, 0, page, 100) == ST_OK);
    REQUIRE(volume_log_sync(&volume) == ST_OK);
    for (unsigned i = 0, written = 0; i < disk.event_count; i++) {
        const struct event *event = &disk.event[i];
        written = event->data != NULL && event->block == SUPER_B ? 1 : written;
        whole = whole || (event->data == NULL && written == 1);
        begun = begun || (event->data != NULL && event->block == volume.super.log_start);
        CHECK(!begun || whole);
    }
    CHECK(begun);
    disk.recording = false;
}

/* --- cuts ------------------------------------------------------------------------------------------------------------ */

#define COMMITS 5u
static unsigned committed_at[COMMITS + 1]; /* how many events there were when it was acknowledged */

/* Three leaves in a cache of two, twice: a leaf is written, comes back and is written again before the commit. */
static void write_version(unsigned v)
{
    for (unsigned i = 0; i < 6; i++) {
        uint64_t number = i % 3 * VOLUME_LEAF_PAGES;
        REQUIRE(volume_page_write(&volume, number, content(number, i < 3 ? 100 + v : v)) == ST_OK);
    }
}

/* At a cut the volume mounts, and says of each page either what the last commit made of it, or that it cannot know. */
static void check_cut(unsigned cut)
{
    unsigned acknowledged = 0;
    unsigned known = 0;

    while (acknowledged < COMMITS && committed_at[acknowledged + 1] <= cut) {
        acknowledged++;
    }
    REQUIRE(init() == ST_OK && volume_mount(&volume) == ST_OK);
    unsigned version = (unsigned)volume.super.generation - 1;
    CHECK(version == acknowledged || version == acknowledged + 1);
    for (unsigned i = 0; i < 3; i++) {
        uint64_t number = i * VOLUME_LEAF_PAGES;
        status_t s = version == 0 ? ST_PROTO : volume_page_read(&volume, number, got);
        known += s == ST_OK ? 1 : 0;
        CHECK(s == ST_PROTO || memcmp(got, content(number, version), sizeof got) == 0);
    }
    CHECK(known == 3 || version == 0 || version == acknowledged);
    /* And it goes on from here. */
    write_version(9);
    CHECK_EQ(volume_commit(&volume), ST_OK);
    CHECK(page_is(0, 9));
}

static unsigned try_cut(unsigned cut)
{
    unsigned open = cut - disk_unflushed(cut);
    unsigned states = 0;

    for (uint64_t subset = 0; subset < 1ull << (open < 6 ? open : 6); subset++) {
        disk_cut(cut, open <= 6 ? subset : test_random(), -1);
        check_cut(cut);
        states++;
    }
    for (unsigned i = 0; i < open; i++) { /* each alone torn */
        disk_cut(cut, UINT64_MAX, (int)i);
        check_cut(cut);
        states++;
    }
    return states;
}

static void test_cuts(void)
{
    unsigned states = 0;

    begin(SMALL);
    disk_record();
    for (unsigned v = 1; v <= COMMITS; v++) {
        write_version(v);
        REQUIRE(volume_commit(&volume) == ST_OK);
        committed_at[v] = disk.event_count;
    }
    for (unsigned cut = 0; cut <= disk.event_count; cut++) {
        states += try_cut(cut);
    }
    printf("%u states of %u events\n", states, disk.event_count);
    CHECK(states > 100);
}

/* A cut after a mount that found one superblock torn: the next commit must not touch the whole one first. */
static void test_cut_twice(void)
{
    begin(SMALL);
    write_version(1);
    disk_record();
    REQUIRE(volume_commit(&volume) == ST_OK);
    unsigned events = disk.event_count;
    REQUIRE(disk.event[events - 1].block == SUPER_B);
    disk_cut(events, 1, 0); /* B is torn */
    disk_at(SUPER_B)[8] ^= 1;
    disk_record();
    REQUIRE(init() == ST_OK && volume_mount(&volume) == ST_OK);
    write_version(2);
    REQUIRE(volume_commit(&volume) == ST_OK);
    for (unsigned cut = 0; cut <= disk.event_count; cut++) {
        unsigned open = cut - disk_unflushed(cut);
        for (unsigned i = 0; i < open; i++) {
            disk_cut(cut, UINT64_MAX, (int)i);
            CHECK(init() == ST_OK && volume_mount(&volume) == ST_OK);
        }
    }
}

/* At a cut of a format there is the volume of before, the new one, or the mark at which a boot begins anew. */
static void check_format_cut(bool was_volume)
{
    static const uint8_t old[16] = "old volume";
    bool blank;

    REQUIRE(volume_blank(&disk.io, got, &blank) == ST_OK);
    if (blank) { /* and when the mark rots: what is mounted then is whole too */
        memset(disk_at(SUPER_A), 0xee, DISK_BLOCK_BYTES);
    }
    REQUIRE(init() == ST_OK);
    status_t s = volume_mount(&volume);
    CHECK(s == ST_OK || blank);
    if (s != ST_OK) {
        return;
    }
    if (memcmp(volume.super.uuid, old, sizeof old) == 0) {
        CHECK(was_volume && volume.super.generation == 2 && page_is(3, 7));
        CHECK(volume_log_peek(&volume, 0, got, sizeof got) == ST_OK && memcmp(got, content(1, 1), sizeof got) == 0);
        return;
    }
    CHECK_BYTES(volume.super.uuid, uuid, sizeof uuid);
    CHECK_EQ(volume.super.page_count, 0);
    CHECK(volume_log_read(&volume, 0, got, 64) == ST_OK && all_zero(got, 64));
    write_version(1);
    CHECK_EQ(volume_commit(&volume), ST_OK);
}

static void try_format(bool was_volume)
{
    unsigned begin = disk.event_count;

    REQUIRE(init() == ST_OK && volume_format(&volume, uuid, LOG_BLOCKS, 0) == ST_OK);
    unsigned events = disk.event_count;
    for (unsigned cut = begin; cut <= events; cut++) {
        unsigned open = cut - disk_unflushed(cut);
        for (uint64_t subset = 0; subset < 1ull << open; subset++) {
            for (int torn = -1; torn < (int)open; torn++) {
                for (unsigned i = 0; i < (torn < 0 ? 1u : 32u); i++) {
                    disk.recording = false;
                    disk_cut(cut, subset, torn);
                    check_format_cut(was_volume);
                }
            }
        }
    }
    disk_cut(events, UINT64_MAX, -1);
    REQUIRE(init() == ST_OK && volume_mount(&volume) == ST_OK);
    CHECK_BYTES(volume.super.uuid, uuid, sizeof uuid);
}

/* A block that cannot be read is written: that is what mends it. */
static void test_format_of_the_unreadable(void)
{
    begin(SMALL);
    disk.fail_reads = 0;
    CHECK_EQ(volume_format(&volume, uuid, LOG_BLOCKS, 0), ST_OK);
    disk.fail_reads = UINT32_MAX;
    REQUIRE(init() == ST_OK && volume_mount(&volume) == ST_OK);
}

static void old_volume(void)
{
    disk_new(SMALL);
    REQUIRE(init() == ST_OK && volume_format(&volume, (const uint8_t *)"old volume\0\0\0\0\0", LOG_BLOCKS, 0) == ST_OK);
    REQUIRE(volume_log_write(&volume, 0, content(1, 1), sizeof page) == ST_OK && volume_log_sync(&volume) == ST_OK);
    disk_record();
    REQUIRE(volume_page_write(&volume, 3, content(3, 7)) == ST_OK && volume_commit(&volume) == ST_OK);
}

static void test_format_cuts(void)
{
    static unsigned char mark[DISK_BLOCK_BYTES] = VOLUME_BLANK_MARK;

    disk_new(SMALL);
    memcpy(disk_at(0), mark, sizeof mark);
    disk_record();
    try_format(false);
    old_volume();
    try_format(true);
    old_volume(); /* a format of before was reset when it had written the mark, and not FLUSHed it */
    REQUIRE(disk_flush(&disk.io) == ST_OK && disk_write(&disk.io, 0, mark) == ST_OK);
    try_format(true);
}

int main(void)
{
    RUN(test_pages);
    RUN(test_truncate);
    RUN(test_growth);
    RUN(test_format_refuses);
    RUN(test_format_wipes);
    RUN(test_format_cuts);
    RUN(test_format_of_the_unreadable);
    RUN(test_mount_refuses);
    RUN(test_super_lies);
    RUN(test_runs_max);
    RUN(test_damage);
    RUN(test_log);
    RUN(test_log_begins_anew);
    RUN(test_failures);
    RUN(test_superblock_not_read_once);
    RUN(test_log_begins_in_one_sector);
    RUN(test_log_begins_behind_both_superblocks);
    RUN(test_cuts);
    RUN(test_cut_twice);
    disk_free();
    return test_end();
}
