/* SPDX-License-Identifier: MIT OR Apache-2.0
 * engine_volume_test.c: the capability Volume: what it says of the volume in every state, and what it does to it.
 */
#include "engine_support.h"
#include "../engine_queue.c"

static struct object *const the_volume = &engine_self.volume;

static struct volume_info_reader info(void)
{
    (void)volume_info_begin(&ask.call, the_volume, asker_params(&ask), &asker_source);
    object_call(the_volume, &ask.call);
    settle();
    REQUIRE(ask.returned == 1);
    return volume_info_results_get_info(volume_info_answer(&ask.call));
}

static uint64_t operations_timed(struct volume_info_reader said)
{
    struct capnp_list latency = volume_info_get_latency(said);
    uint64_t sum = 0;

    for (uint32_t i = 0; i < latency.count; i++) {
        sum += capnp_list_u64(latency, i);
    }
    return sum;
}

static void test_info(void)
{
    uint8_t digest[CATALOG_DIGEST];

    fresh();
    REQUIRE(put_whole(1, 9 * BLOCK, 65536, digest));
    uint64_t written = volume_info_get_bytes_written(info());
    struct object *open = put(5 * BLOCK);
    struct volume_info_reader said = info();
    CHECK_EQ(volume_info_get_state(said), VOLUME_INFO_STATE_MOUNTED);
    CHECK_EQ(volume_info_get_reason(said).size, 0);
    CHECK_EQ(volume_info_get_total_bytes(said), DATA_BLOCKS * BLOCK);
    CHECK_EQ(volume_info_get_free_bytes(said), (DATA_BLOCKS - 9) * BLOCK);
    CHECK_EQ(volume_info_get_reserved_bytes(said), 5 * BLOCK);
    CHECK_EQ(volume_info_get_blobs(said), 1);
    CHECK_EQ(written, 9 * BLOCK);
    CHECK_EQ(volume_info_get_bytes_read(said), 0);
    CHECK(volume_info_get_commits(said) > 0);
    CHECK(volume_info_get_database_bytes(said) > 0);
    CHECK(volume_info_get_database_bytes_max(said) > volume_info_get_database_bytes(said));
    CHECK_BYTES(volume_info_get_uuid(said).bytes, volume.super.uuid, 16);
    CHECK_EQ(operations_timed(said), volume_info_get_operations(said)); /* the one that asks included */
    object_put(open);
    settle();
    check_blob(1, 9 * BLOCK, digest);
    CHECK(volume_info_get_bytes_read(info()) > 0);
    nothing_is_left(9);
}

/* It answers when nothing else does, and says why. */
static void test_info_unmounted(void)
{
    fresh();
    engine_self.state = ENGINE_FOREIGN;
    engine_self.why = "something else";
    struct volume_info_reader said = info();
    CHECK_EQ(volume_info_get_state(said), VOLUME_INFO_STATE_FOREIGN);
    CHECK(capnp_text_equal(volume_info_get_reason(said), capnp_text("something else")));
    CHECK_EQ(volume_info_get_total_bytes(said), 0);
    engine_self.state = engine_self.desk.state = ENGINE_READ_ONLY;
    engine_self.why = engine_self.desk.why = "the disk failed";
    said = info();
    CHECK_EQ(volume_info_get_state(said), VOLUME_INFO_STATE_READ_ONLY);
    CHECK_EQ(volume_info_get_total_bytes(said), DATA_BLOCKS * BLOCK);
    engine_self.state = engine_self.desk.state = ENGINE_MOUNTED;
    nothing_is_left(0);
}

static bool format(const char *confirm)
{
    volume_format_params_set_confirm(volume_format_begin(&ask.call, the_volume, asker_params(&ask), &asker_source),
                                     capnp_text(confirm));
    object_call(the_volume, &ask.call);
    bool asked = ask.call.out;
    struct asker other = {0};
    if (asked) { /* meanwhile it is being mounted */
        (void)volume_info_begin(&other.call, the_volume, asker_params(&other), &asker_source);
        object_call(the_volume, &other.call);
        REQUIRE(other.returned == 1);
        CHECK_EQ(volume_info_get_state(volume_info_results_get_info(volume_info_answer(&other.call))),
                 VOLUME_INFO_STATE_MOUNTING);
        asker_forget(&other);
        test_room = ROOM_THREAD;
        catalog_close(&catalog);
        test_room = ROOM_LOOP;
    }
    settle();
    return ask.returned == 1;
}

static void test_format(void)
{
    uint8_t digest[CATALOG_DIGEST];

    fresh();
    REQUIRE(put_whole(1, 9 * BLOCK, 65536, digest));
    CHECK(!format("erase"));
    CHECK(strncmp(ask.reason, "denied: ", 8) == 0);
    struct object *open = get(digest);
    CHECK(!format("erase everything") && ask.type == EXCEPTION_OVERLOADED);
    object_put(open);
    settle();
    CHECK(format("erase everything"));
    CHECK(get(digest) == NULL);
    nothing_is_left(0);
}

/* --- snapshots, check ------------------------------------------------------------------------------------------------ */

static uint64_t snapshot(const char *label)
{
    volume_snapshot_params_set_label(volume_snapshot_begin(&ask.call, the_volume, asker_params(&ask), &asker_source),
                                     capnp_text(label));
    object_call(the_volume, &ask.call);
    settle();
    return ask.returned == 1 ? volume_snapshot_results_get_generation(volume_snapshot_answer(&ask.call)) : 0;
}

