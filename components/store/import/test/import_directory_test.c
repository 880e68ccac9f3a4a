/* SPDX-License-Identifier: MIT OR Apache-2.0
 * import_directory_test.c: what a peer may ask of a volume, and is told; the thread is played by the test.
 */
#include "asker.h"
#include "boot_memory.h"
#include "../import_directory.c"
#include "import_tree.h"

struct import import_self;
static struct asker ask;
static struct image image;
static struct import_op *held; /* while hold: the last one */
static bool hold;

static enum import_answer act(struct import_op *op)
{
    struct import_desk *desk = import_self.desk;

    switch (op->kind) {
    case IMPORT_STAT:
        return import_volume_stat(op->path, &op->node);
    case IMPORT_LIST:
        return import_volume_list(op->path, op->after, desk->page, op->limit, &desk->count, &desk->more);
    case IMPORT_OPEN:
        return import_volume_open(op->path, op->file);
    default:
        return import_volume_read(op->file, op->offset, desk->chunk, op->limit, &desk->count);
    }
}

void import_submit(struct import_op *op)
{
    held = op;
    if (hold) {
        return;
    }
    test_room = -1;
    op->answer = act(op);
    test_room = ROOM_LOOP;
    op->done(op);
}

static struct object *root(void)
{
    return import_directory_root();
}

static bool refused(const char *reason)
{
    bool is = ask.failed == 1 && strncmp(ask.reason, reason, strlen(reason)) == 0;

    if (!is) {
        printf("it said: '%s'\n", ask.reason);
    }
    return is;
}

static bool ask_stat(struct object *dir, const char *path)
{
    directory_stat_params_set_path(directory_stat_begin(&ask.call, dir, asker_params(&ask), &asker_source),
                                   capnp_text(path));
    object_call(dir, &ask.call);
    return ask.returned == 1;
}

static struct object *ask_sub(struct object *dir, const char *path)
{
    directory_sub_params_set_path(directory_sub_begin(&ask.call, dir, asker_params(&ask), &asker_source),
                                  capnp_text(path));
    object_call(dir, &ask.call);
    return ask.returned == 1 ? object_get(directory_sub_results_get_directory(directory_sub_answer(&ask.call))) : NULL;
}

static struct object *ask_open(struct object *dir, const char *path, enum directory_mode mode,
                               enum directory_create create)
{
    struct directory_open_params_builder p = directory_open_begin(&ask.call, dir, asker_params(&ask), &asker_source);

    directory_open_params_set_path(p, capnp_text(path));
    directory_open_params_set_mode(p, mode);
    directory_open_params_set_create(p, create);
    object_call(dir, &ask.call);
    return ask.returned == 1 ? object_get(directory_open_results_get_file(directory_open_answer(&ask.call))) : NULL;
}

static struct object *ask_get(struct object *dir, const char *path)
{
    directory_get_params_set_path(directory_get_begin(&ask.call, dir, asker_params(&ask), &asker_source),
                                  capnp_text(path));
    object_call(dir, &ask.call);
    return ask.returned == 1 ? object_get(directory_get_results_get_blob(directory_get_answer(&ask.call))) : NULL;
}

static struct capnp_data ask_read(struct object *file, uint64_t offset, uint32_t limit)
{
    struct byte_source_read_params_builder p =
        byte_source_read_begin(&ask.call, file, asker_params(&ask), &asker_source);

    byte_source_read_params_set_offset(p, offset);
    byte_source_read_params_set_limit(p, limit);
    object_call(file, &ask.call);
    return ask.returned == 1 ? byte_source_read_results_get_chunk(byte_source_read_answer(&ask.call))
                             : (struct capnp_data){0};
}

static void put(struct object *object)
{
    test_room = ROOM_LOOP;
    asker_forget(&ask);
    object_put(object);
}

