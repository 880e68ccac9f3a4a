/* SPDX-License-Identifier: MIT OR Apache-2.0
 * import_directory.c: the capabilities: Directory, for a place on the volume, and File, for one that is open. Both are for reading,
 * so every view of them is another one of the same.
 *
 *  (1) What would change something is refused before anything is looked at, as a view for reading refuses it anywhere.
 */
#include <string.h>
#include "config.h"
#include "core/assert.h"
#include "core/mem.h"
#include "import.h"
#include "lib/store/store.capnp.h"

#define STAT_WORDS 20u /* of a Stat, at most */
#define SAID_MAX 80u   /* bytes of a path in a reason */

struct view {
    struct object object;
    uint32_t size;
    char path[STORE_PATH_MAX + 1];
};
struct open_file {
    struct object object;
    struct import_file file;
    char said[SAID_MAX + 4]; /* its path, or the end of it: for reasons */
};

static struct {
    struct view root;
    struct pool views, files, ops;
} self;

static const struct object_ops directory_ops, file_ops;

/* --- refusals -------------------------------------------------------------------------------------------------------- */

static const char *word(enum import_answer answer)
{
    static const char *const words[] = {[IMPORT_MISSING] = "not-found",
                                        [IMPORT_BAD_PATH] = "bad-argument",
                                        [IMPORT_NOT_DIRECTORY] = "not-directory",
                                        [IMPORT_IS_DIRECTORY] = "is-directory",
                                        [IMPORT_DAMAGED] = "corrupt"};

    return words[answer];
}

/* Behind the path. */
static const char *about(enum import_answer answer)
{
    switch (answer) {
    case IMPORT_MISSING:
        return "there is no such file or directory";
    case IMPORT_NOT_DIRECTORY:
        return "a file stands where a directory is needed";
    case IMPORT_IS_DIRECTORY:
        return "a directory stands where a file is needed";
    case IMPORT_DAMAGED:
        return "the volume says of it what cannot be";
    case IMPORT_UNSUPPORTED:
        return "it is stored in a way that is not read here";
    default:
        return "the disk failed";
    }
}

static void fail(struct call *call, enum import_answer answer, const char *path) REQUIRES(LOOP)
{
    size_t size = strlen(path);
    const char *more = size > SAID_MAX ? "..." : "";

    for (size = size < SAID_MAX ? size : SAID_MAX; size > 0 && ((unsigned char)path[size] & 0xc0) == 0x80; size--) {
    }                                /* not half a character */
    if (answer == IMPORT_BAD_PATH) { /* which is not repeated: it may be no text */
        call_fail(
            call, EXCEPTION_FAILED,
            "bad-argument: a path is names of 1 to %u bytes of UTF-8 with '/' between them, none of them '.' or '..'",
            STORE_NAME_MAX);
    } else if (answer == IMPORT_UNSUPPORTED || answer == IMPORT_FAILED) {
        call_fail(call, EXCEPTION_FAILED, "'%.*s%s': %s", (int)size, path, more, about(answer));
    } else {
        call_fail(call, EXCEPTION_FAILED, "%s: '%.*s%s': %s", word(answer), (int)size, path, more, about(answer));
    }
}

static void too_many(struct call *call, const char *what) REQUIRES(LOOP)
{
    call_fail(call, EXCEPTION_OVERLOADED, "%s: too many at once: try again later", what);
}

/* (1) */
static void deny(struct call *call) REQUIRES(LOOP)
{
    call_fail(call, EXCEPTION_FAILED, "denied: this volume is for reading");
}

static bool available(struct call *call) REQUIRES(LOOP)
{
    if (import_self.mounting) {
        call_fail(call, EXCEPTION_OVERLOADED, "the volume is still being mounted: ask again");
    } else if (import_self.why != NULL) {
        call_fail(call, EXCEPTION_FAILED, "the disk is not mounted: found %s", import_self.why);
    }
    return !import_self.mounting && import_self.why == NULL;
}

/* --- operations ------------------------------------------------------------------------------------------------------ */

