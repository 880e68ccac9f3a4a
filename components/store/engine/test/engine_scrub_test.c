/* SPDX-License-Identifier: MIT OR Apache-2.0
 * engine_scrub_test.c: the search for damage: it finds each, names whose it is, accuses nobody else, keeps to its rate, gives way,
 * ends when it is told to; and what was found is mended by putting the same bytes again.
 */
#include "engine_support.h"
#include "../engine_scrub.c"

static struct object *const the_volume = &engine_self.volume;
static struct asker about;

static bool scrub(uint64_t rate)
{
    volume_scrub_params_set_bytes_per_second(
        volume_scrub_begin(&about.call, the_volume, asker_params(&about), &asker_source), rate);
    object_call(the_volume, &about.call);
    return about.returned == 1;
}

static struct scrub_report_reader scrubbed(void)
{
    (void)volume_scrubbed_begin(&about.call, the_volume, asker_params(&about), &asker_source);
    object_call(the_volume, &about.call);
    REQUIRE(about.returned == 1);
    return volume_scrubbed_results_get_report(volume_scrubbed_answer(&about.call));
}

/* A whole round. */
static struct scrub_report_reader round_of(uint64_t rate)
{
    REQUIRE(scrub(rate));
    settle();
    struct scrub_report_reader report = scrubbed();
    CHECK(!scrub_report_get_running(report));
    CHECK_EQ(time_get_nanoseconds(scrub_report_get_ended(report)), 7);
    return report;
}

static struct capnp_text named(struct scrub_report_reader report, uint32_t i)
{
    return capnp_read_text(capnp_list_ref(scrub_report_get_damaged(report), i));
}

static uint32_t named_count(struct scrub_report_reader report)
{
    return scrub_report_get_damaged(report).count;
}

/* "blob ...", and ", name" when it has one. */
static bool is_blob(struct capnp_text text, const uint8_t digest[CATALOG_DIGEST], const char *path)
{
    char expected[400] = "blob ";

    for (unsigned i = 0; i < CATALOG_DIGEST; i++) {
        (void)snprintf(expected + 5 + 2 * (size_t)i, 3, "%02x", digest[i]);
    }
    (void)snprintf(expected + 69, sizeof expected - 69, "%s%s", path[0] != 0 ? ", " : "", path);
    return capnp_text_equal(text, capnp_text(expected));
}

static void bind(const char *path, const uint8_t digest[CATALOG_DIGEST])
{
    struct object *names = &engine_self.names.object;
    struct namespace_bind_params_builder params =
        namespace_bind_begin(&ask.call, names, asker_params(&ask), &asker_source);

    namespace_bind_params_set_name(params, capnp_text(path));
    namespace_bind_params_set_digest(params, capnp_data(digest, CATALOG_DIGEST));
    object_call(names, &ask.call);
    settle();
    REQUIRE(ask.returned == 1);
}

static uint64_t block_of(const uint8_t digest[CATALOG_DIGEST], uint64_t block)
{
    static struct catalog_span span;
    struct catalog_op op = {.kind = CATALOG_FIND, .digest = digest};
    struct catalog_op *const ops[] = {&op};

    test_room = ROOM_THREAD;
    catalog_run(&catalog, ops, 1);
    op = (struct catalog_op){.kind = CATALOG_SPAN, .object = op.object, .block = block, .span = &span};
    catalog_run(&catalog, ops, 1);
    test_room = ROOM_LOOP;
    REQUIRE(op.answer == CATALOG_OK && span.start != 0);
    return span.start + block - span.at;
}

static uint64_t first_block(const uint8_t digest[CATALOG_DIGEST])
{
    return block_of(digest, 0);
}

static bool readable(unsigned blob, uint32_t size, const uint8_t digest[CATALOG_DIGEST])
{
    struct object *source = get(digest);
    struct byte_source_read_params_builder params =
        byte_source_read_begin(&ask.call, source, asker_params(&ask), &asker_source);

    fill(blob, size);
    byte_source_read_params_set_limit(params, 65536);
    object_call(source, &ask.call);
    settle();
    bool right =
        ask.returned == 1 && memcmp(byte_source_read_results_get_chunk(byte_source_read_answer(&ask.call)).bytes, bytes,
                                    size < 65536 ? size : 65536) == 0;
    asker_forget(&ask);
    object_put(source);
    settle();
    return right;
}

