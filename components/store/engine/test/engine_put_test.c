/* SPDX-License-Identifier: MIT OR Apache-2.0
 * engine_put_test.c: uploads that break and are gone on with: what is kept, who gets it, and that nobody is the worse for it.
 */
#include "engine_support.h"

#define SIZE 300000u
#define CUT 200000u

static uint64_t received; /* by the upload that the last put gave */
static uint8_t right[CATALOG_DIGEST];

/* What is put from here on. */
static void content(unsigned blob)
{
    fill(blob, SIZE);
    sha256_bytes(bytes, SIZE, right);
}

static struct object *begin_put(uint64_t size, const uint8_t *digest)
{
    struct object *upload = put_declared(size, digest);

    received = upload != NULL ? store_put_results_get_received(store_put_answer(&ask.call)) : 0;
    return upload;
}

static struct object *begin_put_file(struct object *dir, const char *path, uint64_t size, const uint8_t *digest,
                                     bool exclusive)
{
    struct directory_put_params_builder params = directory_put_begin(&ask.call, dir, asker_params(&ask), &asker_source);

    directory_put_params_set_path(params, capnp_text(path));
    directory_put_params_set_size(params, size);
    directory_put_params_set_digest(params, capnp_data(digest, CATALOG_DIGEST));
    directory_put_params_set_exclusive(params, exclusive);
    object_call(dir, &ask.call);
    settle();
    REQUIRE(ask.returned == 1);
    received = directory_put_results_get_received(directory_put_answer(&ask.call));
    return object_get(directory_put_results_get_upload(directory_put_answer(&ask.call)));
}

static void drop(struct object *object)
{
    object_put(object);
    for (unsigned i = 0; i < 4; i++) {
        asker_forget(&chunks[i]);
    }
    asker_forget(&ask);
    settle();
}

/* A connection ends behind so many bytes. */
static void break_off(uint32_t at)
{
    struct object *upload = begin_put(SIZE, right);

    REQUIRE(upload != NULL && received == 0);
    CHECK(write_all(upload, at, 65536));
    drop(upload);
}

static void expire_now(void)
{
    struct timer *timer = late;

    REQUIRE(timer != NULL);
    late = NULL;
    test_clock_ns = timer->deadline_ns;
    timer->fire(timer);
    settle();
}

/* Nothing is kept any more either. */
static void end(uint64_t used)
{
    engine_kept_give_up();
    settle();
    CHECK_EQ(engine_kept_count(), 0);
    nothing_is_left(used);
}

/* Broken anywhere, and again and again. */
static void test_goes_on(void)
{
    uint8_t digest[CATALOG_DIGEST];

    fresh();
    content(1);
    for (unsigned round = 0; round < 30; round++) {
        uint32_t at = 0;
        for (unsigned i = 0; i < 1 + round % 3; i++) {
            struct object *upload = begin_put(SIZE, right);
            REQUIRE(upload != NULL);
            CHECK_EQ(received, at);
            uint32_t to = at + 1 + (uint32_t)(test_random() % 90000);
            CHECK(write_from(upload, at, to, 65536));
            drop(upload);
            CHECK_EQ(engine_kept_count(), 1);
            at = to;
        }
        struct object *upload = begin_put(SIZE, right);
        REQUIRE(upload != NULL && received == at);
        CHECK_EQ(engine_kept_count(), 0);
        CHECK(write_from(upload, at, SIZE, 65536) && finish(upload, digest));
        CHECK_BYTES(digest, right, CATALOG_DIGEST);
        drop(upload);
        CHECK_EQ(engine_kept_count(), 0);
        check_blob(1, SIZE, digest);
        CHECK(forget(digest));
    }
    end(0);
}

/* All came, and finish() did not. */
static void test_only_the_end_is_missing(void)
{
    uint8_t digest[CATALOG_DIGEST];

    fresh();
    content(2);
    break_off(SIZE);
    struct object *upload = begin_put(SIZE, right);
    REQUIRE(upload != NULL && received == SIZE);
    CHECK(finish(upload, digest));
    drop(upload);
    check_blob(2, SIZE, right);
    end(74);
}

/* Undeclared, empty, small, failed, finished: it is dropped as ever. */
static void test_not_kept(void)
{
    uint8_t digest[CATALOG_DIGEST];

    fresh();
    content(3);
    struct object *upload = begin_put(SIZE, NULL);
    REQUIRE(upload != NULL && write_all(upload, CUT, 65536));
    drop(upload);
    CHECK_EQ(engine_kept_count(), 0);
    break_off(0);
    CHECK_EQ(engine_kept_count(), 0);
    upload = begin_put(2000, right);
    REQUIRE(upload != NULL && write_all(upload, 1500, 1500));
    drop(upload);
    CHECK_EQ(engine_kept_count(), 0);
    upload = begin_put(SIZE, right);
    data.fail_writes = 1;
    REQUIRE(upload != NULL && !write_all(upload, CUT, 65536));
    data.fail_writes = UINT32_MAX;
    drop(upload);
    CHECK_EQ(engine_kept_count(), 0);
    upload = begin_put(SIZE, right);
    REQUIRE(upload != NULL && write_all(upload, SIZE, 65536) && finish(upload, digest));
    drop(upload);
    CHECK_EQ(engine_kept_count(), 0);
    end(74);
}

