/* SPDX-License-Identifier: MIT OR Apache-2.0
 * engine_names_test.c: blobs under names: in one step, in batches, through views; pins, and what is collected.
 */
#include "engine_support.h"
#include "../engine_stat.h"

static struct object *names(void)
{
    return &engine_self.names.object;
}

static struct object *store(void)
{
    return &engine_self.store;
}

static bool done(void)
{
    settle();
    return ask.returned == 1;
}

static bool refused(const char *reason)
{
    return ask.failed == 1 && strncmp(ask.reason, reason, strlen(reason)) == 0;
}

/* `size` bytes, all of them `content`. */
static const uint8_t *digest_of(uint8_t content, uint32_t size)
{
    static uint8_t digest[4][CATALOG_DIGEST];
    static unsigned turn;
    uint8_t *out = digest[turn++ % 4];

    memset(bytes, content, size);
    sha256_bytes(bytes, size, out);
    return out;
}

/* Fills an upload and finishes it. */
static bool upload(struct object *sink, uint8_t content, uint32_t size, const uint8_t *expected)
{
    memset(bytes, content, size);
    byte_sink_write_params_set_chunk(byte_sink_write_begin(&ask.call, sink, asker_params(&ask), &asker_source),
                                     capnp_data(bytes, size));
    object_call(sink, &ask.call);
    REQUIRE(done());
    struct upload_finish_params_builder p = upload_finish_begin(&ask.call, sink, asker_params(&ask), &asker_source);
    if (expected != NULL) {
        upload_finish_params_set_expected(p, capnp_data(expected, CATALOG_DIGEST));
    }
    object_call(sink, &ask.call);
    return done();
}

static void drop(struct object *object)
{
    struct asker kept = ask; /* what it said is looked at afterwards */

    object_put(object);
    settle();
    CHECK(memcmp(kept.reason, ask.reason, sizeof kept.reason) == 0);
}

static bool put_name(struct object *in, const char *name, uint8_t content, uint32_t size, const uint8_t *expected)
{
    struct namespace_put_params_builder p = namespace_put_begin(&ask.call, in, asker_params(&ask), &asker_source);

    namespace_put_params_set_name(p, capnp_text(name));
    namespace_put_params_set_size(p, size);
    object_call(in, &ask.call);
    if (!done()) {
        return false;
    }
    struct object *sink = object_get(namespace_put_results_get_upload(namespace_put_answer(&ask.call)));
    bool ok = upload(sink, content, size, expected);
    drop(sink);
    return ok;
}

static bool means(struct object *in, const char *name, const uint8_t *digest)
{
    namespace_lookup_params_set_name(namespace_lookup_begin(&ask.call, in, asker_params(&ask), &asker_source),
                                     capnp_text(name));
    object_call(in, &ask.call);
    REQUIRE(done());
    struct namespace_lookup_results_reader r = namespace_lookup_answer(&ask.call);
    if (digest == NULL) {
        return !namespace_lookup_results_get_present(r);
    }
    struct capnp_data got = namespace_lookup_results_get_digest(r);
    return got.size == CATALOG_DIGEST && memcmp(got.bytes, digest, CATALOG_DIGEST) == 0;
}

static bool remove_name(struct object *in, const char *name)
{
    namespace_remove_params_set_name(namespace_remove_begin(&ask.call, in, asker_params(&ask), &asker_source),
                                     capnp_text(name));
    object_call(in, &ask.call);
    return done() && namespace_remove_results_get_removed(namespace_remove_answer(&ask.call));
}

/* The names of a page, one behind the other. */
static const char *listed(struct object *in, const char *prefix, const char *after, uint32_t limit)
{
    static char all[200];
    struct namespace_list_params_builder p = namespace_list_begin(&ask.call, in, asker_params(&ask), &asker_source);

    namespace_list_params_set_prefix(p, capnp_text(prefix));
    namespace_list_params_set_after(p, capnp_text(after));
    namespace_list_params_set_limit(p, limit);
    object_call(in, &ask.call);
    REQUIRE(done());
    struct namespace_list_results_reader r = namespace_list_answer(&ask.call);
    struct name_entry_readers entries = namespace_list_results_get_entries(r);
    all[0] = '\0';
    for (uint32_t i = 0; i < name_entry_count(entries); i++) {
        strcat(all, name_entry_get_name(name_entry_at(entries, i)).text);
        strcat(all, " ");
    }
    strcat(all, namespace_list_results_get_more(r) ? "..." : "");
    return all;
}