/* --- what it finds --------------------------------------------------------------------------------------------------- */

static void test_clean(void)
{
    uint8_t digest[CATALOG_DIGEST];

    fresh();
    struct scrub_report_reader report = round_of(1u << 30);
    CHECK_EQ(scrub_report_get_bytes_total(report), 0);
    REQUIRE(put_whole(1, 50 * BLOCK, 65536, digest) && put_whole(2, 100, 100, digest) &&
            put_whole(3, 5000, 5000, digest));
    report = round_of(1u << 30);
    CHECK_EQ(scrub_report_get_bytes(report), 52 * BLOCK);
    CHECK_EQ(scrub_report_get_bytes_total(report), 52 * BLOCK);
    CHECK_EQ(scrub_report_get_damaged_blocks(report), 0);
    CHECK_EQ(named_count(report), 0);
    nothing_is_left(52);
}

static void test_finds(void)
{
    uint8_t digest[3][CATALOG_DIGEST];

    fresh();
    for (unsigned i = 0; i < 3; i++) {
        REQUIRE(put_whole(1 + i, 40 * BLOCK, 65536, digest[i]));
    }
    bind("a name", digest[0]);
    disk_at(first_block(digest[0]) + 17)[77] ^= 1;
    disk_at(first_block(digest[0]) + 39)[0] ^= 1;
    disk_at(first_block(digest[2]))[4095] ^= 128;
    struct scrub_report_reader report = round_of(1u << 30);
    CHECK_EQ(scrub_report_get_damaged_blocks(report), 3);
    CHECK_EQ(engine_self.count.damaged, 3);
    CHECK_EQ(scrub_report_get_bytes(report), 120 * BLOCK);
    REQUIRE(named_count(report) == 2);
    CHECK(is_blob(named(report, 0), digest[0], "a name"));
    CHECK(is_blob(named(report, 1), digest[2], ""));
    nothing_is_left(120);
}

/* What cannot be read is damage, too, and no more than that is. */
static void test_finds_unreadable(void)
{
    uint8_t digest[CATALOG_DIGEST];

    fresh();
    REQUIRE(put_whole(1, 40 * BLOCK, 65536, digest));
    data.bad_block = first_block(digest) + 20;
    struct scrub_report_reader report = round_of(1u << 30);
    CHECK_EQ(scrub_report_get_damaged_blocks(report), 1);
    CHECK(named_count(report) == 1 && is_blob(named(report, 0), digest, ""));
    data.bad_block = 0;
    CHECK_EQ(scrub_report_get_damaged_blocks(round_of(1u << 30)), 0);
    nothing_is_left(40);
}

/* A file that was written to has a path and no digest; a long one is cut in front. */
static void test_names_files(void)
{
    static struct named file;
    char longest[CATALOG_PATH_MAX];

    memset(longest, 'x', sizeof longest);
    memcpy(longest + sizeof longest - 6, "/the/e", 6);
    add_path(&file, "a/b", 3);
    CHECK_STR(file.text, "file a/b");
    add_path(&file, longest, sizeof longest);
    CHECK(strncmp(file.text, "file ...xxx", 11) == 0 && strlen(file.text) <= TEXT_MAX - 1);
    CHECK(strcmp(file.text + strlen(file.text) - 6, "/the/e") == 0);
    file = (struct named){.blob = true};
    name_blob(&file, (const uint8_t[CATALOG_DIGEST]){0xab});
    add_path(&file, longest, sizeof longest);
    CHECK(strncmp(file.text, "blob ab00", 9) == 0 && strncmp(file.text + 69, ", ...xxx", 8) == 0);
    CHECK(strcmp(file.text + strlen(file.text) - 6, "/the/e") == 0);
}