static struct object *derived(struct object *object)
{
    REQUIRE(ask.returned == 1 && object != NULL);
    return object_get(object);
}

static struct object *derive_quota(struct object *dir, uint64_t most)
{
    directory_quota_params_set_bytes(directory_quota_begin(&ask.call, dir, asker_params(&ask), &asker_source), most);
    object_call(dir, &ask.call);
    settle();
    return derived(directory_quota_results_get_directory(directory_quota_answer(&ask.call)));
}

static struct object *derive_sub(struct object *dir, const char *path)
{
    struct directory_mkdir_params_builder made =
        directory_mkdir_begin(&ask.call, dir, asker_params(&ask), &asker_source);
    directory_mkdir_params_set_path(made, capnp_text(path));
    object_call(dir, &ask.call);
    settle();
    directory_sub_params_set_path(directory_sub_begin(&ask.call, dir, asker_params(&ask), &asker_source),
                                  capnp_text(path));
    object_call(dir, &ask.call);
    settle();
    return derived(directory_sub_results_get_directory(directory_sub_answer(&ask.call)));
}

static void is_another(struct object *upload)
{
    CHECK_EQ(received, 0);
    CHECK_EQ(engine_kept_count(), 1);
    drop(upload);
}

/* Those that are not the put of "aa" in the top directory, each for a reason of its own. */
static void begin_others(struct object *below)
{
    struct object *root = &engine_self.root.object;
    uint8_t digest[CATALOG_DIGEST];

    memcpy(digest, right, CATALOG_DIGEST);
    digest[CATALOG_DIGEST - 1] ^= 1;
    is_another(begin_put_file(below, "aa", SIZE, right, false));
    is_another(begin_put_file(root, "a", SIZE, right, false));
    is_another(begin_put_file(root, "aaa", SIZE, right, false));
    is_another(begin_put_file(root, "ab", SIZE, right, false));
    is_another(begin_put_file(root, "aa", SIZE + 1, right, false));
    is_another(begin_put_file(root, "aa", SIZE, digest, false));
    is_another(begin_put_file(root, "aa", SIZE, right, true));
    is_another(begin_put(SIZE, right));
    is_another(begin_put(SIZE, NULL));
}

/* Only who asks for the same gets it; what has a quota is not kept. */
static void test_who_gets_it(void)
{
    struct object *root = &engine_self.root.object;
    uint8_t digest[CATALOG_DIGEST];

    fresh();
    content(4);
    struct object *upload = begin_put_file(root, "aa", SIZE, right, false);
    CHECK(write_all(upload, CUT, 65536));
    drop(upload);
    struct object *below = derive_sub(root, "d");
    begin_others(below);
    drop(below);
    struct object *bound = derive_quota(root, 10 * SIZE);
    upload = begin_put_file(bound, "aa", SIZE, right, false);
    CHECK_EQ(received, 0);
    CHECK(write_all(upload, CUT, 65536));
    drop(upload);
    CHECK_EQ(engine_kept_count(), 1);
    drop(bound);
    upload = begin_put_file(root, "aa", SIZE, right, false);
    CHECK_EQ(received, CUT);
    CHECK(write_from(upload, CUT, SIZE, 65536) && finish(upload, digest));
    drop(upload);
    check_blob(4, SIZE, right);
    end(74);
}

static void test_expires(void)
{
    fresh();
    content(5);
    break_off(CUT);
    uint64_t first = late->deadline_ns;
    CHECK_EQ(first - test_clock_ns, ENGINE_KEPT_SECONDS * NS_PER_S);
    test_clock_ns += 200 * NS_PER_S;
    content(6);
    break_off(CUT);
    CHECK_EQ(late->deadline_ns, first);
    expire_now();
    CHECK_EQ(engine_kept_count(), 1);
    CHECK_EQ(late->deadline_ns, first + 200 * NS_PER_S);
    struct object *upload = begin_put(SIZE, right);
    CHECK_EQ(received, CUT);
    drop(upload);
    expire_now(); /* kept anew */
    CHECK_EQ(engine_kept_count(), 1);
    expire_now();
    CHECK_EQ(engine_kept_count(), 0);
    CHECK(late == NULL);
    nothing_is_left(0);
}