static struct view *view_of(struct object *object)
{
    return CONTAINER_OF(object, struct view, object);
}

/* view's path + path. False: that is none. */
static bool join(const struct view *view, struct capnp_text path, struct import_op *op)
{
    uint32_t slash = view->size > 0 && path.size > 0 ? 1 : 0;

    if (!store_name_is_path(path.text, (uint32_t)path.size) || view->size + slash + path.size > STORE_PATH_MAX) {
        return false;
    }
    memcpy(op->path, view->path, view->size);
    op->path[view->size] = '/'; /* or the end of it all */
    op->skip = view->size + slash;
    if (path.size > 0) {
        memcpy(op->path + op->skip, path.text, path.size);
    }
    op->path_size = op->skip + (uint32_t)path.size;
    op->path[op->path_size] = 0;
    return true;
}

/* NULL: the call failed. */
static struct import_op *op_new(struct call *call, enum import_op_kind kind, void (*done)(struct import_op *op))
    REQUIRES(LOOP)
{
    struct import_op *op = available(call) ? pool_get(&self.ops) : NULL;

    if (op != NULL) {
        op->kind = kind;
        op->call = call;
        op->done = done;
    } else if (!import_self.mounting && import_self.why == NULL) {
        too_many(call, "questions");
    }
    return op;
}

/* About a path of the view that is called. NULL: the call failed. */
static struct import_op *op_on(struct call *call, struct capnp_text path, enum import_op_kind kind,
                               void (*done)(struct import_op *op)) REQUIRES(LOOP)
{
    struct import_op *op = op_new(call, kind, done);

    if (op != NULL && !join(view_of(call->target), path, op)) {
        pool_put(&self.ops, op);
        fail(call, IMPORT_BAD_PATH, "");
        return NULL;
    }
    return op;
}

/* Gives it back; its call, unless that failed with the thread's answer: then NULL. */
static struct call *op_end(struct import_op *op) REQUIRES(LOOP)
{
    struct call *call = op->call;

    if (op->answer != IMPORT_OK) {
        fail(call, op->answer, op->path + op->skip);
        call = NULL;
    }
    pool_put(&self.ops, op);
    return call;
}

/* --- stat, list ------------------------------------------------------------------------------------------------------ */

static void fill_time(struct time_builder out, struct import_time time)
{
    time_set_nanoseconds(out, time.known ? time.ns : 0);
    time_set_clock(out, time.known ? TIME_CLOCK_IMPORTED : TIME_CLOCK_UNKNOWN);
}

static void fill_stat(struct stat_builder out, const struct import_node *node)
{
    stat_set_kind(out, node->directory ? STAT_KIND_DIRECTORY : STAT_KIND_FILE);
    stat_set_size(out, node->directory ? 0 : node->size);
    stat_set_id(out, node->id);
    fill_time(stat_init_made(out), node->made);
    fill_time(stat_init_changed(out), node->changed);
}

static void told(struct import_op *op)
{
    room_assert_loop();
    struct import_node node = op->node;
    struct call *call = op_end(op);

    if (call != NULL) {
        fill_stat(directory_stat_results_init_stat(directory_stat_results(call, STAT_WORDS + 4)), &node);
        call_return(call);
    }
}

static void on_stat(struct object *object, struct call *call, struct directory_stat_params_reader params)
{
    room_assert_loop();
    (void)object;
    struct import_op *op = op_on(call, directory_stat_params_get_path(params), IMPORT_STAT, told);

    if (op != NULL) {
        import_submit(op);
    }
}

static void listed(struct import_op *op)
{
    room_assert_loop();
    const struct import_desk *desk = import_self.desk;
    struct call *call = op_end(op);
    uint32_t words = 8;

    if (call == NULL) {
        return;
    }
    for (uint32_t i = 0; i < desk->count; i++) {
        words += desk->page[i].name_size / 8u + STAT_WORDS + 4;
    }
    struct directory_list_results_builder results = directory_list_results(call, words);
    struct directory_entry_builders entries = directory_list_results_init_entries(results, desk->count);
    for (uint32_t i = 0; i < desk->count; i++) {
        struct directory_entry_builder entry = directory_entry_builder_at(entries, i);
        directory_entry_set_name(entry, capnp_text_n(desk->page[i].name, desk->page[i].name_size));
        fill_stat(directory_entry_init_stat(entry), &desk->page[i].node);
    }
    directory_list_results_set_more(results, desk->more);
    call_return(call);
}