/* Of a blob in two extents, both of them damaged, there is one name. */
static void test_names_once(void)
{
    uint8_t digest[10][CATALOG_DIGEST];

    fresh();
    for (unsigned i = 0; i < 10; i++) {
        REQUIRE(put_whole(1 + i, 60 * BLOCK, 65536, digest[i]));
    }
    CHECK(forget(digest[0]) && forget(digest[2]));
    REQUIRE(put_whole(20, 90 * BLOCK, 65536, digest[0]));
    uint64_t first = block_of(digest[0], 0), last = block_of(digest[0], 89);
    CHECK(last != first + 89);
    disk_at(first)[0] ^= 1;
    disk_at(last)[0] ^= 1;
    struct scrub_report_reader report = round_of(1u << 30);
    CHECK_EQ(scrub_report_get_damaged_blocks(report), 2);
    CHECK(named_count(report) == 1 && is_blob(named(report, 0), digest[0], ""));
    nothing_is_left(570);
}

/* As a file that was cut: it shares the blob's blocks but for the last. */
static void make_shorter_file(const uint8_t digest[CATALOG_DIGEST], uint64_t blocks)
{
    struct catalog_op op = {
        .kind = CATALOG_BIND, .at = {CATALOG_ROOT, CATALOG_NOW}, .path = {"f", 1}, .digest = digest};
    struct catalog_op *const ops[] = {&op};

    test_room = ROOM_THREAD;
    catalog_run(&catalog, ops, 1);
    op.kind = CATALOG_STAT;
    catalog_run(&catalog, ops, 1);
    op = (struct catalog_op){.kind = CATALOG_TRUNCATE, .id = op.node.id, .size = blocks * BLOCK};
    catalog_run(&catalog, ops, 1);
    test_room = ROOM_LOOP;
    REQUIRE(op.answer == CATALOG_OK);
}

static void test_shared(void)
{
    uint8_t digest[CATALOG_DIGEST];

    fresh();
    REQUIRE(put_whole(1, 40 * BLOCK, 65536, digest));
    bind("b", digest);
    make_shorter_file(digest, 39);
    disk_at(first_block(digest) + 39)[5] ^= 1;
    struct scrub_report_reader report = round_of(1u << 30);
    REQUIRE(named_count(report) == 1);
    CHECK(is_blob(named(report, 0), digest, "b")); /* and not the file */
    disk_at(first_block(digest) + 38)[5] ^= 1;
    report = round_of(1u << 30);
    CHECK_EQ(scrub_report_get_damaged_blocks(report), 2);
    CHECK_EQ(scrub_report_get_bytes(report), 40 * BLOCK);
    REQUIRE(named_count(report) == 2);
    CHECK(is_blob(named(report, 0), digest, "b"));
    CHECK(capnp_text_equal(named(report, 1), capnp_text("file f")));
    nothing_is_left(40);
}

/* An extent that it knows is freed before it is read, and another stands in its place, with its number. */
static void test_replaced(void)
{
    uint8_t digest[CATALOG_DIGEST];

    for (unsigned damaged = 0; damaged < 3; damaged++) {
        fresh();
        REQUIRE(put_whole(1, 40 * BLOCK, 65536, digest));
        uint64_t place = first_block(digest);
        time_stands = true;
        REQUIRE(scrub(1u << 30));
        settle();
        CHECK(armed != NULL && forget(digest));
        REQUIRE(put_whole(2, 40 * BLOCK, 65536, digest));
        CHECK_EQ(first_block(digest), place);
        disk_at(place + 30)[0] ^= damaged == 1;
        if (damaged == 2) { /* nothing is there any more, and other bytes are */
            CHECK(forget(digest));
        }
        time_stands = false;
        settle();
        CHECK_EQ(scrub_report_get_damaged_blocks(scrubbed()), damaged == 1);
        CHECK_EQ(named_count(scrubbed()), damaged == 1);
        CHECK_EQ(scrub_report_get_bytes(scrubbed()), damaged == 2 ? 0 : 40 * BLOCK);
        nothing_is_left(damaged == 2 ? 0 : 40);
    }
}