static void test_questions(void)
{
    CHECK(ask_stat(root(), "sub/numbers"));
    struct stat_reader said = directory_stat_results_get_stat(directory_stat_answer(&ask.call));
    CHECK_EQ(stat_get_kind(said), STAT_KIND_FILE);
    CHECK_EQ(stat_get_size(said), 228894);
    CHECK_EQ(time_get_clock(stat_get_changed(said)), TIME_CLOCK_IMPORTED);
    CHECK_EQ(time_get_nanoseconds(stat_get_changed(said)), 1612325106000000000);
    CHECK_EQ(time_get_clock(stat_get_made(said)), TIME_CLOCK_UNKNOWN);
    CHECK(!ask_stat(root(), "sub/gone") && refused("not-found: 'sub/gone': "));
    CHECK(!ask_stat(root(), "../x") && refused("bad-argument: a path is names"));
    CHECK(!ask_stat(root(), "a//b") && refused("bad-argument: "));
    CHECK(!ask_stat(root(), "sub/") && refused("bad-argument: "));
    CHECK(!ask_stat(root(), "a\001") && refused("bad-argument: "));
    CHECK(!ask_stat(root(), "one.txt/x") && refused("not-directory: 'one.txt/x': "));
    CHECK_EQ(self.ops.in_use, 0);
}

static void test_lists(void)
{
    struct directory_list_params_builder p = directory_list_begin(&ask.call, root(), asker_params(&ask), &asker_source);

    directory_list_params_set_path(p, capnp_text("sub/deeper"));
    directory_list_params_set_after(p, capnp_text("file-340"));
    object_call(root(), &ask.call);
    REQUIRE(ask.returned == 1);
    struct directory_list_results_reader page_said = directory_list_answer(&ask.call);
    struct directory_entry_readers entries = directory_list_results_get_entries(page_said);
    CHECK_EQ(entries.l.count, 9);
    CHECK(!directory_list_results_get_more(page_said));
    CHECK_STR(directory_entry_get_name(directory_entry_at(entries, 8)).text, "file-349");
    p = directory_list_begin(&ask.call, root(), asker_params(&ask), &asker_source);
    directory_list_params_set_path(p, capnp_text("sub/deeper"));
    object_call(root(), &ask.call);
    page_said = directory_list_answer(&ask.call);
    CHECK_EQ(directory_list_results_get_entries(page_said).l.count, 100);
    CHECK(directory_list_results_get_more(page_said));
}

/* A view finds what lies in it, by its own words, and nothing above. */
static void test_views(void)
{
    struct object *sub = ask_sub(root(), "sub");

    REQUIRE(sub != NULL);
    CHECK(ask_stat(sub, "deeper/file-100"));
    CHECK(!ask_stat(sub, "one.txt") && refused("not-found: 'one.txt': "));
    CHECK(!ask_stat(sub, "..") && refused("bad-argument: "));
    struct object *deeper = ask_sub(sub, "deeper");
    REQUIRE(deeper != NULL);
    put(sub);
    CHECK(ask_stat(deeper, "file-100"));
    CHECK(ask_stat(deeper, ""));
    CHECK(ask_sub(deeper, "file-100") == NULL && refused("not-directory: "));
    CHECK(ask_sub(deeper, "file-1") == NULL && refused("not-found: "));
    put(deeper);
    CHECK_EQ(self.views.in_use, 0);
    CHECK_EQ(self.ops.in_use, 0);
}