struct step {
    const char *name;
    const uint8_t *digest, *expected;
    bool means;
};

static bool commit(struct object *in, const struct step *step, uint32_t count)
{
    struct name_change_builders changes = namespace_commit_params_init_changes(
        namespace_commit_begin(&ask.call, in, asker_params(&ask), &asker_source), count);

    for (uint32_t i = 0; i < count; i++) {
        struct name_change_builder change = name_change_builder_at(changes, i);
        name_change_set_name(change, capnp_text(step[i].name));
        name_change_set_digest(change, capnp_data(step[i].digest, step[i].digest != NULL ? CATALOG_DIGEST : 0));
        name_change_set_expected(change, capnp_data(step[i].expected, step[i].expected != NULL ? CATALOG_DIGEST : 0));
        name_change_set_condition(change, step[i].means ? NAME_CHANGE_CONDITION_MEANS : NAME_CHANGE_CONDITION_NONE);
    }
    object_call(in, &ask.call);
    return done();
}

/* -1: applied. */
static int conflict(void)
{
    struct namespace_commit_results_reader r = namespace_commit_answer(&ask.call);

    return namespace_commit_results_get_applied(r) ? -1 : (int)namespace_commit_results_get_conflict(r);
}

/* --- tests ----------------------------------------------------------------------------------------------------------- */

static void test_put(void)
{
    fresh();
    CHECK(put_name(names(), "n", 1, 5000, NULL));
    CHECK(means(names(), "n", digest_of(1, 5000)));
    CHECK(!put_name(names(), "n", 2, 5000, digest_of(1, 5000)) && refused("corrupt: the bytes that came"));
    CHECK(means(names(), "n", digest_of(1, 5000))); /* it is what it was */
    CHECK(put_name(names(), "n", 2, 100, digest_of(2, 100)));
    CHECK(means(names(), "n", digest_of(2, 100)));
    CHECK(!put_name(names(), "", 2, 100, NULL) && refused("bad-argument:"));
    CHECK(!put_name(names(), "a\nb", 2, 100, NULL));
    CHECK(remove_name(names(), "n") && !remove_name(names(), "n"));
    nothing_is_left(0);
}

static void test_commit(void)
{
    fresh();
    REQUIRE(put_name(names(), "a", 1, 3000, NULL) && put_name(names(), "b", 2, 3000, NULL));
    const uint8_t *one = digest_of(1, 3000);
    const uint8_t *two = digest_of(2, 3000);
    const struct step swap[] = {{"a", two, one, true}, {"b", one, two, true}};
    CHECK(commit(names(), swap, 2) && conflict() == -1);
    CHECK(means(names(), "a", two) && means(names(), "b", one));
    CHECK(commit(names(), swap, 2) && conflict() == 0);
    const struct step half[] = {{"c", one, NULL, true}, {"a", NULL, NULL, false}, {"b", two, two, true}};
    CHECK(commit(names(), half, 3) && conflict() == 2);
    CHECK(means(names(), "c", NULL) && means(names(), "a", two)); /* nothing of it */
    const struct step unknown[] = {{"c", digest_of(9, 9), NULL, false}};
    CHECK(!commit(names(), unknown, 1) && refused("not-found: change 0"));
    CHECK(!commit(names(), half, 0) && refused("bad-argument:"));
    const struct step gone[] = {{"a", NULL, two, true}, {"b", NULL, NULL, false}, {"none", NULL, NULL, false}};
    CHECK(commit(names(), gone, 3) && conflict() == -1);
    nothing_is_left(0);
}

