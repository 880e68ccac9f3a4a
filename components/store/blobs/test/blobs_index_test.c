/* SPDX-License-Identifier: MIT OR Apache-2.0
 * blobs_index_test.c: the tables against a slow, plain model, over random records.
 */
#include "../blobs_format.c"
#include "../blobs_index.c"
#include "boot_memory.h"
#include "test.h"

#define BLOBS 40
#define NAMES 20
#define KEYS 60 /* more than fit */

static struct blobs_index table;
static struct blobs_geometry geometry;

static struct {
    bool present;
    unsigned names;
    uint64_t start, size;
} model_blob[KEYS];
static int model_name[KEYS];

static void digest_of(unsigned key, uint8_t digest[BLOBS_DIGEST])
{
    memset(digest, 0, BLOBS_DIGEST);
    digest[0] = (uint8_t)(key % 4); /* few buckets: chains */
    digest[31] = (uint8_t)key;
}

static void name_of(unsigned key, struct blobs_record *r)
{
    r->name_size = (uint8_t)snprintf(r->name, sizeof(r->name), "%.*s%u", (int)(key % 3), "aaa", key);
}

static unsigned blob_count(void)
{
    unsigned n = 0;
    for (unsigned i = 0; i < KEYS; i++) {
        n += model_blob[i].present;
    }
    return n;
}

static unsigned name_count(void)
{
    unsigned n = 0;
    for (unsigned i = 0; i < KEYS; i++) {
        n += model_name[i] >= 0;
    }
    return n;
}

static void random_blob(void)
{
    unsigned key = (unsigned)(test_random() % KEYS);
    struct blobs_record r = {.kind = BLOBS_RECORD_BLOB, .size = test_random() % 60000};
    digest_of(key, r.digest);
    r.blocks = blobs_extent_blocks(r.size);
    if (blobs_extent_take(&table, r.blocks, &r.start) != ST_OK) {
        return;
    }
    status_t expected = model_blob[key].present ? ST_PROTO : blob_count() == BLOBS ? ST_FULL : ST_OK;
    status_t s = blobs_index_apply(&table, &r, false);
    CHECK_EQ(s, expected);
    if (s == ST_OK) {
        model_blob[key].present = true;
        model_blob[key].start = r.start;
        model_blob[key].size = r.size;
    } else {
        blobs_extent_give(&table, r.start, r.blocks);
    }
}

static void random_bind(void)
{
    unsigned key = (unsigned)(test_random() % KEYS);
    unsigned name = (unsigned)(test_random() % KEYS);
    struct blobs_record r = {.kind = BLOBS_RECORD_BIND};
    digest_of(key, r.digest);
    name_of(name, &r);
    status_t expected = !model_blob[key].present                        ? ST_PROTO
                        : model_name[name] < 0 && name_count() == NAMES ? ST_FULL
                                                                        : ST_OK;
    CHECK_EQ(blobs_index_apply(&table, &r, false), expected);
    if (expected == ST_OK) {
        if (model_name[name] >= 0) {
            model_blob[model_name[name]].names--;
        }
        model_name[name] = (int)key;
        model_blob[key].names++;
    }
}

static void random_unbind(void)
{
    unsigned name = (unsigned)(test_random() % KEYS);
    struct blobs_record r = {.kind = BLOBS_RECORD_UNBIND};
    name_of(name, &r);
    CHECK_EQ(blobs_index_apply(&table, &r, false), model_name[name] < 0 ? ST_PROTO : ST_OK);
    if (model_name[name] >= 0) {
        model_blob[model_name[name]].names--;
        model_name[name] = -1;
    }
}

static void random_drop(void)
{
    unsigned key = (unsigned)(test_random() % KEYS);
    struct blobs_record r = {.kind = BLOBS_RECORD_DROP};
    digest_of(key, r.digest);
    bool allowed = model_blob[key].present && model_blob[key].names == 0;
    CHECK_EQ(blobs_index_apply(&table, &r, false), allowed ? ST_OK : ST_PROTO);
    if (allowed) {
        model_blob[key].present = false;
    }
}