/* The oldest makes room for another that is to be kept, and for who wants its place. */
static void test_places(void)
{
    struct object *open[ENGINE_UPLOADS_MAX];

    fresh();
    for (unsigned i = 0; i <= ENGINE_UPLOADS_KEPT; i++) {
        content(10 + i);
        break_off(30000);
        CHECK_EQ(engine_kept_count(), i < ENGINE_UPLOADS_KEPT ? i + 1 : i);
    }
    CHECK_EQ(engine_self.open, ENGINE_UPLOADS_KEPT);
    for (unsigned i = 0; i < ENGINE_UPLOADS_MAX; i++) {
        open[i] = put(100); /* takes no room */
        REQUIRE(open[i] != NULL);
        unsigned free = ENGINE_UPLOADS_MAX - 1 - i;
        CHECK_EQ(engine_kept_count(), free < ENGINE_UPLOADS_KEPT ? free : ENGINE_UPLOADS_KEPT);
    }
    CHECK(put(100) == NULL && ask.type == EXCEPTION_OVERLOADED);
    for (unsigned i = 0; i < ENGINE_UPLOADS_MAX; i++) {
        drop(open[i]);
    }
    end(0);
}

/* Who finds no room is told that there will be some, and finds it; for ever full is said when it is. */
static void test_full(void)
{
    fresh();
    content(7);
    break_off(CUT);
    CHECK(put((DATA_BLOCKS - 74 + 1) * BLOCK) == NULL);
    CHECK(ask.type == EXCEPTION_OVERLOADED && strncmp(ask.reason, "full: put", 9) == 0);
    CHECK_EQ(engine_kept_count(), 0);
    settle();
    struct object *upload = put(DATA_BLOCKS * BLOCK);
    REQUIRE(upload != NULL);
    drop(upload);
    CHECK(put((DATA_BLOCKS + 1) * BLOCK) == NULL && ask.type == EXCEPTION_OVERLOADED); /* it may still be on its way */
    test_clock_ns += 6 * NS_PER_S;
    CHECK(put((DATA_BLOCKS + 1) * BLOCK) == NULL && ask.type == EXCEPTION_FAILED);
    nothing_is_left(0);
}

/* What was kept is not what was meant: that shows at the end, and the next begins anew. */
static void test_wrong_bytes(void)
{
    uint8_t digest[CATALOG_DIGEST];

    fresh();
    content(8);
    bytes[CUT / 2] ^= 1;
    break_off(CUT);
    struct object *upload = begin_put(SIZE, right);
    CHECK_EQ(received, CUT);
    CHECK(write_from(upload, CUT, SIZE, 65536) && !finish(upload, digest));
    CHECK(strncmp(ask.reason, "corrupt:", 8) == 0);
    drop(upload);
    CHECK_EQ(engine_kept_count(), 0);
    content(8);
    upload = begin_put(SIZE, right);
    CHECK_EQ(received, 0);
    CHECK(write_all(upload, SIZE, 65536));
    upload_finish_params_set_expected(upload_finish_begin(&ask.call, upload, asker_params(&ask), &asker_source),
                                      capnp_data(digest, CATALOG_DIGEST));
    object_call(upload, &ask.call);
    CHECK(ask.failed == 1 && strncmp(ask.reason, "bad-argument:", 13) == 0);
    CHECK(finish(upload, digest));
    drop(upload);
    check_blob(8, SIZE, right);
    end(74);
}

static bool write_at(struct object *upload, uint32_t from, uint32_t size, uint64_t offset)
{
    struct byte_sink_write_params_builder params =
        byte_sink_write_begin(&chunks[0].call, upload, asker_params(&chunks[0]), &asker_source);

    byte_sink_write_params_set_chunk(params, capnp_data(bytes + from, size));
    byte_sink_write_params_set_offset(params, offset);
    object_call(upload, &chunks[0].call);
    settle();
    return chunks[0].returned == 1;
}

/* A chunk does not follow one that was refused, and what was kept ends before it. */
static void test_no_gap(void)
{
    fresh();
    content(9);
    struct object *upload = begin_put(SIZE, right);
    CHECK(write_at(upload, 0, 5000, 0));
    CHECK(!write_at(upload, 6000, 5000, 6000) && strncmp(chunks[0].reason, "conflict:", 9) == 0);
    CHECK(!write_at(upload, 4000, 5000, 4000));
    CHECK(write_at(upload, 5000, 5000, 5000));
    CHECK(!write_at(upload, 15000, 5000, 15000));
    drop(upload);
    upload = begin_put(SIZE, right);
    CHECK_EQ(received, 10000);
    drop(upload);
    end(0);
}