static void test_views(void)
{
    fresh();
    REQUIRE(put_name(names(), "user/a", 1, 10, NULL) && put_name(names(), "usual", 2, 10, NULL));
    namespace_sub_params_set_prefix(namespace_sub_begin(&ask.call, names(), asker_params(&ask), &asker_source),
                                    capnp_text("user/"));
    object_call(names(), &ask.call);
    REQUIRE(done());
    struct object *user = object_get(namespace_sub_results_get_names(namespace_sub_answer(&ask.call)));
    CHECK(means(user, "a", digest_of(1, 10)) && means(user, "al", NULL));
    CHECK(put_name(user, "b", 3, 10, NULL) && means(names(), "user/b", digest_of(3, 10)));
    CHECK_STR(listed(user, "", "", 0), "a b ");
    CHECK_STR(listed(user, "", "", 1), "a ...");
    CHECK_STR(listed(user, "", "a", 1), "b ");
    CHECK_STR(listed(names(), "us", "", 0), "user/a user/b usual ");
    const uint8_t *three = digest_of(3, 10);
    const struct step move[] = {{"c", three, NULL, true}, {"b", NULL, three, true}};
    CHECK(commit(user, move, 2) && conflict() == -1);
    CHECK(means(names(), "user/c", three) && means(names(), "user/b", NULL));
    (void)namespace_read_only_begin(&ask.call, user, asker_params(&ask), &asker_source);
    object_call(user, &ask.call);
    REQUIRE(done());
    struct object *reader = object_get(namespace_read_only_results_get_names(namespace_read_only_answer(&ask.call)));
    drop(user);
    CHECK(means(reader, "a", digest_of(1, 10)));
    CHECK(!remove_name(reader, "a") && refused("denied: this view is for reading"));
    CHECK(!put_name(reader, "d", 1, 1, NULL) && refused("denied:"));
    CHECK(!commit(reader, move, 1) && refused("denied:"));
    asker_forget(&ask);
    object_put(reader);
    nothing_is_left(0);
}

/* What a view is refused says nothing of where it stands. */
static void test_sub_does_not_say_its_prefix(void)
{
    fresh();
    namespace_sub_params_set_prefix(namespace_sub_begin(&ask.call, names(), asker_params(&ask), &asker_source),
                                    capnp_text("secret/"));
    object_call(names(), &ask.call);
    REQUIRE(done());
    struct object *user = object_get(namespace_sub_results_get_names(namespace_sub_answer(&ask.call)));
    struct namespace_put_params_builder p = namespace_put_begin(&ask.call, user, asker_params(&ask), &asker_source);
    namespace_put_params_set_name(p, capnp_text("x"));
    namespace_put_params_set_size(p, 10);
    object_call(user, &ask.call);
    REQUIRE(done());
    struct object *sink = object_get(namespace_put_results_get_upload(namespace_put_answer(&ask.call)));
    disk.fail_writes = 0;
    CHECK(!upload(sink, 1, 10, NULL) && strstr(ask.reason, "the disk failed") != NULL);
    CHECK(strstr(ask.reason, "secret") == NULL);
    disk.fail_writes = UINT32_MAX;
    drop(sink);
    drop(user);
}

/* Pins and names keep a blob; what has neither goes with collect(). */
static void test_pins(void)
{
    fresh();
    REQUIRE(put_name(names(), "n", 1, 5000, NULL));
    const uint8_t *one = digest_of(1, 5000);
    store_pin_params_set_digest(store_pin_begin(&ask.call, store(), asker_params(&ask), &asker_source),
                                capnp_data(one, CATALOG_DIGEST));
    object_call(store(), &ask.call);
    CHECK(done() && store_pin_results_get_pins(store_pin_answer(&ask.call)) == 1);
    CHECK(remove_name(names(), "n"));
    CHECK_EQ(catalog.state.objects, 1);
    for (unsigned i = 0; i < 100; i++) { /* more than one step of a collection looks at */
        store_put_params_set_size(store_put_begin(&ask.call, store(), asker_params(&ask), &asker_source), 50 + i);
        object_call(store(), &ask.call);
        REQUIRE(done());
        struct object *sink = object_get(store_put_results_get_upload(store_put_answer(&ask.call)));
        CHECK(upload(sink, 3, 50 + i, NULL));
        drop(sink);
    }
    CHECK_EQ(catalog.state.objects, 101);
    (void)store_collect_begin(&ask.call, store(), asker_params(&ask), &asker_source);
    object_call(store(), &ask.call);
    CHECK(done() && store_collect_results_get_removed(store_collect_answer(&ask.call)) == 100);
    CHECK_EQ(store_collect_results_get_bytes(store_collect_answer(&ask.call)), 100 * 50 + 99 * 100 / 2);
    CHECK_EQ(catalog.state.objects, 1);
    for (unsigned i = 0; i < 2; i++) {
        store_unpin_params_set_digest(store_unpin_begin(&ask.call, store(), asker_params(&ask), &asker_source),
                                      capnp_data(one, CATALOG_DIGEST));
        object_call(store(), &ask.call);
        CHECK(i == 0 ? done() : !done() && refused("not-found: unpin"));
    }
    nothing_is_left(0);
}