static void ask_snapshots(struct asker *who, uint64_t after, uint32_t limit)
{
    struct volume_snapshots_params_builder params =
        volume_snapshots_begin(&who->call, the_volume, asker_params(who), &asker_source);

    volume_snapshots_params_set_after(params, after);
    volume_snapshots_params_set_limit(params, limit);
    object_call(the_volume, &who->call);
}

static bool drop_snapshot(uint64_t generation)
{
    volume_drop_snapshot_params_set_generation(
        volume_drop_snapshot_begin(&ask.call, the_volume, asker_params(&ask), &asker_source), generation);
    object_call(the_volume, &ask.call);
    settle();
    return ask.returned == 1;
}

static void test_snapshots(void)
{
    struct volume_snapshots_results_reader said;
    uint64_t made[40];

    fresh();
    CHECK_EQ(snapshot(""), 0);
    CHECK(strncmp(ask.reason, "bad-argument: ", 14) == 0);
    for (unsigned i = 0; i < 40; i++) {
        made[i] = snapshot(i == 0 ? "the first" : "another");
        CHECK(made[i] > (i == 0 ? 0 : made[i - 1]));
    }
    CHECK_EQ(volume_info_get_snapshots(info()), 40);
    ask_snapshots(&ask, 0, 0);
    ask_snapshots(&chunks[0], 0, 0);
    settle();
    CHECK(chunks[0].failed == 1 && chunks[0].type == EXCEPTION_OVERLOADED);
    REQUIRE(ask.returned == 1);
    said = volume_snapshots_answer(&ask.call);
    struct snapshot_reader first = snapshot_at(volume_snapshots_results_get_snapshots(said), 0);
    CHECK(snapshot_count(volume_snapshots_results_get_snapshots(said)) == 32 &&
          volume_snapshots_results_get_more(said));
    CHECK(snapshot_get_generation(first) == made[0] &&
          capnp_text_equal(snapshot_get_label(first), capnp_text("the first")));
    CHECK_EQ(time_get_nanoseconds(snapshot_get_made(first)), 7); /* as clock_wall_ns() says */
    CHECK_EQ(time_get_clock(snapshot_get_made(first)), TIME_CLOCK_RTC);
    ask_snapshots(&ask, made[31], 8);
    settle();
    said = volume_snapshots_answer(&ask.call);
    CHECK(snapshot_count(volume_snapshots_results_get_snapshots(said)) == 8 &&
          !volume_snapshots_results_get_more(said));
    CHECK(drop_snapshot(made[3]));
    CHECK(!drop_snapshot(made[3]));
    CHECK(strncmp(ask.reason, "not-found: ", 11) == 0);
    CHECK_EQ(volume_info_get_snapshots(info()), 39);
    nothing_is_left(0);
}

static void ask_check(struct asker *who)
{
    (void)volume_check_begin(&who->call, the_volume, asker_params(who), &asker_source);
    object_call(the_volume, &who->call);
}

static void make_refs(const char *sql)
{
    test_room = ROOM_THREAD;
    REQUIRE(sqlite3_exec(catalog.db, sql, NULL, NULL, NULL) == SQLITE_OK);
    test_room = ROOM_LOOP;
}

static void test_check(void)
{
    uint8_t digest[CATALOG_DIGEST];
    void *hog[4096];
    unsigned hogs = 0;

    fresh();
    REQUIRE(put_whole(1, 9 * BLOCK, 65536, digest));
    ask_check(&ask);
    ask_check(&chunks[0]);
    settle();
    CHECK(ask.returned == 1 && volume_check_results_get_faults(volume_check_answer(&ask.call)) == 0);
    CHECK(chunks[0].failed == 1 && chunks[0].type == EXCEPTION_OVERLOADED);
    while (hogs < 4096 && (hog[hogs] = sqlite3_malloc(16384)) != NULL) {
        hogs++;
    }
    ask_check(&ask);
    settle();
    CHECK(ask.failed == 1 && ask.type == EXCEPTION_FAILED && strstr(ask.reason, "too many for the heap") != NULL);
    while (hogs > 0) {
        sqlite3_free(hog[--hogs]);
    }
    make_refs("UPDATE extent SET refs=2");
    ask_check(&ask);
    settle();
    CHECK(ask.returned == 1 && volume_check_results_get_faults(volume_check_answer(&ask.call)) == 1);
    make_refs("UPDATE extent SET refs=1");
    nothing_is_left(9);
}

/* A count of 16 us doubles from one to the next. */
static void test_latency(void)
{
    static const uint64_t ns[] = {0, 15999, 16000, 31999, 32000, 4194303999, 4194304000, UINT64_MAX};
    static const unsigned at[] = {0, 0, 1, 1, 2, 18, 19, 19};

    for (unsigned i = 0; i < 8; i++) {
        uint64_t before = engine_self.count.latency[at[i]];
        note_latency(ns[i]);
        CHECK_EQ(engine_self.count.latency[at[i]], before + 1);
    }
}

int main(void)
{
    RUN(test_info);
    RUN(test_info_unmounted);
    RUN(test_format);
    RUN(test_snapshots);
    RUN(test_check);
    RUN(test_latency);
    disk_free();
    free(bytes);
    return test_end();
}