static void test_files(void)
{
    size_t size;
    const unsigned char *wanted = numbers(&size);
    struct object *file = ask_open(root(), "sub/numbers", DIRECTORY_MODE_READ, DIRECTORY_CREATE_NEVER);

    REQUIRE(file != NULL);
    struct capnp_data chunk = ask_read(file, 70000, 1000);
    CHECK_EQ(chunk.size, 1000);
    CHECK_BYTES(chunk.bytes, wanted + 70000, 1000);
    chunk = ask_read(file, 0, UINT32_MAX);
    CHECK_EQ(chunk.size, 65536);
    chunk = ask_read(file, size, 10);
    CHECK(ask.returned == 1 && chunk.size == 0);
    disk_insert(&image); /* nothing is kept */
    disk.fail = IMPORT_FAILED;
    (void)ask_read(file, 100000, 1000);
    CHECK(refused("'sub/numbers': the disk failed"));
    disk.fail = IMPORT_OK;
    put(file);
    file = ask_get(root(), "one.txt");
    REQUIRE(file != NULL);
    CHECK_EQ(stat_get_size(directory_get_results_get_stat(directory_get_answer(&ask.call))), 3);
    chunk = ask_read(file, 0, 100);
    CHECK_BYTES(chunk.bytes, "one", 3);
    put(file);
    CHECK(ask_get(root(), "sub") == NULL && refused("is-directory: 'sub': "));
    CHECK_EQ(self.files.in_use, 0);
    CHECK_EQ(self.ops.in_use, 0);
}

#define DENIED(object, interface, method)                                                                              \
    do {                                                                                                               \
        (void)interface##_##method##_begin(&ask.call, object, asker_params(&ask), &asker_source);                      \
        object_call(object, &ask.call);                                                                                \
        CHECK(refused("denied: "));                                                                                    \
    } while (0)

/* Nothing changes anything, and no view may more than another. */
static void test_denied(void)
{
    struct object *file = ask_open(root(), "one.txt", DIRECTORY_MODE_READ, DIRECTORY_CREATE_NEVER);

    REQUIRE(file != NULL);
    DENIED(root(), directory, mkdir);
    DENIED(root(), directory, remove);
    DENIED(root(), directory, rename);
    DENIED(root(), directory, put);
    DENIED(root(), directory, bind);
    DENIED(file, file, write);
    DENIED(file, file, append);
    DENIED(file, file, truncate);
    DENIED(file, file, append_only);
    CHECK(ask_open(root(), "one.txt", DIRECTORY_MODE_WRITE, DIRECTORY_CREATE_NEVER) == NULL && refused("denied: "));
    CHECK(ask_open(root(), "one.txt", DIRECTORY_MODE_APPEND, DIRECTORY_CREATE_NEVER) == NULL && refused("denied: "));
    CHECK(ask_open(root(), "new", DIRECTORY_MODE_READ, DIRECTORY_CREATE_IF_MISSING) == NULL && refused("denied: "));
    put(file);
    (void)directory_append_only_begin(&ask.call, root(), asker_params(&ask), &asker_source);
    object_call(root(), &ask.call);
    CHECK(directory_append_only_results_get_directory(directory_append_only_answer(&ask.call)) == root());
    (void)directory_watch_begin(&ask.call, root(), asker_params(&ask), &asker_source);
    object_call(root(), &ask.call);
    CHECK_EQ(ask.type, EXCEPTION_UNIMPLEMENTED);
    (void)directory_at_begin(&ask.call, root(), asker_params(&ask), &asker_source);
    object_call(root(), &ask.call);
    CHECK(refused("not-found: "));
}

