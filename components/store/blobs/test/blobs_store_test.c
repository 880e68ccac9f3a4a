/* SPDX-License-Identifier: MIT OR Apache-2.0
 * blobs_store_test.c: what peers see of a store: the capabilities Store, Upload, ByteSource and Namespace, what they refuse
 * and in which words; and that nothing stays open.
 */
#include "config.h"
#undef BLOBS_OBJECTS_MAX
#undef BLOBS_NAMES_MAX
#undef BLOBS_OPS_MAX
#define BLOBS_OBJECTS_MAX 64u
#define BLOBS_NAMES_MAX 200u
#define BLOBS_OPS_MAX 2u
#include "asker.h"
#include "boot_memory.h"
#include "crypto/sha256/sha256.h"
#include "fake_disk.h"
#define disk wired_disk
#define random wired_random /* stdlib.h has one */
#include "../blobs_store.c"
#undef disk
#undef random

/* --- of core --- */

void ready_hold(struct ready *ready)
{
    (void)ready;
}

void ready_release(struct ready *ready)
{
    (void)ready;
}

void work_init(struct work *work, void (*run)(struct work *work))
{
    work->run = run;
}

void loop_post_boot(struct work *work)
{
    (void)work; /* the test runs it */
}

void diag_command_add(struct diag_command *command)
{
    CHECK_STR(command->name, "store");
}

void diag_print(const char *format, ...)
{
    (void)format;
}

uint64_t clock_wall_ns(void)
{
    return 0;
}

static struct asker ask[BLOBS_OPS_MAX + 1];
static uint8_t bytes[BLOBS_CHUNK_MAX + 1];
static uint8_t digest[2][BLOBS_DIGEST]; /* of 10 and of 5,000 bytes of `bytes` */

static void settle(void)
{
    while (disk_step()) {
    }
}

static void call_now(struct object *object, struct asker *a)
{
    object_call(object, &a->call);
    settle();
}

static bool refused(const struct asker *a, enum exception type, const char *reason)
{
    return a->failed == 1 && a->type == type && strncmp(a->reason, reason, strlen(reason)) == 0;
}

static struct capnp_data digest_of(unsigned i)
{
    return capnp_data(digest[i], BLOBS_DIGEST);
}

/* --- what a peer asks for --- */

/* The upload, or NULL and ask[0] says why. */
static struct object *put(uint64_t size)
{
    struct object *store = &blobs_service.store;

    store_put_params_set_size(store_put_begin(&ask[0].call, store, asker_params(&ask[0]), &asker_source), size);
    call_now(store, &ask[0]);
    return ask[0].returned == 1 ? object_get(store_put_results_get_upload(store_put_answer(&ask[0].call))) : NULL;
}

static void write_chunk(struct object *upload, uint32_t from, uint32_t size)
{
    byte_sink_write_params_set_chunk(byte_sink_write_begin(&ask[0].call, upload, asker_params(&ask[0]), &asker_source),
                                     capnp_data(bytes + from, size));
    call_now(upload, &ask[0]);
}

static void finish(struct object *upload)
{
    (void)upload_finish_begin(&ask[0].call, upload, asker_params(&ask[0]), &asker_source);
    call_now(upload, &ask[0]);
}

static void put_whole(unsigned i, uint32_t size)
{
    struct object *upload = put(size);

    REQUIRE(upload != NULL);
    write_chunk(upload, 0, 3);
    CHECK_EQ(ask[0].returned, 1);
    write_chunk(upload, 3, size - 3);
    (void)byte_sink_done_begin(&ask[0].call, upload, asker_params(&ask[0]), &asker_source);
    call_now(upload, &ask[0]);
    CHECK_EQ(ask[0].returned, 1);
    finish(upload);
    REQUIRE(ask[0].returned == 1);
    struct capnp_data got = upload_finish_results_get_digest(upload_finish_answer(&ask[0].call));
    REQUIRE(got.size == BLOBS_DIGEST);
    sha256_bytes(bytes, size, digest[i]);
    CHECK_BYTES(got.bytes, digest[i], BLOBS_DIGEST);
    object_put(upload);
}

static struct object *get(struct capnp_data name)
{
    struct object *store = &blobs_service.store;

    store_get_params_set_digest(store_get_begin(&ask[0].call, store, asker_params(&ask[0]), &asker_source), name);
    call_now(store, &ask[0]);
    return ask[0].returned == 1 ? object_get(store_get_results_get_blob(store_get_answer(&ask[0].call))) : NULL;
}

static bool is_there(struct capnp_data name)
{
    struct object *store = &blobs_service.store;

    store_stat_params_set_digest(store_stat_begin(&ask[0].call, store, asker_params(&ask[0]), &asker_source), name);
    call_now(store, &ask[0]);
    return ask[0].returned == 1 && store_stat_results_get_present(store_stat_answer(&ask[0].call));
}