static void test_read_only_store(void)
{
    fresh();
    (void)store_read_only_begin(&ask.call, store(), asker_params(&ask), &asker_source);
    object_call(store(), &ask.call);
    REQUIRE(done());
    struct object *reader = object_get(store_read_only_results_get_store(store_read_only_answer(&ask.call)));
    store_put_params_set_size(store_put_begin(&ask.call, reader, asker_params(&ask), &asker_source), 1);
    object_call(reader, &ask.call);
    CHECK(!done() && refused("denied: this view is for reading"));
    (void)store_collect_begin(&ask.call, reader, asker_params(&ask), &asker_source);
    object_call(reader, &ask.call);
    CHECK(!done() && refused("denied:"));
    (void)store_info_begin(&ask.call, reader, asker_params(&ask), &asker_source);
    object_call(reader, &ask.call);
    CHECK(done());
    asker_forget(&ask);
    object_put(reader);
    nothing_is_left(0);
}

/* A file's bytes as they were, while it becomes another blob. */
static void test_directory(void)
{
    struct object *root = &engine_self.root.object;

    fresh();
    REQUIRE(put_name(names(), "n", 1, 9000, NULL));
    for (unsigned i = 0; i < 2; i++) {
        const uint8_t *digest = digest_of(1, 9000);
        struct directory_bind_params_builder p =
            directory_bind_begin(&ask.call, root, asker_params(&ask), &asker_source);
        directory_bind_params_set_path(p, capnp_text("f"));
        directory_bind_params_set_digest(p, capnp_data(digest, CATALOG_DIGEST));
        object_call(root, &ask.call);
        REQUIRE(done());
        CHECK_EQ(directory_bind_results_get_previous(directory_bind_answer(&ask.call)).size, i * CATALOG_DIGEST);
    }
    directory_get_params_set_path(directory_get_begin(&ask.call, root, asker_params(&ask), &asker_source),
                                  capnp_text("f"));
    object_call(root, &ask.call);
    REQUIRE(done());
    struct directory_get_results_reader r = directory_get_answer(&ask.call);
    CHECK(stat_get_size(directory_get_results_get_stat(r)) == 9000 &&
          stat_get_digest(directory_get_results_get_stat(r)).size == CATALOG_DIGEST);
    struct object *blob = object_get(directory_get_results_get_blob(r));
    directory_remove_params_set_path(directory_remove_begin(&ask.call, root, asker_params(&ask), &asker_source),
                                     capnp_text("f"));
    object_call(root, &ask.call);
    CHECK(done() && remove_name(names(), "n"));
    byte_source_read_params_set_limit(byte_source_read_begin(&ask.call, blob, asker_params(&ask), &asker_source), 9000);
    object_call(blob, &ask.call);
    REQUIRE(done());
    struct capnp_data chunk = byte_source_read_results_get_chunk(byte_source_read_answer(&ask.call));
    memset(bytes, 1, 9000);
    CHECK(chunk.size == 9000 && memcmp(chunk.bytes, bytes, 9000) == 0);
    asker_forget(&ask);
    object_put(blob);
    nothing_is_left(0);
}

int main(void)
{
    RUN(test_put);
    RUN(test_commit);
    RUN(test_views);
    RUN(test_sub_does_not_say_its_prefix);
    RUN(test_pins);
    RUN(test_read_only_store);
    RUN(test_directory);
    disk_free();
    free(bytes);
    return test_end();
}
