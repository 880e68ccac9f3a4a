/* SPDX-License-Identifier: MIT OR Apache-2.0
 * blobs_format_test.c: the door to the disk: what passes, and that every changed bit does not.
 */
#include "../blobs_format.c"
#include "test.h"

static const uint8_t uuid[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
static struct blobs_geometry geometry;

static struct blobs_superblock sample_superblock(void)
{
    struct blobs_superblock s = {.sequence = 7, .blocks = 4096, .generation = 3, .next_generation = 5, .live_half = 1};
    uint64_t least;
    CHECK_EQ(blobs_geometry_plan(4096, 1, 64, 32, &geometry, &least), ST_OK);
    s.log_blocks = geometry.log_blocks;
    s.group_align = 1;
    memcpy(s.uuid, uuid, sizeof(uuid));
    blobs_superblock_seal(&s);
    return s;
}

static void test_superblock_round_trip(void)
{
    struct blobs_superblock s = sample_superblock();
    struct blobs_superblock back;
    struct blobs_geometry g;
    CHECK_EQ(blobs_superblock_check(&s, 4096, &back, &g), ST_OK);
    CHECK_BYTES(&s, &back, sizeof(s));
    CHECK_EQ(g.data_start, geometry.data_start);
    CHECK_EQ(blobs_superblock_check(&s, 4095, &back, &g), ST_RANGE); /* a disk that shrank */
}

static void test_every_flipped_bit_of_a_superblock_is_refused(void)
{
    struct blobs_superblock s = sample_superblock();
    struct blobs_superblock back;
    struct blobs_geometry g;
    for (unsigned bit = 0; bit < sizeof(s) * 8; bit++) {
        ((uint8_t *)&s)[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        CHECK(blobs_superblock_check(&s, 4096, &back, &g) != ST_OK);
        ((uint8_t *)&s)[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
}

static void refuse_superblock(struct blobs_superblock s, status_t expected)
{
    struct blobs_superblock back;
    struct blobs_geometry g;
    s.crc = 0;
    s.crc = superblock_crc(&s); /* the sum is right: only the sense is not */
    CHECK_EQ(blobs_superblock_check(&s, 4096, &back, &g), expected);
}

static void test_nonsense_under_a_good_sum_is_refused(void)
{
    struct blobs_superblock s = sample_superblock();
    struct blobs_superblock bad = s;
    bad.version = 2;
    refuse_superblock(bad, ST_UNSUPPORTED);
    bad = s;
    bad.log_blocks = UINT32_MAX;
    refuse_superblock(bad, ST_PROTO);
    bad = s;
    bad.log_blocks = 1;
    refuse_superblock(bad, ST_PROTO);
    bad = s;
    bad.live_half = 2;
    refuse_superblock(bad, ST_PROTO);
    bad = s;
    bad.group_align = 9;
    refuse_superblock(bad, ST_PROTO);
    bad = s;
    bad.group_align = 0;
    refuse_superblock(bad, ST_PROTO);
    bad = s;
    bad.next_generation = bad.generation;
    refuse_superblock(bad, ST_PROTO);
    bad = s;
    bad.next_generation = UINT64_MAX; /* the next snapshot would take generation 0 */
    refuse_superblock(bad, ST_PROTO);
    bad = s;
    bad.sequence = UINT64_MAX; /* the next copy would count as older than this one */
    refuse_superblock(bad, ST_PROTO);
    bad = s;
    bad.zero[3] = 1;
    refuse_superblock(bad, ST_PROTO);
}

static void test_a_log_whose_sectors_cannot_be_counted_is_refused(void)
{
    struct blobs_superblock s = sample_superblock();
    struct blobs_superblock back;
    struct blobs_geometry g;
    s.blocks = UINT64_MAX / BLOBS_BLOCK; /* a disk that has room for it */
    s.log_blocks = 0x20000000;
    blobs_superblock_seal(&s);
    CHECK_EQ(blobs_superblock_check(&s, s.blocks, &back, &g), ST_PROTO);
    s.log_blocks--;
    blobs_superblock_seal(&s);
    CHECK_EQ(blobs_superblock_check(&s, s.blocks, &back, &g), ST_OK);
}

static void test_log_sector_belongs_to_one_place_and_volume(void)
{
    struct blobs_log_sector s = {.generation = 3, .position = 5, .group = 2, .last = 1};
    blobs_log_sector_seal(&s, uuid);
    CHECK(blobs_log_sector_check(&s, uuid, 3, 5));
    CHECK(!blobs_log_sector_check(&s, uuid, 4, 5));
    CHECK(!blobs_log_sector_check(&s, uuid, 3, 6));
    uint8_t other[16] = {0};
    CHECK(!blobs_log_sector_check(&s, other, 3, 5));
    for (unsigned bit = 0; bit < sizeof(s) * 8; bit++) {
        ((uint8_t *)&s)[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        CHECK(!blobs_log_sector_check(&s, uuid, 3, 5));
        ((uint8_t *)&s)[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
}

static void test_records_come_back_as_they_were_put(void)
{
    (void)sample_superblock();
    struct blobs_log_sector s = {0};
    struct blobs_record blob = {.kind = BLOBS_RECORD_BLOB, .size = 5000, .start = geometry.data_start, .blocks = 3};
    struct blobs_record bind = {.kind = BLOBS_RECORD_BIND, .name_size = 4, .name = "/a/f"};
    struct blobs_record unbind = {.kind = BLOBS_RECORD_UNBIND, .name_size = 1, .name = "x"};
    struct blobs_record drop = {.kind = BLOBS_RECORD_DROP};
    memset(blob.digest, 7, BLOBS_DIGEST);
    memset(drop.digest, 8, BLOBS_DIGEST);
    CHECK(blobs_record_put(&s, &blob) && blobs_record_put(&s, &bind) && blobs_record_put(&s, &unbind) &&
          blobs_record_put(&s, &drop));
    const struct blobs_record *expected[] = {&blob, &bind, &unbind, &drop};
    uint32_t offset = 0;
    for (unsigned i = 0; i < 4; i++) {
        struct blobs_record r;
        CHECK_EQ(blobs_record_next(&s, &offset, &geometry, &r), ST_OK);
        CHECK_EQ(r.kind, expected[i]->kind);
        CHECK_EQ(r.size, expected[i]->size);
        CHECK_EQ(r.start, expected[i]->start);
        CHECK_BYTES(r.name, expected[i]->name, expected[i]->name_size);
        CHECK_BYTES(r.digest, expected[i]->digest, expected[i]->kind == BLOBS_RECORD_UNBIND ? 0 : BLOBS_DIGEST);
    }
    struct blobs_record none;
    CHECK_EQ(blobs_record_next(&s, &offset, &geometry, &none), ST_RANGE);
    while (blobs_record_put(&s, &drop)) {
        CHECK(s.used <= BLOBS_LOG_PAYLOAD);
    }
}

static void refuse_record(const struct blobs_record *record)
{
    struct blobs_log_sector s = {0};
    struct blobs_record back = {0};
    uint32_t offset = 0;
    CHECK(blobs_record_put(&s, record));
    CHECK_EQ(blobs_record_next(&s, &offset, &geometry, &back), ST_PROTO);
    CHECK_EQ(offset, 0);
    CHECK_EQ(back.kind, 0); /* untouched */
}

static void test_records_that_point_elsewhere_are_refused(void)
{
    (void)sample_superblock();
    struct blobs_record r = {.kind = BLOBS_RECORD_BLOB, .size = 4096, .start = geometry.data_start - 1, .blocks = 2};
    refuse_record(&r);
    r.start = geometry.blocks - 1;
    refuse_record(&r);
    r.start = UINT64_MAX;
    refuse_record(&r);
    r.start = geometry.data_start;
    r.blocks = 3;
    refuse_record(&r);
    r.size = UINT64_MAX;
    r.blocks = blobs_extent_blocks(r.size);
    refuse_record(&r);
    struct blobs_record name = {.kind = BLOBS_RECORD_BIND, .name_size = 3, .name = "a\nb"};
    refuse_record(&name);
    name.name_size = 0;
    refuse_record(&name);
}

static void test_extents_of_sizes(void)
{
    CHECK_EQ(blobs_extent_blocks(0), 0);
    CHECK_EQ(blobs_extent_blocks(1), 2);
    CHECK_EQ(blobs_extent_blocks(4096), 2);
    CHECK_EQ(blobs_extent_blocks(4097), 3);
    CHECK_EQ(blobs_extent_blocks(4096ull * 1024), 1025);
    CHECK_EQ(blobs_extent_blocks(4096ull * 1024 + 1), 1027);
}

static bool is_text(const char *name)
{
    return blobs_name_is_text(name, strlen(name));
}

static void test_a_name_is_text(void)
{
    CHECK(is_text("/a/f") && is_text("\xc3\xa9") && is_text("\xe2\x82\xac") && is_text("\xf0\x9f\x98\x80"));
    CHECK(is_text("\xc2\xa0") && is_text("\xed\x9f\xbf") && is_text("\xee\x80\x80") && is_text("\xf4\x8f\xbf\xbf"));
    CHECK(!is_text("\x80") && !is_text("a\xff") && !is_text("\xc3") && !is_text("\xe2\x82") &&
          !is_text("\xc3("));                                                                /* cut */
    CHECK(!is_text("\xc0\xaf") && !is_text("\xe0\x9f\xbf") && !is_text("\xf0\x8f\xbf\xbf")); /* too long */
    CHECK(!is_text("\xed\xa0\x80") && !is_text("\xf4\x90\x80\x80") && !is_text("\xf8\x88\x80\x80\x80"));
    CHECK(!is_text("\xc2\x80") && !is_text("\xc2\x9b")); /* a terminal obeys the second as it does ESC [ */
}

static void test_what_is_on_a_disk_in_words(void)
{
    static uint8_t disk[8192];
    CHECK(strstr(blobs_recognise(disk), "zeros") != NULL);
    CHECK(!blobs_is_blank(disk));
    memcpy(disk, BLOBS_BLANK_MARK, strlen(BLOBS_BLANK_MARK));
    CHECK(blobs_is_blank(disk));
    disk[4096] = 1;
    CHECK(blobs_is_blank(disk)); /* a first format that was cut off */
    disk[4095] = 1;
    CHECK(!blobs_is_blank(disk)); /* a mark before somebody's data is not enough */
    CHECK(strstr(blobs_recognise(disk), "unknown") != NULL);
    memcpy(disk + 512, "EFI PART", 8);
    CHECK(strstr(blobs_recognise(disk), "GPT") != NULL);
}

int main(void)
{
    crc32c_init();
    RUN(test_superblock_round_trip);
    RUN(test_every_flipped_bit_of_a_superblock_is_refused);
    RUN(test_nonsense_under_a_good_sum_is_refused);
    RUN(test_a_log_whose_sectors_cannot_be_counted_is_refused);
    RUN(test_log_sector_belongs_to_one_place_and_volume);
    RUN(test_records_come_back_as_they_were_put);
    RUN(test_records_that_point_elsewhere_are_refused);
    RUN(test_extents_of_sizes);
    RUN(test_a_name_is_text);
    RUN(test_what_is_on_a_disk_in_words);
    return test_end();
}