static void on_list(struct object *object, struct call *call, struct directory_list_params_reader params)
{
    room_assert_loop();
    (void)object;
    struct capnp_text after = directory_list_params_get_after(params);
    uint32_t limit = directory_list_params_get_limit(params);
    struct import_op *op = op_on(call, directory_list_params_get_path(params), IMPORT_LIST, listed);

    if (op == NULL) {
        return;
    }
    op->limit = limit == 0 || limit > IMPORT_PAGE ? IMPORT_PAGE : limit;
    uint32_t size = after.size < STORE_NAME_MAX ? (uint32_t)after.size : STORE_NAME_MAX;
    if (size > 0) {
        memcpy(op->after, after.text, size);
    }
    import_submit(op);
}

/* --- files ----------------------------------------------------------------------------------------------------------- */

static struct open_file *file_of(struct object *object)
{
    return CONTAINER_OF(object, struct open_file, object);
}

static void file_dead(struct object *object)
{
    room_assert_loop();
    pool_put(&self.files, file_of(object)); /* nothing reads from it: its call would hold it */
}

/* The file, with one reference; NULL: the call failed. */
static struct open_file *open_end(struct import_op *op, struct call **call) REQUIRES(LOOP)
{
    struct open_file *file = CONTAINER_OF(op->file, struct open_file, file);
    uint32_t from = op->path_size > SAID_MAX ? op->path_size - SAID_MAX : 0;

    from = from > op->skip ? from : op->skip; /* what is above the view is not told */
    for (; ((unsigned char)op->path[from] & 0xc0) == 0x80; from++) {
    } /* not half a character */
    memcpy(file->said, op->path + from, op->path_size - from + 1);
    *call = op_end(op);
    if (*call == NULL) {
        pool_put(&self.files, file);
        return NULL;
    }
    object_init(&file->object, &file_ops);
    return file;
}

static void opened(struct import_op *op)
{
    room_assert_loop();
    struct call *call;
    struct open_file *file = open_end(op, &call);

    if (file != NULL) {
        directory_open_results_set_file(directory_open_results(call, 4), &file->object);
        object_put(&file->object);
        call_return(call);
    }
}

static void got(struct import_op *op)
{
    room_assert_loop();
    struct call *call;
    struct open_file *file = open_end(op, &call);

    if (file != NULL) {
        struct directory_get_results_builder results = directory_get_results(call, STAT_WORDS + 8);
        directory_get_results_set_blob(results, &file->object);
        fill_stat(directory_get_results_init_stat(results), &file->file.node);
        object_put(&file->object);
        call_return(call);
    }
}

static void open_path(struct call *call, struct capnp_text path, void (*done)(struct import_op *op)) REQUIRES(LOOP)
{
    struct import_op *op = op_on(call, path, IMPORT_OPEN, done);

    if (op == NULL) {
        return;
    }
    struct open_file *file = pool_get(&self.files);
    if (file == NULL) {
        pool_put(&self.ops, op);
        too_many(call, "files");
        return;
    }
    op->file = &file->file;
    import_submit(op);
}

static void on_open(struct object *object, struct call *call, struct directory_open_params_reader params)
{
    room_assert_loop();
    (void)object;
    enum directory_mode mode = directory_open_params_get_mode(params);
    enum directory_create create = directory_open_params_get_create(params);

    if (mode > DIRECTORY_MODE_APPEND || create > DIRECTORY_CREATE_EXCLUSIVE) {
        call_fail(call, EXCEPTION_FAILED, "bad-argument: no such mode, or way to create");
    } else if (mode != DIRECTORY_MODE_READ || create != DIRECTORY_CREATE_NEVER) {
        deny(call);
    } else {
        open_path(call, directory_open_params_get_path(params), opened);
    }
}