/* The catalog's word is of a moment: what ends between it and the read is not damaged. `damaged`: but what came then is. */
static void test_ends_after_the_word(void)
{
    uint8_t digest[CATALOG_DIGEST];

    for (unsigned damaged = 2; damaged-- > 0;) {
        fresh();
        REQUIRE(put_whole(1, 40 * BLOCK, 65536, digest));
        uint64_t place = first_block(digest);
        disk_at(place)[0] ^= 1;
        REQUIRE(scrub(1u << 30));
        while (self.careful_to == 0) {
            REQUIRE(happen());
        }
        time_stands = true;
        settle();
        CHECK(armed != NULL && forget(digest));
        REQUIRE(put_whole(2, 40 * BLOCK, 65536, digest));
        CHECK_EQ(first_block(digest), place);
        disk_at(place + 30)[0] ^= damaged == 1;
        time_stands = false;
        settle();
        CHECK_EQ(scrub_report_get_damaged_blocks(scrubbed()), damaged);
        CHECK_EQ(named_count(scrubbed()), damaged);
    }
}

/* Blobs come and go while it reads: it sees blocks of others, and accuses nobody. */
static void test_among_changes(void)
{
    uint8_t digest[4][CATALOG_DIGEST];
    uint32_t size[4] = {0};
    uint64_t before = engine_self.count.damaged;

    fresh();
    for (unsigned round = 0; round < 200; round++) {
        unsigned i = round % 4;
        if (!scrub_report_get_running(scrubbed())) {
            CHECK_EQ(scrub_report_get_damaged_blocks(scrubbed()), 0);
            REQUIRE(scrub(1u << 26));
        }
        for (unsigned steps = (unsigned)(test_random() % 60); steps > 0 && happen(); steps--) {
        }
        time_stands = true;
        if (size[i] > 0) {
            CHECK(forget(digest[i]));
        }
        size[i] = 20000 + (uint32_t)(test_random() % 300000);
        REQUIRE(put_whole(round, size[i], 65536, digest[i]));
        time_stands = false;
    }
    settle();
    CHECK_EQ(scrub_report_get_damaged_blocks(scrubbed()), 0);
    CHECK_EQ(engine_self.count.damaged, before);
    asker_forget(&about);
}

/* For each blob that it comes to another one is put: it ends all the same. */
static void test_ends_among_changes(void)
{
    uint8_t digest[2][CATALOG_DIGEST];
    unsigned came = 2;

    fresh();
    REQUIRE(put_whole(0, 20 * BLOCK, 65536, digest[0]) && put_whole(1, 20 * BLOCK, 65536, digest[1]));
    REQUIRE(scrub(1u << 26));
    for (; came < 100 && self.running; came++) {
        for (uint64_t extent = self.extent; self.running && self.extent == extent && happen();) {
        }
        time_stands = true;
        CHECK(forget(digest[came % 2]));
        REQUIRE(put_whole(came, 20 * BLOCK, 65536, digest[came % 2]));
        time_stands = false;
    }
    CHECK(came > ROUNDS_MAX && came < 20);
    settle();
    CHECK_EQ(scrub_report_get_damaged_blocks(scrubbed()), 0);
    asker_forget(&about);
}

/* --- how it goes on -------------------------------------------------------------------------------------------------- */

static void test_rate(void)
{
    uint8_t digest[CATALOG_DIGEST];

    fresh();
    REQUIRE(put_whole(1, 64 * BLOCK, 65536, digest));
    uint64_t before = test_clock_ns;
    (void)round_of(100000);
    uint64_t took = test_clock_ns - before;
    CHECK(took >= 48 * BLOCK * 10000ull && took < 70 * BLOCK * 10000ull);
    before = test_clock_ns;
    REQUIRE(scrub(1));
    while (engine_self.count.bytes_read == 0 || armed == NULL || armed->deadline_ns - test_clock_ns < NS_PER_S) {
        REQUIRE(happen());
    }
    REQUIRE(scrub(1u << 30)); /* a day is left to wait; the new rate holds at once */
    settle();
    CHECK(test_clock_ns - before < NS_PER_S);
    CHECK_EQ(scrub_report_get_bytes(scrubbed()), 64 * BLOCK);
    nothing_is_left(64);
}