static void compare_with_model(void)
{
    CHECK_EQ(table.blob_count, blob_count());
    CHECK_EQ(table.name_count, name_count());
    uint64_t used = 0;
    for (unsigned key = 0; key < KEYS; key++) {
        uint8_t digest[BLOBS_DIGEST];
        digest_of(key, digest);
        const struct blobs_blob *blob = blobs_find(&table, digest);
        CHECK_EQ(blob != NULL, model_blob[key].present);
        if (blob != NULL) {
            CHECK(blob->start == model_blob[key].start && blob->names == model_blob[key].names);
            used += blobs_extent_blocks(model_blob[key].size);
        }
        struct blobs_record r;
        name_of(key, &r);
        const struct blobs_name *n = blobs_name_find(&table, r.name, r.name_size);
        CHECK_EQ(n != NULL, model_name[key] >= 0);
    }
    CHECK_EQ(used + table.free_blocks, geometry.blocks - geometry.data_start);
    for (uint32_t i = 1; i < table.name_count; i++) {
        const struct blobs_name *a = &table.name[table.order[i - 1]];
        const struct blobs_name *b = &table.name[table.order[i]];
        CHECK(compare(a->text, a->size, b->text, b->size) < 0);
    }
}

static void test_random_records_against_a_model(void)
{
    uint64_t least;
    REQUIRE(blobs_geometry_plan(1500, 1, BLOBS, NAMES, &geometry, &least) == ST_OK);
    blobs_index_init(&table, geometry.blocks, BLOBS, NAMES);
    blobs_index_reset(&table, &geometry);
    memset(model_name, 0xff, sizeof(model_name));
    for (unsigned i = 0; i < 20000; i++) {
        void (*const steps[])(void) = {random_blob, random_blob, random_bind, random_bind, random_unbind, random_drop};
        steps[test_random() % 6]();
        if (i % 64 == 0) {
            compare_with_model();
        }
    }
}

static void test_a_pinned_blob_keeps_its_blocks_until_it_is_unpinned(void)
{
    blobs_index_reset(&table, &geometry);
    struct blobs_record r = {.kind = BLOBS_RECORD_BLOB, .size = 9000, .blocks = blobs_extent_blocks(9000)};
    digest_of(1, r.digest);
    REQUIRE(blobs_extent_take(&table, r.blocks, &r.start) == ST_OK);
    REQUIRE(blobs_index_apply(&table, &r, false) == ST_OK);
    struct blobs_blob *blob = blobs_find(&table, r.digest);
    blobs_pin(blob);
    uint64_t before = table.free_blocks;
    r.kind = BLOBS_RECORD_DROP;
    CHECK_EQ(blobs_index_apply(&table, &r, false), ST_OK);
    CHECK(blobs_find(&table, r.digest) == NULL);
    CHECK_EQ(table.free_blocks, before);
    blobs_unpin(&table, blob);
    CHECK_EQ(table.free_blocks, before + r.blocks);
}

static void test_a_full_volume_refuses_whole_and_finds_room_after_deletion(void)
{
    blobs_index_reset(&table, &geometry);
    uint64_t room = table.free_blocks;
    uint64_t a, b, c;
    CHECK_EQ(blobs_extent_take(&table, room / 2, &a), ST_OK);
    CHECK_EQ(blobs_extent_take(&table, room - room / 2, &b), ST_OK);
    CHECK_EQ(table.free_blocks, 0);
    CHECK_EQ(blobs_extent_take(&table, 1, &c), ST_FULL);
    blobs_extent_give(&table, a, 10);
    CHECK_EQ(blobs_extent_take(&table, 11, &c), ST_FULL);
    CHECK_EQ(blobs_extent_take(&table, 10, &c), ST_OK);
    CHECK_EQ(c, a);
    CHECK_PANICS(blobs_extent_give(&table, geometry.data_start, room + 1));
}

static void test_two_blobs_on_one_block_are_refused_at_replay(void)
{
    blobs_index_reset(&table, &geometry);
    struct blobs_record r = {.kind = BLOBS_RECORD_BLOB, .size = 4096, .blocks = 2, .start = geometry.data_start + 5};
    digest_of(1, r.digest);
    CHECK_EQ(blobs_index_apply(&table, &r, true), ST_OK);
    digest_of(2, r.digest);
    r.start++;
    CHECK_EQ(blobs_index_apply(&table, &r, true), ST_PROTO);
    r.start++;
    CHECK_EQ(blobs_index_apply(&table, &r, true), ST_OK);
}

int main(void)
{
    RUN(test_random_records_against_a_model);
    RUN(test_a_pinned_blob_keeps_its_blocks_until_it_is_unpinned);
    RUN(test_a_full_volume_refuses_whole_and_finds_room_after_deletion);
    RUN(test_two_blobs_on_one_block_are_refused_at_replay);
    return test_end();
}