static void on_get(struct object *object, struct call *call, struct directory_get_params_reader params)
{
    room_assert_loop();
    (void)object;
    open_path(call, directory_get_params_get_path(params), got);
}

static void has_read(struct import_op *op)
{
    room_assert_loop();
    uint32_t size = import_self.desk->count;
    struct call *call = op_end(op);

    if (call == NULL) {
        return;
    }
    struct capnp_bytes chunk = byte_source_read_results_init_chunk(byte_source_read_results(call, size / 8 + 4), size);
    if (size > 0 && chunk.size == size) {
        memcpy(chunk.bytes, import_self.desk->chunk, size);
    }
    call_return(call); /* had the answer no room, this says `overloaded` */
}

static void on_read(struct object *object, struct call *call, struct byte_source_read_params_reader params)
{
    room_assert_loop();
    struct import_op *op = op_new(call, IMPORT_READ, has_read);
    uint32_t limit = byte_source_read_params_get_limit(params);

    if (op != NULL) {
        op->file = &file_of(object)->file;
        memcpy(op->path, file_of(object)->said, sizeof file_of(object)->said);
        op->offset = byte_source_read_params_get_offset(params);
        op->limit = limit < IMPORT_CHUNK_MAX ? limit : IMPORT_CHUNK_MAX;
        import_submit(op);
    }
}

static void on_size(struct object *object, struct call *call, struct byte_source_size_params_reader params)
{
    room_assert_loop();
    (void)params;
    byte_source_size_results_set_bytes(byte_source_size_results(call, 2), file_of(object)->file.node.size);
    call_return(call);
}

static void on_file_stat(struct object *object, struct call *call, struct file_stat_params_reader params)
{
    room_assert_loop();
    (void)params;
    fill_stat(file_stat_results_init_stat(file_stat_results(call, STAT_WORDS + 4)), &file_of(object)->file.node);
    call_return(call);
}

static void on_file_read_only(struct object *object, struct call *call, struct file_read_only_params_reader params)
{
    room_assert_loop();
    (void)params;
    file_read_only_results_set_file(file_read_only_results(call, 4), object);
    call_return(call);
}

/* --- views ----------------------------------------------------------------------------------------------------------- */

static void view_dead(struct object *object)
{
    room_assert_loop();
    if (object != &self.root.object) {
        pool_put(&self.views, view_of(object));
    }
}

static void entered(struct import_op *op)
{
    room_assert_loop();
    struct view *view = NULL;

    if (op->answer == IMPORT_OK && !op->node.directory) {
        op->answer = IMPORT_NOT_DIRECTORY;
    }
    if (op->answer == IMPORT_OK) {
        view = pool_get(&self.views);
    }
    if (view != NULL) {
        object_init(&view->object, &directory_ops);
        view->size = op->path_size;
        memcpy(view->path, op->path, op->path_size + 1);
    }
    struct call *call = op_end(op);
    if (view != NULL) {
        directory_sub_results_set_directory(directory_sub_results(call, 4), &view->object);
        object_put(&view->object);
        call_return(call);
    } else if (call != NULL) {
        too_many(call, "views");
    }
}

static void on_sub(struct object *object, struct call *call, struct directory_sub_params_reader params)
{
    room_assert_loop();
    (void)object;
    struct import_op *op = op_on(call, directory_sub_params_get_path(params), IMPORT_STAT, entered);

    if (op != NULL) {
        import_submit(op);
    }
}

static void on_read_only(struct object *object, struct call *call, struct directory_read_only_params_reader params)
{
    room_assert_loop();
    (void)params;
    directory_read_only_results_set_directory(directory_read_only_results(call, 4), object);
    call_return(call);
}

static void on_append_only(struct object *object, struct call *call, struct directory_append_only_params_reader params)
{
    room_assert_loop();
    (void)params;
    directory_append_only_results_set_directory(directory_append_only_results(call, 4), object);
    call_return(call);
}