static struct store_info_results_reader info(void)
{
    struct object *store = &blobs_service.store;

    (void)store_info_begin(&ask[0].call, store, asker_params(&ask[0]), &asker_source);
    call_now(store, &ask[0]);
    return store_info_answer(&ask[0].call);
}

static bool forget_blob(unsigned i)
{
    struct object *store = &blobs_service.store;

    store_remove_params_set_digest(store_remove_begin(&ask[0].call, store, asker_params(&ask[0]), &asker_source),
                                   digest_of(i));
    call_now(store, &ask[0]);
    return ask[0].returned == 1 && store_remove_results_get_removed(store_remove_answer(&ask[0].call));
}

static void bind_begin(struct asker *a, const char *name, struct capnp_data to)
{
    struct object *names = &blobs_service.names;
    struct namespace_bind_params_builder params = namespace_bind_begin(&a->call, names, asker_params(a), &asker_source);

    namespace_bind_params_set_name(params, capnp_text(name));
    namespace_bind_params_set_digest(params, to);
    object_call(names, &a->call);
}

/* How long the digest is that the name had; -1: refused. */
static int bind(const char *name, struct capnp_data to)
{
    bind_begin(&ask[0], name, to);
    settle();
    if (ask[0].returned != 1) {
        return -1;
    }
    return (int)namespace_bind_results_get_previous(namespace_bind_answer(&ask[0].call)).size;
}

/* The size of what the name means; -1: nothing. */
static int64_t lookup(const char *name)
{
    struct object *names = &blobs_service.names;

    namespace_lookup_params_set_name(namespace_lookup_begin(&ask[0].call, names, asker_params(&ask[0]), &asker_source),
                                     capnp_text(name));
    call_now(names, &ask[0]);
    struct namespace_lookup_results_reader r = namespace_lookup_answer(&ask[0].call);
    bool there = ask[0].returned == 1 && namespace_lookup_results_get_present(r);
    return there ? (int64_t)namespace_lookup_results_get_size(r) : -1;
}

static bool unbind(const char *name)
{
    struct object *names = &blobs_service.names;

    namespace_remove_params_set_name(namespace_remove_begin(&ask[0].call, names, asker_params(&ask[0]), &asker_source),
                                     capnp_text(name));
    call_now(names, &ask[0]);
    return ask[0].returned == 1 && namespace_remove_results_get_removed(namespace_remove_answer(&ask[0].call));
}

/* The names of a page, each with a blank behind it, and "..." when there are more. */
static const char *list(const char *prefix, const char *after, uint32_t limit)
{
    static char said[4096];
    struct object *names = &blobs_service.names;
    struct namespace_list_params_builder params =
        namespace_list_begin(&ask[0].call, names, asker_params(&ask[0]), &asker_source);

    namespace_list_params_set_prefix(params, capnp_text(prefix));
    namespace_list_params_set_after(params, capnp_text(after));
    namespace_list_params_set_limit(params, limit);
    call_now(names, &ask[0]);
    REQUIRE(ask[0].returned == 1);
    struct namespace_list_results_reader r = namespace_list_answer(&ask[0].call);
    struct name_entry_readers entries = namespace_list_results_get_entries(r);
    size_t at = 0;
    said[0] = '\0';
    for (uint32_t i = 0; i < name_entry_count(entries); i++) {
        struct capnp_text name = name_entry_get_name(name_entry_at(entries, i));
        at += (size_t)snprintf(said + at, sizeof said - at, "%.*s ", (int)name.size, name.text);
    }
    (void)snprintf(said + at, sizeof said - at, "%s", namespace_list_results_get_more(r) ? "..." : "");
    return said;
}

static void format(const char *confirm)
{
    struct object *store = &blobs_service.store;

    store_format_params_set_confirm(store_format_begin(&ask[0].call, store, asker_params(&ask[0]), &asker_source),
                                    capnp_text(confirm));
    call_now(store, &ask[0]);
}

/* --- tests, one after another on the same disk --- */

static void test_mounting(void)
{
    (void)disk_cut;
    (void)disk_reset;
    test_room = ROOM_BOOT;
    disk_init();
    memcpy(disk.durable[0], BLOBS_BLANK_MARK, sizeof BLOBS_BLANK_MARK - 1);
    memcpy(disk.view[0], BLOBS_BLANK_MARK, sizeof BLOBS_BLANK_MARK - 1);
    blobs_wire_disk(&disk.device);
    CHECK_EQ(blobs_start(), ST_OK);
    test_room = ROOM_LOOP;
    mount_begin(&mount_work);
    (void)store_info_begin(&ask[0].call, &blobs_service.store, asker_params(&ask[0]), &asker_source);
    object_call(&blobs_service.store, &ask[0].call);
    CHECK(refused(&ask[0], EXCEPTION_OVERLOADED, "the store is still mounting"));
    settle();
    struct store_info_results_reader r = info();
    CHECK_EQ(ask[0].returned, 1);
    CHECK_EQ(store_info_results_get_blobs(r), 0);
    CHECK_EQ(store_info_results_get_uuid(r).size, 16);
    CHECK(store_info_results_get_free_bytes(r) == store_info_results_get_total_bytes(r));
}