/* What does not change is its own snapshot. */
static void test_volume(void)
{
    static struct object volume;

    object_init(&volume, &import_info_ops);
    (void)volume_snapshot_begin(&ask.call, &volume, asker_params(&ask), &asker_source);
    object_call(&volume, &ask.call);
    uint64_t generation = volume_snapshot_results_get_generation(volume_snapshot_answer(&ask.call));
    directory_at_params_set_generation(directory_at_begin(&ask.call, root(), asker_params(&ask), &asker_source),
                                       generation);
    object_call(root(), &ask.call);
    REQUIRE(ask.returned == 1);
    CHECK(directory_at_results_get_directory(directory_at_answer(&ask.call)) == root());
    struct volume_drop_snapshot_params_builder drop =
        volume_drop_snapshot_begin(&ask.call, &volume, asker_params(&ask), &asker_source);
    volume_drop_snapshot_params_set_generation(drop, generation);
    object_call(&volume, &ask.call);
    CHECK_EQ(ask.returned, 1);
    drop = volume_drop_snapshot_begin(&ask.call, &volume, asker_params(&ask), &asker_source);
    volume_drop_snapshot_params_set_generation(drop, generation + 1);
    object_call(&volume, &ask.call);
    CHECK(refused("not-found: "));
    (void)volume_format_begin(&ask.call, &volume, asker_params(&ask), &asker_source);
    object_call(&volume, &ask.call);
    CHECK(refused("denied: "));
    (void)volume_check_begin(&ask.call, &volume, asker_params(&ask), &asker_source);
    object_call(&volume, &ask.call);
    CHECK_EQ(ask.type, EXCEPTION_UNIMPLEMENTED);
    (void)volume_info_begin(&ask.call, &volume, asker_params(&ask), &asker_source);
    object_call(&volume, &ask.call);
    CHECK_EQ(volume_info_get_state(volume_info_results_get_info(volume_info_answer(&ask.call))),
             VOLUME_INFO_STATE_MOUNTED);
}

static void test_limits(void)
{
    struct object *file[IMPORT_FILES_MAX];

    for (unsigned i = 0; i < IMPORT_FILES_MAX; i++) {
        file[i] = ask_open(root(), "one.txt", DIRECTORY_MODE_READ, DIRECTORY_CREATE_NEVER);
        REQUIRE(file[i] != NULL);
    }
    CHECK(ask_get(root(), "one.txt") == NULL && refused("files: too many"));
    CHECK_EQ(ask.type, EXCEPTION_OVERLOADED);
    for (unsigned i = 0; i < IMPORT_FILES_MAX; i++) {
        put(file[i]);
    }
    char path[STORE_PATH_MAX + 1];
    for (unsigned i = 0; i < STORE_PATH_MAX; i++) {
        path[i] = i % 4 == 3 ? '/' : 'd';
    }
    path[STORE_PATH_MAX - 1] = 'd';
    path[STORE_PATH_MAX] = 0;
    CHECK(!ask_stat(root(), path) && refused("not-found: 'ddd/ddd"));
    struct object *sub = ask_sub(root(), "sub");
    CHECK(!ask_stat(sub, path) && refused("bad-argument: "));
    put(sub);
}

static void test_not_mounted(void)
{
    import_self.mounting = true;
    CHECK(!ask_stat(root(), "") && refused("the volume is still being mounted"));
    CHECK_EQ(ask.type, EXCEPTION_OVERLOADED);
    import_self.mounting = false;
    import_self.why = "nothing";
    CHECK(!ask_stat(root(), "") && refused("the disk is not mounted: found nothing"));
    CHECK(ask_get(root(), "one.txt") == NULL && ask.failed == 1);
    import_self.why = NULL;
    CHECK_EQ(self.ops.in_use, 0);
    CHECK_EQ(self.files.in_use, 0);
}

/* A call that nobody waits for any more gives back all that it had. */
static void test_cancelled(void)
{
    hold = true;
    (void)ask_get(root(), "one.txt");
    call_cancel(&ask.call);
    hold = false;
    import_submit(held);
    CHECK_EQ(ask.returned + ask.failed, 1);
    asker_forget(&ask);
    CHECK_EQ(self.files.in_use, 0);
    CHECK_EQ(self.ops.in_use, 0);
}

int main(void)
{
    image = image_make(IMAGE_FAT("-T 5760 -h 2 -s 36"));
    REQUIRE(mount(&image) == IMPORT_OK);
    import_self.desk = boot_alloc(sizeof *import_self.desk, 64);
    import_directory_init();
    RUN(test_questions);
    RUN(test_lists);
    RUN(test_views);
    RUN(test_files);
    RUN(test_denied);
    RUN(test_volume);
    RUN(test_limits);
    RUN(test_not_mounted);
    RUN(test_cancelled);
    asker_forget(&ask);
    free(image.bytes);
    return test_end();
}
