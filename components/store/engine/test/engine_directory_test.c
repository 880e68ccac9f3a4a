/* SPDX-License-Identifier: MIT OR Apache-2.0
 * engine_directory_test.c: directories, files and views of store/engine: files that are written to, appended to and cut at random
 * hold what a model in memory holds, whatever fails meanwhile; a view gives no more than it should.
 */
#include "engine_support.h"
#include "../engine_stat.h"

#define FILE_MAX 150000u

static struct object *root(void)
{
    return &engine_self.root.object;
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

/* --- what a peer may ask --------------------------------------------------------------------------------------------- */

static bool make_directory(struct object *dir, const char *path, bool parents)
{
    struct directory_mkdir_params_builder p = directory_mkdir_begin(&ask.call, dir, asker_params(&ask), &asker_source);

    directory_mkdir_params_set_path(p, capnp_text(path));
    directory_mkdir_params_set_parents(p, parents);
    object_call(dir, &ask.call);
    return done();
}

static bool remove_path(struct object *dir, const char *path)
{
    directory_remove_params_set_path(directory_remove_begin(&ask.call, dir, asker_params(&ask), &asker_source),
                                     capnp_text(path));
    object_call(dir, &ask.call);
    return done();
}

static bool rename_path(struct object *dir, const char *from, const char *to, bool exclusive)
{
    struct directory_rename_params_builder p =
        directory_rename_begin(&ask.call, dir, asker_params(&ask), &asker_source);

    directory_rename_params_set_from(p, capnp_text(from));
    directory_rename_params_set_to(p, capnp_text(to));
    directory_rename_params_set_exclusive(p, exclusive);
    object_call(dir, &ask.call);
    return done();
}

static bool stat_path(struct object *dir, const char *path, uint64_t *size)
{
    directory_stat_params_set_path(directory_stat_begin(&ask.call, dir, asker_params(&ask), &asker_source),
                                   capnp_text(path));
    object_call(dir, &ask.call);
    if (!done()) {
        return false;
    }
    *size = stat_get_size(directory_stat_results_get_stat(directory_stat_answer(&ask.call)));
    return true;
}

static struct object *open_path(struct object *dir, const char *path, enum directory_mode mode,
                                enum directory_create create)
{
    struct directory_open_params_builder p = directory_open_begin(&ask.call, dir, asker_params(&ask), &asker_source);

    directory_open_params_set_path(p, capnp_text(path));
    directory_open_params_set_mode(p, mode);
    directory_open_params_set_create(p, create);
    object_call(dir, &ask.call);
    return done() ? object_get(directory_open_results_get_file(directory_open_answer(&ask.call))) : NULL;
}

static struct object *put_path(struct object *dir, const char *path, uint64_t size)
{
    struct directory_put_params_builder p = directory_put_begin(&ask.call, dir, asker_params(&ask), &asker_source);