/* A connection that ended and did not say so: who asks again when nothing came for a while has the upload too. */
static void test_silence(void)
{
    uint8_t digest[CATALOG_DIGEST];

    fresh();
    content(20);
    struct object *first = begin_put(SIZE, right);
    CHECK(write_all(first, CUT, 65536));
    struct object *second = begin_put(SIZE, right); /* at the same time: one of its own */
    CHECK(second != first && received == 0);
    drop(second);
    test_clock_ns += 11 * NS_PER_S;
    second = begin_put(SIZE, right);
    CHECK(second == first);
    CHECK_EQ(received, CUT);
    struct object *third = begin_put(SIZE, right); /* somebody has just come for it */
    CHECK(third != first && received == 0);
    drop(third);
    CHECK(write_at(second, CUT, 5000, CUT));
    CHECK(!write_at(first, CUT, 5000, CUT) && strncmp(chunks[0].reason, "conflict:", 9) == 0);
    drop(first);
    CHECK_EQ(engine_kept_count(), 0); /* one still has it */
    CHECK(write_from(second, CUT + 5000, SIZE, 65536) && finish(second, digest));
    test_clock_ns += 11 * NS_PER_S;
    third = begin_put(SIZE, right); /* it is over */
    CHECK(third != second && received == 0);
    drop(third);
    drop(second);
    end(74);
}

/* Of several that broke, the one that has most. */
static void test_most(void)
{
    fresh();
    content(24);
    struct object *first = begin_put(SIZE, right);
    struct object *second = begin_put(SIZE, right);
    CHECK(write_all(first, 70000, 65536));
    CHECK(write_all(second, CUT, 65536));
    drop(first);
    drop(second);
    struct object *third = begin_put(SIZE, right);
    CHECK_EQ(received, CUT);
    test_clock_ns += 11 * NS_PER_S; /* of that one nothing is heard: it has more than what is kept */
    struct object *fourth = begin_put(SIZE, right);
    CHECK(fourth == third && received == CUT);
    drop(fourth);
    drop(third);
    CHECK_EQ(engine_kept_count(), 2);
    end(0);
}

/* Silent because we are slow: it is not given away. */
static void test_our_silence(void)
{
    fresh();
    content(23);
    struct object *first = begin_put(SIZE, right);
    byte_sink_write_params_set_chunk(
        byte_sink_write_begin(&chunks[0].call, first, asker_params(&chunks[0]), &asker_source),
        capnp_data(bytes, 65536));
    object_call(first, &chunks[0].call);
    REQUIRE(chunks[0].call.out);
    test_clock_ns += 11 * NS_PER_S;
    struct object *second = begin_put(SIZE, right);
    CHECK(second != first && received == 0 && chunks[0].returned == 1);
    drop(second);
    test_clock_ns += 9 * NS_PER_S; /* from our answer on */
    second = begin_put(SIZE, right);
    CHECK(second != first);
    drop(second);
    drop(first);
    end(0);
}

/* What is kept does not stand in the way of a format, and is gone after it. */
static void test_format(void)
{
    fresh();
    content(21);
    break_off(CUT);
    fresh();
    CHECK_EQ(engine_kept_count(), 0);
    struct object *upload = begin_put(SIZE, right);
    CHECK(upload != NULL && received == 0);
    drop(upload);
    nothing_is_left(0);
}

/* From the moment that a format is asked for until it is done: whoever came in between would be erased, or hold it up. */
static void test_nobody_comes_before_a_format(void)
{
    struct asker other = {0};
    bool closed = false;

    fresh();
    content(22);
    break_off(CUT);
    volume_format_params_set_confirm(
        volume_format_begin(&ask.call, &engine_self.volume, asker_params(&ask), &asker_source),
        capnp_text("erase everything"));
    object_call(&engine_self.volume, &ask.call);
    while (ask.call.out) {
        store_put_params_set_size(store_put_begin(&other.call, &engine_self.store, asker_params(&other), &asker_source),
                                  SIZE);
        object_call(&engine_self.store, &other.call);
        REQUIRE(other.failed == 1 && other.type == EXCEPTION_OVERLOADED);
        if (engine_self.bell.out && engine_self.desk.command == ENGINE_FORMAT && !closed) {
            test_room = ROOM_THREAD;
            catalog_close(&catalog);
            test_room = ROOM_LOOP;
            closed = true;
        }
        REQUIRE(happen());
    }
    CHECK(ask.returned == 1 && closed);
    asker_forget(&other);
    nothing_is_left(0);
}

int main(void)
{
    RUN(test_goes_on);
    RUN(test_only_the_end_is_missing);
    RUN(test_not_kept);
    RUN(test_who_gets_it);
    RUN(test_expires);
    RUN(test_places);
    RUN(test_full);
    RUN(test_wrong_bytes);
    RUN(test_no_gap);
    RUN(test_silence);
    RUN(test_our_silence);
    RUN(test_most);
    RUN(test_format);
    RUN(test_nobody_comes_before_a_format);
    disk_free();
    free(bytes);
    return test_end();
}