static void test_blob(void)
{
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(i * 7);
    }
    put_whole(0, 10);
    put_whole(1, 5000);
    CHECK(is_there(digest_of(0)));
    CHECK_EQ(store_info_results_get_blobs(info()), 2);
    struct object *blob = get(digest_of(1));
    REQUIRE(blob != NULL);
    CHECK_EQ(blobs_service.open, 1);
    (void)byte_source_size_begin(&ask[0].call, blob, asker_params(&ask[0]), &asker_source);
    call_now(blob, &ask[0]);
    CHECK_EQ(byte_source_size_results_get_bytes(byte_source_size_answer(&ask[0].call)), 5000);
    struct byte_source_read_params_builder params =
        byte_source_read_begin(&ask[0].call, blob, asker_params(&ask[0]), &asker_source);
    byte_source_read_params_set_offset(params, 4090);
    byte_source_read_params_set_limit(params, 20);
    call_now(blob, &ask[0]);
    struct capnp_data chunk = byte_source_read_results_get_chunk(byte_source_read_answer(&ask[0].call));
    CHECK(chunk.size > 0 && chunk.size <= 20); /* at most so many: it ends with its block */
    CHECK_BYTES(chunk.bytes, bytes + 4090, chunk.size);
    object_put(blob);
    CHECK_EQ(blobs_service.open, 0);
}

static void test_blob_refused(void)
{
    static const uint8_t other[BLOBS_DIGEST];

    CHECK(get(capnp_data(digest[0], 31)) == NULL);
    CHECK(refused(&ask[0], EXCEPTION_FAILED, "a digest is 32 bytes, not 31"));
    CHECK(get(capnp_data(other, BLOBS_DIGEST)) == NULL);
    CHECK(refused(&ask[0], EXCEPTION_FAILED, "not-found: "));
    CHECK(!is_there(capnp_data(other, BLOBS_DIGEST)) && ask[0].returned == 1);
    CHECK(!is_there(capnp_data(bytes, 33)) && ask[0].failed == 1);
    CHECK(put(UINT64_MAX) == NULL);
    CHECK(refused(&ask[0], EXCEPTION_FAILED, "full: put"));
    struct object *upload = put(10);
    CHECK(put(1u << 30) == NULL); /* perhaps that upload holds the room */
    CHECK(refused(&ask[0], EXCEPTION_OVERLOADED, "full: put"));
    write_chunk(upload, 0, BLOBS_CHUNK_MAX + 1);
    CHECK(refused(&ask[0], EXCEPTION_FAILED, "a chunk of 65537 bytes"));
    write_chunk(upload, 0, 4);
    finish(upload);
    CHECK(refused(&ask[0], EXCEPTION_FAILED, "only 4 of the 10 bytes"));
    object_put(upload);
    upload = put(10);
    write_chunk(upload, 0, 11);
    CHECK(refused(&ask[0], EXCEPTION_FAILED, "more bytes than put() announced"));
    object_put(upload);
    upload = put(10);
    write_chunk(upload, 0, 10);
    finish(upload);
    CHECK_EQ(ask[0].returned, 1);
    finish(upload);
    CHECK(refused(&ask[0], EXCEPTION_FAILED, "finish() was called already"));
    object_put(upload);
    CHECK_EQ(blobs_service.open, 0);
}

static void test_too_many(void)
{
    struct object *upload[BLOBS_UPLOADS_MAX];

    for (unsigned i = 0; i < BLOBS_UPLOADS_MAX; i++) {
        upload[i] = put(1);
        REQUIRE(upload[i] != NULL);
    }
    CHECK(put(1) == NULL);
    CHECK(refused(&ask[0], EXCEPTION_OVERLOADED, "put: too many at once"));
    for (unsigned i = 0; i < BLOBS_UPLOADS_MAX; i++) {
        object_put(upload[i]);
    }
    settle();
    for (unsigned i = 0; i <= BLOBS_OPS_MAX; i++) {
        bind_begin(&ask[i], "many", digest_of(0));
    }
    CHECK(refused(&ask[BLOBS_OPS_MAX], EXCEPTION_OVERLOADED, "changes under way: too many at once"));
    settle();
    CHECK(ask[0].returned == 1 && ask[1].returned == 1);
    CHECK_EQ(blobs_service.changes.in_use, 0);
    CHECK(unbind("many"));
    put_whole(0, 10); /* the last name took it along */
}