    directory_put_params_set_path(p, capnp_text(path));
    directory_put_params_set_size(p, size);
    object_call(dir, &ask.call);
    return done() ? object_get(directory_put_results_get_upload(directory_put_answer(&ask.call))) : NULL;
}

static struct object *derived(struct object *object)
{
    REQUIRE(done() && object != NULL);
    return object_get(object);
}

static struct object *read_only(struct object *dir)
{
    (void)directory_read_only_begin(&ask.call, dir, asker_params(&ask), &asker_source);
    object_call(dir, &ask.call);
    settle();
    return derived(directory_read_only_results_get_directory(directory_read_only_answer(&ask.call)));
}

static struct object *append_only(struct object *dir)
{
    (void)directory_append_only_begin(&ask.call, dir, asker_params(&ask), &asker_source);
    object_call(dir, &ask.call);
    settle();
    return derived(directory_append_only_results_get_directory(directory_append_only_answer(&ask.call)));
}

static struct object *sub(struct object *dir, const char *path)
{
    directory_sub_params_set_path(directory_sub_begin(&ask.call, dir, asker_params(&ask), &asker_source),
                                  capnp_text(path));
    object_call(dir, &ask.call);
    settle();
    return derived(directory_sub_results_get_directory(directory_sub_answer(&ask.call)));
}

static struct object *quota(struct object *dir, uint64_t most)
{
    directory_quota_params_set_bytes(directory_quota_begin(&ask.call, dir, asker_params(&ask), &asker_source), most);
    object_call(dir, &ask.call);
    settle();
    return derived(directory_quota_results_get_directory(directory_quota_answer(&ask.call)));
}

static struct object *at(struct object *dir, uint64_t generation)
{
    directory_at_params_set_generation(directory_at_begin(&ask.call, dir, asker_params(&ask), &asker_source),
                                       generation);
    object_call(dir, &ask.call);
    settle();
    return derived(directory_at_results_get_directory(directory_at_answer(&ask.call)));
}

static void write_begin(struct asker *a, struct object *file, uint64_t offset, const void *from, uint32_t size)
{
    struct file_write_params_builder p = file_write_begin(&a->call, file, asker_params(a), &asker_source);

    file_write_params_set_offset(p, offset);
    file_write_params_set_bytes(p, capnp_data(from, size));
    object_call(file, &a->call);
}

static void append_begin(struct asker *a, struct object *file, const void *from, uint32_t size)
{
    file_append_params_set_bytes(file_append_begin(&a->call, file, asker_params(a), &asker_source),
                                 capnp_data(from, size));
    object_call(file, &a->call);
}

static void truncate_begin(struct asker *a, struct object *file, uint64_t size)
{
    file_truncate_params_set_size(file_truncate_begin(&a->call, file, asker_params(a), &asker_source), size);
    object_call(file, &a->call);
}

static bool write_file(struct object *file, uint64_t offset, const void *from, uint32_t size)
{
    write_begin(&ask, file, offset, from, size);
    return done();
}

static bool append_file(struct object *file, const void *from, uint32_t size)
{
    append_begin(&ask, file, from, size);
    return done();
}

/* Whether the file holds exactly this. */
static bool holds(struct object *file, const uint8_t *content, uint32_t size)
{
    uint32_t offset = 0;
    bool same = true;
    uint32_t got;

    do {
        struct byte_source_read_params_builder p =
            byte_source_read_begin(&ask.call, file, asker_params(&ask), &asker_source);
        byte_source_read_params_set_offset(p, offset);
        byte_source_read_params_set_limit(p, 65536);
        object_call(file, &ask.call);
        REQUIRE(done());
        struct capnp_data chunk = byte_source_read_results_get_chunk(byte_source_read_answer(&ask.call));
        got = chunk.size;
        same = same && got <= size - offset && (got == 0 || memcmp(chunk.bytes, content + offset, got) == 0);
        offset += got;
    } while (got > 0 && same);
    return same && offset == size;
}

static void close_all(struct object *object)
{
    asker_forget(&ask);
    object_put(object);
    settle();
}

/* --- files ----------------------------------------------------------------------------------------------------------- */

static struct {
    uint8_t content[2 * FILE_MAX];
    uint32_t size;
} model;

/* One change of the file and, unless it fails, of the model. */
static void change_begin(struct asker *a, struct object *file)
{
    static uint8_t fresh_bytes[65536];
    uint32_t n = 1 + (uint32_t)(test_random() % (test_random() % 2 == 0 ? 65536 : 5000));
    uint32_t from = (uint32_t)(test_random() % (model.size + 5000));
    unsigned kind = (unsigned)(test_random() % 8);

    for (uint32_t i = 0; i < n; i++) {
        fresh_bytes[i] = (uint8_t)test_random();
    }
    if (kind < 4) {
        from = test_random() % 2 == 0 ? from / BLOCK * BLOCK : from;
        n = from + n > FILE_MAX ? (from < FILE_MAX ? FILE_MAX - from : 1) : n;
        from = from < FILE_MAX ? from : 0;
        write_begin(a, file, from, fresh_bytes, n);
    } else if (kind < 6 && model.size + n <= FILE_MAX) {
        from = model.size;
        append_begin(a, file, fresh_bytes, n);
    } else {
        from = (uint32_t)(test_random() % (test_random() % 3 == 0 ? 3000 : FILE_MAX));
        truncate_begin(a, file, from);
        memset(model.content + (from < model.size ? from : model.size), 0,
               FILE_MAX - (from < model.size ? from : model.size));
        model.size = from;
        return;
    }
    memcpy(model.content + from, fresh_bytes, n);
    model.size = from + n > model.size ? from + n : model.size;
}

static void test_changes(void)
{
    fresh();
    memset(&model, 0, sizeof model);
    struct object *file = open_path(root(), "f", DIRECTORY_MODE_WRITE, DIRECTORY_CREATE_IF_MISSING);
    REQUIRE(file != NULL);
    struct object *reader = open_path(root(), "f", DIRECTORY_MODE_READ, DIRECTORY_CREATE_NEVER);
    REQUIRE(reader != NULL);
    for (unsigned round = 0; round < 150; round++) {
        for (unsigned i = 0; i < 4; i++) {
            change_begin(&chunks[i], file);
        }
        settle();
        for (unsigned i = 0; i < 4; i++) {
            REQUIRE(chunks[i].returned == 1);
        }
        CHECK(holds(reader, model.content, model.size));
    }
    close_all(reader);
    CHECK(remove_path(root(), "f"));
    write_begin(&ask, file, 0, "x", 1);
    CHECK(!done() && refused("not-found: the file was removed"));
    close_all(file);
    nothing_is_left(0);
}

/* What failed did not happen, and its room comes back. */
static void test_changes_fail(void)
{
    fresh();
    memset(&model, 0, sizeof model);
    struct object *file = open_path(root(), "f", DIRECTORY_MODE_WRITE, DIRECTORY_CREATE_EXCLUSIVE);
    REQUIRE(file != NULL);
    for (unsigned round = 0; round < 300; round++) {
        static uint8_t before[2 * FILE_MAX];
        uint32_t size = model.size;
        memcpy(before, model.content, sizeof before);
        data.fail_writes = (unsigned)(test_random() % 4);
        change_begin(&ask, file);
        if (!done()) {
            CHECK(refused("write: the disk failed"));
            memcpy(model.content, before, sizeof before);
            model.size = size;
        }
        data.fail_writes = UINT32_MAX;
        CHECK(holds(file, model.content, model.size));
        CHECK_EQ(catalog.lend_count, 0);
    }
    CHECK(remove_path(root(), "f"));
    close_all(file);
    nothing_is_left(0);
}

/* A write on a disk whose free blocks stand alone; and one too many. */
static void test_pieces_and_full(void)
{
    static uint8_t zeros[65536];
    char name[8];

    fresh();
    for (unsigned i = 0; i < DATA_BLOCKS; i++) {
        (void)snprintf(name, sizeof name, "%u", i);
        struct object *file = open_path(root(), name, DIRECTORY_MODE_WRITE, DIRECTORY_CREATE_EXCLUSIVE);
        REQUIRE(file != NULL && write_file(file, 0, zeros, BLOCK));
        close_all(file);
    }
    for (unsigned i = 0; i < 60; i += 2) {
        (void)snprintf(name, sizeof name, "%u", i);
        CHECK(remove_path(root(), name));
    }
    struct object *file = open_path(root(), "large", DIRECTORY_MODE_WRITE, DIRECTORY_CREATE_EXCLUSIVE);
    memset(bytes, 5, 65536);
    REQUIRE(file != NULL && write_file(file, 1, bytes, 65536)); /* 17 blocks of 30 */
    CHECK(!write_file(file, 65537, bytes, 65536));
    CHECK(refused("full: write"));
    CHECK(write_file(file, 65537, bytes, 3 * BLOCK)); /* a smaller one still goes */
    CHECK(remove_path(root(), "large"));
    close_all(file);
    nothing_is_left(DATA_BLOCKS - 30);
}

static void test_rot(void)
{
    static uint8_t content[3 * BLOCK];

    fresh();
    struct object *file = open_path(root(), "f", DIRECTORY_MODE_WRITE, DIRECTORY_CREATE_EXCLUSIVE);
    memset(content, 9, sizeof content);
    REQUIRE(file != NULL && write_file(file, 0, content, sizeof content));
    disk_at(volume.super.data_start + 1)[77] ^= 1;
    struct byte_source_read_params_builder p =
        byte_source_read_begin(&ask.call, file, asker_params(&ask), &asker_source);
    byte_source_read_params_set_limit(p, 65536);
    object_call(file, &ask.call);
    CHECK(!done() && refused("corrupt: read"));
    CHECK(!write_file(file, BLOCK + 5, content, 7) &&
          refused("corrupt: write"));               /* what stays is not made good by a write */
    CHECK(write_file(file, BLOCK, content, BLOCK)); /* all of the block is */
    CHECK(holds(file, content, sizeof content));
    close_all(file);
    nothing_is_left(3);
}

/* One writer; a capability to read or append is no other one's to write. */
static void test_writers(void)
{
    fresh();
    struct object *file = open_path(root(), "f", DIRECTORY_MODE_WRITE, DIRECTORY_CREATE_IF_MISSING);
    REQUIRE(file != NULL);
    CHECK(open_path(root(), "f", DIRECTORY_MODE_APPEND, DIRECTORY_CREATE_NEVER) == NULL && refused("busy:"));
    CHECK(open_path(root(), "f", DIRECTORY_MODE_WRITE, DIRECTORY_CREATE_EXCLUSIVE) == NULL && refused("exists: 'f'"));
    CHECK(open_path(root(), "g", DIRECTORY_MODE_WRITE, DIRECTORY_CREATE_NEVER) == NULL && refused("not-found: 'g'"));
    (void)file_read_only_begin(&ask.call, file, asker_params(&ask), &asker_source);
    object_call(file, &ask.call);
    REQUIRE(done());
    struct object *reader = object_get(file_read_only_results_get_file(file_read_only_answer(&ask.call)));
    CHECK(!write_file(reader, 0, "x", 1) && refused("denied: this file is open for reading"));
    (void)file_append_only_begin(&ask.call, reader, asker_params(&ask), &asker_source);
    object_call(reader, &ask.call);
    CHECK(!done() && refused("denied:"));
    close_all(file); /* the reader stays, the writer is gone */
    struct object *other = open_path(root(), "f", DIRECTORY_MODE_APPEND, DIRECTORY_CREATE_NEVER);
    REQUIRE(other != NULL);
    CHECK(append_file(other, "ab", 2) && append_file(other, "c", 1));
    CHECK(!write_file(other, 0, "x", 1) && refused("denied: this file is open for appending"));
    truncate_begin(&ask, other, 0);
    CHECK(!done() && refused("denied:"));
    CHECK(holds(reader, (const uint8_t *)"abc", 3));
    (void)file_sync_begin(&ask.call, other, asker_params(&ask), &asker_source);
    object_call(other, &ask.call);
    CHECK(done());
    close_all(other);
    close_all(reader);
    nothing_is_left(0);
}

static bool bind_path(const char *path, const uint8_t digest[CATALOG_DIGEST])
{
    struct directory_bind_params_builder p = directory_bind_begin(&ask.call, root(), asker_params(&ask), &asker_source);

    directory_bind_params_set_path(p, capnp_text(path));
    directory_bind_params_set_digest(p, capnp_data(digest, CATALOG_DIGEST));
    object_call(root(), &ask.call);
    return done();
}

static bool is_present(const uint8_t digest[CATALOG_DIGEST])
{
    struct object *store = &engine_self.store;

    store_stat_params_set_digest(store_stat_begin(&ask.call, store, asker_params(&ask), &asker_source),
                                 capnp_data(digest, CATALOG_DIGEST));
    object_call(store, &ask.call);
    return done() && store_stat_results_get_present(store_stat_answer(&ask.call));
}

/* A read that fails late accuses the blob that it read, and not the one that the file has now. */
static void test_suspect(void)
{
    uint8_t old[CATALOG_DIGEST], new[CATALOG_DIGEST];

    fresh();
    REQUIRE(put_whole(1, 5 * BLOCK, 65536, old) && put_whole(2, 5 * BLOCK, 65536, new));
    REQUIRE(bind_path("f", old) && bind_path("kept", old));
    struct object *file = open_path(root(), "f", DIRECTORY_MODE_READ, DIRECTORY_CREATE_NEVER);
    REQUIRE(file != NULL);
    byte_source_read_params_set_limit(
        byte_source_read_begin(&chunks[0].call, file, asker_params(&chunks[0]), &asker_source), 65536);
    object_call(file, &chunks[0].call);
    while (data.count == 0) {
        REQUIRE(happen());
    }
    struct blk_request *first = data.pending[--data.count];
    CHECK(bind_path("f", new));
    CHECK(holds(file, bytes, 5 * BLOCK)); /* `bytes` are of the new one */
    data.pending[data.count++] = first;
    data.bad_block = first->sector / ENGINE_SECTORS;
    settle();
    data.bad_block = 0;
    CHECK_EQ(chunks[0].failed, 1);
    CHECK(!is_present(old));
    CHECK(is_present(new));
    close_all(file);
    nothing_is_left(10);
}

/* Two ask for the last place at once: the one that is refused has made nothing. */
static void test_last_place(void)
{
    static struct object *held[ENGINE_FILES_MAX];
    static const char *const name[] = {"x", "y"};
    uint64_t size;

    fresh();
    held[0] = open_path(root(), "f", DIRECTORY_MODE_WRITE, DIRECTORY_CREATE_EXCLUSIVE);
    for (unsigned i = 1; i < ENGINE_FILES_MAX - 1; i++) {
        held[i] = open_path(root(), "f", DIRECTORY_MODE_READ, DIRECTORY_CREATE_NEVER);
        REQUIRE(held[i] != NULL);
    }
    for (unsigned i = 0; i < 2; i++) {
        struct directory_open_params_builder p =
            directory_open_begin(&chunks[i].call, root(), asker_params(&chunks[i]), &asker_source);
        directory_open_params_set_path(p, capnp_text(name[i]));
        directory_open_params_set_mode(p, DIRECTORY_MODE_WRITE);
        directory_open_params_set_create(p, DIRECTORY_CREATE_EXCLUSIVE);
        object_call(root(), &chunks[i].call);
    }
    settle();
    CHECK(chunks[0].returned == 1 && chunks[1].failed == 1 && chunks[1].type == EXCEPTION_OVERLOADED);
    CHECK(stat_path(root(), "x", &size) && !stat_path(root(), "y", &size));
    asker_forget(&chunks[0]);
    asker_forget(&chunks[1]);
    settle();
    CHECK(open_path(root(), "nobody", DIRECTORY_MODE_READ, DIRECTORY_CREATE_NEVER) == NULL && refused("not-found:"));
    CHECK(open_path(root(), "a/../b", DIRECTORY_MODE_READ, DIRECTORY_CREATE_NEVER) == NULL && refused("bad-argument:"));
    for (unsigned i = 0; i < ENGINE_FILES_MAX - 1; i++) {
        close_all(held[i]);
    }
    CHECK_EQ(engine_self.files, 0);
    for (unsigned i = 0; i < ENGINE_FILES_MAX; i++) { /* no promise is left */
        held[i] = open_path(root(), "f", DIRECTORY_MODE_READ, DIRECTORY_CREATE_NEVER);
        CHECK(held[i] != NULL);
    }
    for (unsigned i = 0; i < ENGINE_FILES_MAX; i++) {
        close_all(held[i]);
    }
}

/* --- names and views ------------------------------------------------------------------------------------------------- */

static void test_names(void)
{
    uint64_t size;

    fresh();
    CHECK(make_directory(root(), "a/b/c", true) && make_directory(root(), "a/b/c", true));
    CHECK(!make_directory(root(), "a/b", false) && refused("exists: 'a/b'"));
    CHECK(!make_directory(root(), "x/y", false) && refused("not-found: 'x/y'"));
    CHECK(!make_directory(root(), "a/../b", true) && refused("bad-argument:"));
    CHECK(!make_directory(root(), "a//b", true) && refused("bad-argument:"));
    CHECK(make_directory(root(), "", true)); /* it is there */
    for (unsigned i = 0; i < 4; i++) {       /* all at once: each of them has it */
        struct directory_mkdir_params_builder p =
            directory_mkdir_begin(&chunks[i].call, root(), asker_params(&chunks[i]), &asker_source);
        directory_mkdir_params_set_path(p, capnp_text("at/once"));
        directory_mkdir_params_set_parents(p, true);
        object_call(root(), &chunks[i].call);
    }
    settle();
    for (unsigned i = 0; i < 4; i++) {
        CHECK_EQ(chunks[i].returned, 1);
    }
    CHECK(remove_path(root(), "at/once") && remove_path(root(), "at"));
    CHECK(!make_directory(root(), "new/..", true) && refused("bad-argument:"));
    uint64_t none;
    CHECK(!stat_path(root(), "new", &none)); /* and nothing of it was made */
    char deep[2 * (CATALOG_DEPTH_MAX + 1)] = "x";
    for (unsigned i = 1; i <= CATALOG_DEPTH_MAX; i++) {
        memcpy(deep + 2 * i - 1, "/x", 3);
    }
    CHECK(!make_directory(root(), deep, true) && refused("bad-argument: 'x/x")); /* to ask again would not help */
    for (unsigned i = CATALOG_DEPTH_MAX; i > 0; i--) {
        deep[2 * i - 1] = 0;
        CHECK(remove_path(root(), deep));
    }
    struct object *file = open_path(root(), "a/f", DIRECTORY_MODE_WRITE, DIRECTORY_CREATE_EXCLUSIVE);
    REQUIRE(file != NULL && write_file(file, 0, "hello", 5));
    CHECK(!make_directory(root(), "a/f", true) && refused("not-directory: 'a/f'"));
    CHECK(!make_directory(root(), "a/f/g", true) && refused("not-directory:"));
    CHECK(!remove_path(root(), "a") && refused("not-empty: 'a'"));
    CHECK(rename_path(root(), "a/f", "a/b/g", false));
    CHECK(!rename_path(root(), "a", "a/b/d", false) && refused("conflict: 'a'"));
    CHECK(write_file(file, 5, "!", 1)); /* the file is the same */
    CHECK(stat_path(root(), "a/b/g", &size) && size == 6);
    CHECK(!rename_path(root(), "a/b/g", "a/b/c", false) && refused("is-directory:"));
    CHECK(open_path(root(), "a/b", DIRECTORY_MODE_READ, DIRECTORY_CREATE_NEVER) == NULL && refused("is-directory:"));
    CHECK(remove_path(root(), "a/b/g") && remove_path(root(), "a/b/c") && remove_path(root(), "a/b") &&
          remove_path(root(), "a"));
    close_all(file);
    nothing_is_left(0);
}

static void test_views(void)
{
    uint64_t size;

    fresh();
    REQUIRE(make_directory(root(), "a/b", true));
    struct object *a = sub(root(), "a");
    struct object *reader = read_only(a);
    struct object *adder = append_only(a);
    CHECK(!make_directory(reader, "n", false) && refused("denied: this view is for reading"));
    CHECK(put_path(reader, "n", 1) == NULL && refused("denied:"));
    CHECK(open_path(reader, "n", DIRECTORY_MODE_READ, DIRECTORY_CREATE_IF_MISSING) == NULL && refused("denied:"));
    struct object *wider = append_only(reader); /* nothing widens it */
    CHECK(!make_directory(wider, "n", false) && refused("denied:"));
    close_all(wider);
    CHECK(make_directory(adder, "n", false) && !remove_path(adder, "n") &&
          refused("denied: this view is for what is new"));
    CHECK(!rename_path(adder, "n", "m", true) && refused("denied:"));
    CHECK(open_path(adder, "f", DIRECTORY_MODE_WRITE, DIRECTORY_CREATE_IF_MISSING) == NULL && refused("denied:"));
    struct object *log = open_path(adder, "f", DIRECTORY_MODE_APPEND, DIRECTORY_CREATE_IF_MISSING);
    REQUIRE(log != NULL && append_file(log, "line", 4));
    CHECK(stat_path(root(), "a/f", &size) && size == 4);
    CHECK(!stat_path(a, "../a", &size) && refused("bad-argument:")); /* no way out */
    CHECK(rename_path(root(), "a", "z", false));
    CHECK(stat_path(reader, "f", &size) && size == 4); /* the directory is the same */
    struct object *upload = put_path(adder, "f", 1);   /* never replaces */
    REQUIRE(upload != NULL);
    byte_sink_write_params_set_chunk(byte_sink_write_begin(&ask.call, upload, asker_params(&ask), &asker_source),
                                     capnp_data("x", 1));
    object_call(upload, &ask.call);
    REQUIRE(done());
    (void)upload_finish_begin(&ask.call, upload, asker_params(&ask), &asker_source);
    object_call(upload, &ask.call);
    CHECK(!done() && refused("exists: 'f'"));
    close_all(upload);
    close_all(log);
    CHECK(remove_path(a, "f") && remove_path(a, "n") && remove_path(a, "b") && remove_path(root(), "z"));
    CHECK(!stat_path(reader, "", &size) && refused("not-found:")); /* it is gone */
    close_all(reader);
    close_all(adder);
    close_all(a);
    nothing_is_left(0);
}

static void test_quota(void)
{
    fresh();
    struct object *bound = quota(root(), 10000);
    struct object *tighter = quota(bound, 4000);
    struct object *file = open_path(tighter, "f", DIRECTORY_MODE_WRITE, DIRECTORY_CREATE_IF_MISSING);
    memset(bytes, 1, 20000);
    REQUIRE(file != NULL && write_file(file, 0, bytes, 3000));
    CHECK(!write_file(file, 3000, bytes, 1001) && refused("full: quota"));
    CHECK(write_file(file, 1000, bytes, 3000)); /* grows by 1,000 */
    CHECK(put_path(bound, "p", 6001) == NULL && refused("full: quota"));
    struct object *upload = put_path(bound, "p", 6000);
    REQUIRE(upload != NULL);
    CHECK(put_path(bound, "q", 1) == NULL && refused("full: quota"));
    close_all(upload); /* nothing came: its room is free again */
    truncate_begin(&ask, file, 100);
    CHECK(done());
    CHECK(write_file(file, 0, bytes, 4000));
    CHECK(remove_path(tighter, "f"));
    close_all(file);
    file = open_path(tighter, "g", DIRECTORY_MODE_WRITE, DIRECTORY_CREATE_IF_MISSING);
    REQUIRE(file != NULL);
    data.fail_writes = 0;
    CHECK(!write_file(file, 0, bytes, 4000) && refused("write: the disk failed"));
    data.fail_writes = UINT32_MAX;
    CHECK(write_file(file, 0, bytes, 4000)); /* what failed counts for nothing */
    close_all(file);
    CHECK(remove_path(root(), "g"));
    for (unsigned i = 0; i < 5; i++) { /* what a rename replaces counts no more */
        file = open_path(bound, "new", DIRECTORY_MODE_WRITE, DIRECTORY_CREATE_EXCLUSIVE);
        REQUIRE(file != NULL);
        CHECK(write_file(file, 0, bytes, 2900));
        close_all(file);
        CHECK(rename_path(bound, "new", "old", false));
    }
    CHECK(remove_path(bound, "old"));
    close_all(tighter);
    close_all(bound);
    nothing_is_left(0);
}

static uint64_t take_snapshot(void)
{
    struct catalog_op op = {.kind = CATALOG_SNAPSHOT, .prefix = {"s", 1}};
    struct catalog_op *const ops[] = {&op};

    test_room = ROOM_THREAD;
    catalog_run(&catalog, ops, 1);
    test_room = ROOM_LOOP;
    REQUIRE(op.answer == CATALOG_OK);
    return op.generation;
}

static void drop_snapshot(uint64_t generation)
{
    struct catalog_op op = {.kind = CATALOG_UNSNAPSHOT, .generation = generation};
    struct catalog_op *const ops[] = {&op};

    test_room = ROOM_THREAD;
    catalog_run(&catalog, ops, 1);
    while (catalog_care(&catalog)) {
    }
    test_room = ROOM_LOOP;
    CHECK_EQ(op.answer, CATALOG_OK);
}

static void test_snapshots(void)
{
    static uint8_t old[30000], new[30000];
    uint64_t size;

    fresh();
    memset(old, 1, sizeof old);
    memset(new, 2, sizeof new);
    struct object *file = open_path(root(), "f", DIRECTORY_MODE_WRITE, DIRECTORY_CREATE_IF_MISSING);
    REQUIRE(file != NULL && write_file(file, 0, old, sizeof old));
    uint64_t generation = take_snapshot();
    memcpy(new, old, 100);
    CHECK(write_file(file, 100, new + 100, sizeof new - 100));
    struct object *then = at(root(), generation);
    struct object *was = open_path(then, "f", DIRECTORY_MODE_READ, DIRECTORY_CREATE_NEVER);
    REQUIRE(was != NULL);
    CHECK(holds(was, old, sizeof old) && holds(file, new, sizeof new));
    CHECK(open_path(then, "f", DIRECTORY_MODE_WRITE, DIRECTORY_CREATE_NEVER) == NULL &&
          refused("denied: this view shows"));
    CHECK(remove_path(root(), "f") && stat_path(then, "f", &size) && size == sizeof old);
    drop_snapshot(generation);
    CHECK(holds(was, old, sizeof old)); /* held */
    CHECK(!stat_path(then, "f", &size) && refused("not-found: 'f'"));
    close_all(was);
    close_all(then);
    close_all(file);
    nothing_is_left(0);
}

/* Each part of a read of what was is held up until the file has been written to. */
static void test_snapshot_undisturbed(void)
{
    static uint8_t old[20 * BLOCK];

    fresh();
    memset(old, 1, sizeof old);
    struct object *file = open_path(root(), "f", DIRECTORY_MODE_WRITE, DIRECTORY_CREATE_IF_MISSING);
    REQUIRE(file != NULL && write_file(file, 0, old, 15 * BLOCK) && write_file(file, 15 * BLOCK, old, 5 * BLOCK));
    uint64_t generation = take_snapshot();
    struct object *then = at(root(), generation);
    struct object *was = open_path(then, "f", DIRECTORY_MODE_READ, DIRECTORY_CREATE_NEVER);
    REQUIRE(was != NULL);
    struct byte_source_read_params_builder p =
        byte_source_read_begin(&chunks[0].call, was, asker_params(&chunks[0]), &asker_source);
    byte_source_read_params_set_offset(p, 1); /* so each block is a part */
    byte_source_read_params_set_limit(p, 65536);
    object_call(was, &chunks[0].call);
    while (chunks[0].call.out) {
        while (data.count == 0) {
            REQUIRE(happen());
        }
        struct blk_request *part = data.pending[--data.count];
        CHECK(write_file(file, 0, "x", 1));
        data.pending[data.count++] = part;
        data_step();
    }
    CHECK_EQ(chunks[0].returned, 1);
    close_all(was);
    close_all(then);
    close_all(file);
    CHECK(remove_path(root(), "f"));
    drop_snapshot(generation);
    nothing_is_left(0);
}

int main(void)
{
    RUN(test_changes);
    RUN(test_changes_fail);
    RUN(test_pieces_and_full);
    RUN(test_rot);
    RUN(test_suspect);
    RUN(test_writers);
    RUN(test_last_place);
    RUN(test_names);
    RUN(test_views);
    RUN(test_quota);
    RUN(test_snapshots);
    RUN(test_snapshot_undisturbed);
    disk_free();
    free(bytes);
    return test_end();
}