static void test_gives_way(void)
{
    uint8_t digest[CATALOG_DIGEST];

    fresh();
    REQUIRE(put_whole(1, 64 * BLOCK, 65536, digest));
    REQUIRE(scrub(1u << 30));
    while (armed == NULL) {
        REQUIRE(happen());
    }
    engine_self.io.out++; /* somebody's */
    for (unsigned i = 0; i < YIELDS_MAX; i++) {
        fire();
        CHECK(data.count == 0 && armed != NULL && armed->deadline_ns == test_clock_ns + NS_PER_MS);
    }
    fire();
    CHECK_EQ(data.count, 1); /* nobody waits for ever */
    engine_self.io.out--;
    settle();
    CHECK_EQ(scrub_report_get_bytes(scrubbed()), 64 * BLOCK);
    nothing_is_left(64);
}

static void test_stops(void)
{
    uint8_t digest[CATALOG_DIGEST];

    fresh();
    REQUIRE(put_whole(1, 64 * BLOCK, 65536, digest));
    disk_at(first_block(digest))[0] ^= 1;
    for (unsigned steps = 0; steps < 60; steps++) { /* in each of its states */
        REQUIRE(scrub(1u << 30));
        for (unsigned i = 0; i < steps && happen(); i++) {
        }
        CHECK(scrub(0));
        CHECK(!scrub_report_get_running(scrubbed()));
        CHECK(scrub(1u << 30) || about.type == EXCEPTION_OVERLOADED);
        CHECK(scrub(0));
        settle();
    }
    CHECK_EQ(scrub_report_get_damaged_blocks(round_of(1u << 30)), 1);
    data.device.dead = true;
    CHECK(scrub_report_get_bytes(round_of(1u << 30)) == 0);
    data.device.dead = false;
    nothing_is_left(64);
}

/* It is no reason to refuse a format, and ends with it. */
static void test_formatted(void)
{
    uint8_t digest[CATALOG_DIGEST];

    for (unsigned steps = 0; steps < 9; steps++) {
        fresh();
        REQUIRE(put_whole(1, 64 * BLOCK, 65536, digest));
        REQUIRE(scrub(1u << 30));
        for (unsigned i = 0; i < steps; i++) {
            REQUIRE(happen());
        }
        CHECK(scrub_report_get_running(scrubbed()));
        volume_format_params_set_confirm(volume_format_begin(&ask.call, the_volume, asker_params(&ask), &asker_source),
                                         capnp_text("erase everything"));
        object_call(the_volume, &ask.call);
        CHECK(ask.call.out && !scrub_report_get_running(scrubbed()));
        while (engine_self.bell.out && engine_self.desk.command == ENGINE_RUN) {
            play_thread();
        }
        test_room = ROOM_THREAD;
        catalog_close(&catalog);
        test_room = ROOM_LOOP;
        settle();
        CHECK(ask.returned == 1);
        nothing_is_left(0);
    }
}

/* --- what becomes of it ---------------------------------------------------------------------------------------------- */

static void test_mended(void)
{
    uint8_t digest[CATALOG_DIGEST];

    for (unsigned by_reader = 0; by_reader < 2; by_reader++) {
        fresh();
        REQUIRE(put_whole(1, 9 * BLOCK, 65536, digest));
        bind("a", digest);
        disk_at(first_block(digest) + 4)[0] ^= 1;
        if (by_reader != 0) {
            CHECK(!readable(1, 9 * BLOCK, digest));
        } else {
            CHECK_EQ(scrub_report_get_damaged_blocks(round_of(1u << 30)), 1);
        }
        REQUIRE(put_whole(1, 9 * BLOCK, 65536, digest));
        CHECK(readable(1, 9 * BLOCK, digest));
        CHECK_EQ(scrub_report_get_damaged_blocks(round_of(1u << 30)), 0);
        nothing_is_left(9);
    }
}

int main(void)
{
    RUN(test_clean);
    RUN(test_finds);
    RUN(test_finds_unreadable);
    RUN(test_names_files);
    RUN(test_names_once);
    RUN(test_shared);
    RUN(test_replaced);
    RUN(test_ends_after_the_word);
    RUN(test_among_changes);
    RUN(test_ends_among_changes);
    RUN(test_rate);
    RUN(test_gives_way);
    RUN(test_stops);
    RUN(test_formatted);
    RUN(test_mended);
    disk_free();
    free(bytes);
    return test_end();
}