static void test_names(void)
{
    static const uint8_t other[BLOBS_DIGEST];

    CHECK_EQ(bind("a", capnp_data(other, BLOBS_DIGEST)), -1);
    CHECK(refused(&ask[0], EXCEPTION_FAILED, "not-found: no blob with this digest"));
    CHECK_EQ(bind("a", capnp_data(other, 3)), -1);
    CHECK_EQ(bind("", digest_of(0)), -1);
    CHECK(refused(&ask[0], EXCEPTION_FAILED, "bad-argument: a name is 1 to 255 bytes"));
    CHECK_EQ(bind("bad\n", digest_of(0)), -1);
    CHECK_EQ(lookup("\377"), -1);
    CHECK_EQ(ask[0].failed, 1);
    CHECK(!unbind("") && ask[0].failed == 1);
    CHECK_EQ(bind("a", digest_of(0)), 0);
    CHECK_EQ(bind("a", digest_of(1)), BLOBS_DIGEST); /* and the blob of 10 bytes, nameless now, is gone */
    CHECK_EQ(lookup("a"), 5000);
    CHECK(!is_there(digest_of(0)));
    CHECK_EQ(lookup("b"), -1);
    CHECK_EQ(ask[0].returned, 1);
    CHECK(!forget_blob(1));
    CHECK(refused(&ask[0], EXCEPTION_FAILED, "the blob has a name"));
    CHECK(unbind("a"));
    CHECK(!unbind("a") && ask[0].returned == 1);
    CHECK(!is_there(digest_of(1)));
    put_whole(0, 10);
    CHECK(forget_blob(0)); /* it never had one */
    CHECK(!forget_blob(0) && ask[0].returned == 1);
}

static void test_list(void)
{
    static const char *const all[] = {"b", "a/2", "a/1", "a/10", "a", "c"};

    CHECK_STR(list("", "", 0), "");
    put_whole(0, 10);
    for (unsigned i = 0; i < sizeof all / sizeof all[0]; i++) {
        CHECK_EQ(bind(all[i], digest_of(0)), 0);
    }
    CHECK_STR(list("", "", 0), "a a/1 a/10 a/2 b c ");
    CHECK_STR(list("a/", "", 0), "a/1 a/10 a/2 ");
    CHECK_STR(list("a/", "", 2), "a/1 a/10 ...");
    CHECK_STR(list("a/", "a/10", 2), "a/2 ");
    CHECK_STR(list("a/", "a/11", 2), "a/2 ");
    CHECK_STR(list("", "b", 1), "c ");
    CHECK_STR(list("", "c", 1), "");
    CHECK_STR(list("x", "", 1), "");
    char name[8];
    for (unsigned i = 0; i < 101; i++) {
        (void)snprintf(name, sizeof name, "m%03u", i);
        CHECK_EQ(bind(name, digest_of(0)), 0);
    }
    const char *page = list("m", "", UINT32_MAX); /* a page has its own bound */
    CHECK(strstr(page, "m099 ...") != NULL);
    CHECK_STR(list("m", "m099", 0), "m100 ");
}

static void test_format(void)
{
    format("erase");
    CHECK(refused(&ask[0], EXCEPTION_FAILED, "denied: format erases the disk"));
    struct object *upload = put(10);
    format("erase everything");
    CHECK(refused(&ask[0], EXCEPTION_OVERLOADED, "blobs are open or changes under way"));
    object_put(upload);
    settle();
    format("erase everything");
    CHECK_EQ(ask[0].returned, 1);
    CHECK_EQ(store_info_results_get_blobs(info()), 0);
    CHECK_STR(list("", "", 0), "");
}

static void test_disk_fails(void)
{
    put_whole(0, 10);
    disk.fail_writes = true;
    CHECK_EQ(bind("a", digest_of(0)), -1);
    CHECK(refused(&ask[0], EXCEPTION_FAILED, "bind: the disk failed"));
    CHECK(is_there(digest_of(0)));
    CHECK(!unbind("a"));
    CHECK(!forget_blob(0) && ask[0].failed == 1);
    format("erase everything");
    CHECK(refused(&ask[0], EXCEPTION_FAILED, "not formatted: "));
    CHECK(!is_there(digest_of(0)));
    CHECK(refused(&ask[0], EXCEPTION_FAILED, "the disk is not mounted: found "));
    for (unsigned i = 0; i <= BLOBS_OPS_MAX; i++) {
        asker_forget(&ask[i]);
    }
    CHECK_EQ(blobs_service.open, 0);
    CHECK_EQ(blobs_service.changes.in_use, 0);
}

int main(void)
{
    RUN(test_mounting);
    RUN(test_blob);
    RUN(test_blob_refused);
    RUN(test_too_many);
    RUN(test_names);
    RUN(test_list);
    RUN(test_format);
    RUN(test_disk_fails);
    return test_end();
}
