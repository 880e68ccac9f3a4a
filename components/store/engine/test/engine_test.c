/* SPDX-License-Identifier: MIT OR Apache-2.0
 * engine_test.c: the engine's loop against a disk whose transfers end in any order, with its thread played by the test: blobs of
 * all sizes in chunks of all sizes, on a disk whose room is in pieces, come back whole; what fails or is dropped gives everything
 * back.
 */
#include "engine_support.h"

#define engine_hash_take hash_take
#include "../engine_hash.c"
#undef engine_hash_take

static uint32_t hashed; /* bytes */

uint32_t engine_hash_take(struct engine_upload *upload, uint32_t bytes_left)
{
    uint32_t taken = hash_take(upload, bytes_left);

    hashed += taken;
    return taken;
}

/* --- tests ----------------------------------------------------------------------------------------------------------- */

/* Small blobs until the disk is full, and every other one removed: what is free is in pieces of one to five blocks. */
static void break_up(void)
{
    static uint8_t digest[DATA_BLOCKS][CATALOG_DIGEST];
    unsigned count = 0;

    while (put_whole(1000 + count, (1 + count % 5) * BLOCK - count, 20000, digest[count])) {
        count++;
    }
    CHECK(strncmp(ask.reason, "full: put", 9) == 0 && catalog.state.free_blocks < 5);
    for (unsigned i = 0; i < count; i += 2) {
        CHECK(forget(digest[i]));
    }
}

static void test_sizes(void)
{
    static const uint32_t sizes[] = {0, 1, 1999, 2000, 2001, 4095, 4096, 4097, 65536, 65537, 200000, 399999};
    uint8_t digest[12][CATALOG_DIGEST];

    fresh();
    break_up();
    uint64_t used = DATA_BLOCKS - catalog.state.free_blocks;
    for (unsigned i = 0; i < 12; i++) {
        REQUIRE(put_whole(i, sizes[i], i % 3 == 0 ? 65536 : i % 3 == 1 ? 5000 : 30000, digest[i]));
        used += sizes[i] <= ENGINE_INSIDE_MAX ? 0 : (sizes[i] + BLOCK - 1) / BLOCK;
    }
    for (unsigned i = 0; i < 12; i++) {
        check_blob(i, sizes[i], digest[i]);
    }
    uint8_t again[CATALOG_DIGEST];
    CHECK(put_whole(10, sizes[10], 65536, again)); /* is there: takes no room */
    nothing_is_left(used);
}

static void test_dropped(void)
{
    fresh();
    break_up();
    uint64_t used = DATA_BLOCKS - catalog.state.free_blocks;
    for (unsigned round = 0; round < 30; round++) {
        struct object *upload = put(150000);
        REQUIRE(upload != NULL);
        fill(round, 150000);
        CHECK(write_all(upload, (uint32_t)(test_random() % 150000), 65536));
        object_put(upload);
        settle();
        asker_forget(&ask);
        settle();
    }
    nothing_is_left(used);
}

/* Too little, too much, too many. */
static void test_refused(void)
{
    uint8_t digest[CATALOG_DIGEST];

    fresh();
    CHECK(put(DATA_BLOCKS * BLOCK + 1ull) == NULL);
    CHECK(strncmp(ask.reason, "full: put", 9) == 0);
    struct object *upload = put(5000);
    REQUIRE(upload != NULL);
    CHECK(write_all(upload, 4000, 4000));
    CHECK(!finish(upload, digest));
    CHECK(strncmp(ask.reason, "only 4000 of the 5000 bytes", 27) == 0);
    CHECK(!write_all(upload, 1001, 1001) || chunks[0].failed == 0);
    object_put(upload);
    settle();
    struct object *open[ENGINE_UPLOADS_MAX];
    for (unsigned i = 0; i < ENGINE_UPLOADS_MAX; i++) {
        open[i] = put(15 * BLOCK);
        REQUIRE(open[i] != NULL);
    }
    CHECK(put(1) == NULL && ask.type == EXCEPTION_OVERLOADED);
    object_put(open[0]);
    settle();
    CHECK(put(200 * BLOCK) == NULL); /* the others' room is promised */
    CHECK(strncmp(ask.reason, "full: put", 9) == 0 && ask.type == EXCEPTION_OVERLOADED);
    for (unsigned i = 1; i < ENGINE_UPLOADS_MAX; i++) {
        object_put(open[i]);
    }
    settle();
    nothing_is_left(0);
}