static void on_quota(struct object *object, struct call *call, struct directory_quota_params_reader params)
{
    room_assert_loop();
    (void)params;
    directory_quota_results_set_directory(directory_quota_results(call, 4), object);
    call_return(call);
}

static void on_at(struct object *object, struct call *call, struct directory_at_params_reader params)
{
    room_assert_loop();
    uint64_t generation = directory_at_params_get_generation(params);

    if (generation != IMPORT_SNAPSHOT) {
        call_fail(call, EXCEPTION_FAILED, "not-found: there is no snapshot %llu: this volume does not change",
                  (unsigned long long)generation);
        return;
    }
    directory_at_results_set_directory(directory_at_results(call, 4), object);
    call_return(call);
}

static void on_watch(struct object *object, struct call *call, struct directory_watch_params_reader params)
{
    room_assert_loop();
    (void)object, (void)params;
    call_fail(call, EXCEPTION_UNIMPLEMENTED, "this volume does not change: there is nothing to watch");
}

/* --- changes: (1) ---------------------------------------------------------------------------------------------------- */

#define DENIES(method, interface)                                                                                      \
    static void on_##method(struct object *object, struct call *call,                                                  \
                            struct interface##_##method##_params_reader params)                                        \
    {                                                                                                                  \
        room_assert_loop();                                                                                            \
        (void)object, (void)params;                                                                                    \
        deny(call);                                                                                                    \
    }
DENIES(mkdir, directory)
DENIES(remove, directory)
DENIES(rename, directory)
DENIES(put, directory)
DENIES(bind, directory)
DENIES(write, file)
DENIES(append, file)
DENIES(truncate, file)
#undef DENIES

static void on_sync(struct object *object, struct call *call, struct file_sync_params_reader params)
{
    room_assert_loop();
    (void)object, (void)params;
    call_return(call); /* all that was written before is nothing */
}

static void on_file_append_only(struct object *object, struct call *call, struct file_append_only_params_reader params)
{
    room_assert_loop();
    (void)object, (void)params;
    deny(call);
}

/* --- dispatch -------------------------------------------------------------------------------------------------------- */

static void directory_call(struct object *object, struct call *call)
{
    static const struct directory_server_ops ops = {.stat = on_stat,
                                                    .list = on_list,
                                                    .open = on_open,
                                                    .mkdir = on_mkdir,
                                                    .remove = on_remove,
                                                    .rename = on_rename,
                                                    .put = on_put,
                                                    .get = on_get,
                                                    .bind = on_bind,
                                                    .watch = on_watch,
                                                    .sub = on_sub,
                                                    .read_only = on_read_only,
                                                    .append_only = on_append_only,
                                                    .quota = on_quota,
                                                    .at = on_at};

    room_assert_loop();
    directory_dispatch(&ops, object, call);
}

static void file_call(struct object *object, struct call *call)
{
    static const struct file_server_ops ops = {.write = on_write,
                                               .append = on_append,
                                               .truncate = on_truncate,
                                               .sync = on_sync,
                                               .stat = on_file_stat,
                                               .read_only = on_file_read_only,
                                               .append_only = on_file_append_only,
                                               .super_byte_source = {.read = on_read, .size = on_size}};

    room_assert_loop();
    file_dispatch(&ops, object, call);
}

static const struct object_ops directory_ops = {.call = directory_call, .dead = view_dead};
static const struct object_ops file_ops = {.call = file_call, .dead = file_dead};

struct object *import_directory_root(void)
{
    return &self.root.object;
}

void import_directory_init(void)
{
    object_init(&self.root.object, &directory_ops);
    pool_init(&self.views, "import views", sizeof(struct view), IMPORT_VIEWS_MAX);
    pool_init(&self.files, "import files", sizeof(struct open_file), IMPORT_FILES_MAX);
    pool_init(&self.ops, "import questions", sizeof(struct import_op), IMPORT_OPS_MAX);
}