/* Some write of data fails: the upload says so, and all its room comes back. */
static void test_data_fails(void)
{
    uint8_t digest[CATALOG_DIGEST];

    for (unsigned allowed = 0; allowed < 12; allowed++) {
        fresh();
        data.fail_writes = allowed;
        CHECK(!put_whole(1, 200000, 20000, digest));
        data.fail_writes = UINT32_MAX;
        CHECK(put_whole(1, 200000, 20000, digest));
        check_blob(1, 200000, digest);
        CHECK(forget(digest));
        nothing_is_left(0);
    }
}

/* A block that is not what was written is never given out. */
static void test_rot(void)
{
    uint8_t digest[CATALOG_DIGEST];

    fresh();
    REQUIRE(put_whole(1, 9 * BLOCK, 65536, digest));
    disk_at(volume.super.data_start + 4)[77] ^= 1;
    struct object *source = get(digest);
    REQUIRE(source != NULL);
    struct byte_source_read_params_builder params =
        byte_source_read_begin(&ask.call, source, asker_params(&ask), &asker_source);
    byte_source_read_params_set_limit(params, 65536);
    object_call(source, &ask.call);
    settle();
    CHECK(ask.failed == 1 && strstr(ask.reason, "gave back what was not written") != NULL);
    asker_forget(&ask);
    object_put(source);
    nothing_is_left(9);
}

/* --- turns ----------------------------------------------------------------------------------------------------------- */

static void write_begin(struct asker *who, struct object *upload, uint32_t at, uint32_t size)
{
    byte_sink_write_params_set_chunk(byte_sink_write_begin(&who->call, upload, asker_params(who), &asker_source),
                                     capnp_data(bytes + at, size));
    object_call(upload, &who->call);
}

/* Chunks of four uploads come at once: no turn hashes more than one chunk's bytes, each upload goes on, in order. */
static void test_turns(void)
{
    static const uint32_t sizes[] = {60000, 65536, 7, 65536};
    struct object *upload[4];
    uint8_t digest[CATALOG_DIGEST], right[CATALOG_DIGEST];
    unsigned turns = 0;

    fresh();
    fill(1, 131072);
    for (unsigned i = 0; i < 4; i++) {
        upload[i] = put(sizes[i]);
        REQUIRE(upload[i] != NULL);
    }
    hashed = 0;
    for (unsigned i = 0; i < 3; i++) {
        write_begin(&chunks[i], upload[i], i * 100, sizes[i]);
    }
    CHECK_EQ(hashed, 65536);
    CHECK(run_one(&turn_ends));
    write_begin(&chunks[3], upload[3], 300, sizes[3]); /* at the beginning of a turn: others came before */
    CHECK_EQ(hashed, 65536);
    for (uint32_t before = hashed; next_turn(); turns++) {
        CHECK(hashed - before <= 65536);
        CHECK(chunks[3].call.out); /* who came last */
        before = hashed;
    }
    CHECK_EQ(hashed, 60000 + 65536 + 7 + 65536);
    CHECK_EQ(turns, 3); /* 191,079 bytes; the last of them ends what the others began */
    settle();
    for (unsigned i = 0; i < 4; i++) {
        REQUIRE(chunks[i].returned == 1 && finish(upload[i], digest));
        sha256_bytes(bytes + i * 100, sizes[i], right);
        CHECK_BYTES(digest, right, CATALOG_DIGEST);
        object_put(upload[i]);
        settle();
    }
    nothing_is_left(15 + 16 + 16);
}

/* An upload fails while its second chunk waits for a turn: it does not wait any more. */
static void test_turn_of_the_failed(void)
{
    fresh();
    struct object *upload = put(3 * 65536);
    REQUIRE(upload != NULL);
    for (unsigned i = 0; i < 3; i++) {
        write_begin(&chunks[i], upload, 0, 65536);
    }
    while (list_empty(&self.waiting)) {
        REQUIRE(happen_in_turn());
    }
    data.fail_writes = 0;
    while (happen_in_turn()) {
    }
    data.fail_writes = UINT32_MAX;
    for (unsigned i = 0; i < 3; i++) {
        CHECK_EQ(chunks[i].failed, 1);
    }
    CHECK(list_empty(&self.waiting));
    object_put(upload);
    settle();
    nothing_is_left(0);
}

int main(void)
{
    RUN(test_sizes);
    RUN(test_dropped);
    RUN(test_refused);
    RUN(test_data_fails);
    RUN(test_rot);
    RUN(test_turns);
    RUN(test_turn_of_the_failed);
    disk_free();
    free(bytes);
    return test_end();
}
