/* SPDX-License-Identifier: MIT OR Apache-2.0
 * engine_file.c: the capability File: who has a file open, and for what.
 *
 *  (1) An open file is one struct engine_file; capabilities for it are views, of which some may write. One file of a node may be
 *      open with views that write: who opens the second is refused. It is free again when its last view goes.
 *  (2) Of a snapshot a file is what it was: its bytes are held. Otherwise it is read as it changes.
 */
#include <string.h>
#include "config.h"
#include "core/assert.h"
#include "core/mem.h"
#include "engine.h"
#include "engine_stat.h"

struct file_view {
    struct object object;
    struct engine_file *file;
    enum engine_mode mode;
};
struct change_call {
    struct engine_change change;
    struct call *call;
};

static struct {
    struct engine_file *all; /* [I] */
    struct list files;       /* free ones */
    struct list open;        /* those that have views that write */
    struct pool views;
    struct pool changes;
    /* A file and a view for each open that is under way: it may make its file, and then has to have them. */
    uint32_t promised;
} self;

static const struct object_ops file_object_ops;

/* --- open and close -------------------------------------------------------------------------------------------------- */

static struct file_view *view_of(struct object *object)
{
    return CONTAINER_OF(object, struct file_view, object);
}

/* NULL: too many, and the call failed. */
static struct file_view *view_new(struct call *call, struct engine_file *file, enum engine_mode mode) REQUIRES(LOOP)
{
    bool room = self.views.in_use + self.promised < self.views.count;
    struct file_view *view = room ? pool_get(&self.views) : NULL;

    if (view == NULL) {
        engine_too_many(call, "files");
        return NULL;
    }
    object_init(&view->object, &file_object_ops);
    view->file = file;
    view->mode = mode;
    file->views++;
    if (mode != ENGINE_READ && file->writers++ == 0) {
        list_push_back(&self.open, &file->node);
    }
    return view;
}

static void file_free(struct engine_file *file) REQUIRES(LOOP)
{
    engine_quota_put(file->quota);
    file->id = 0;
    list_push_back(&self.files, &file->node);
    engine_self.open--;
    engine_self.files--;
}

static void source_closed(struct engine_source *source)
{
    room_assert_loop();
    file_free(CONTAINER_OF(source, struct engine_file, source));
}

static void note_closed(struct engine_file *file) REQUIRES(LOOP)
{
    if (file->changed) {
        engine_watch_note_file(file->id);
    }
    file->changed = false;
}

static void view_dead(struct object *object)
{
    room_assert_loop();
    struct engine_file *file = view_of(object)->file;

    if (view_of(object)->mode != ENGINE_READ && --file->writers == 0) {
        list_remove(&file->node);
        note_closed(file);
    }
    pool_put(&self.views, view_of(object));
    if (--file->views == 0) { /* no change is under way: its call would hold a view */
        engine_source_close(&file->source, source_closed);
    }
}

static void opened(struct call *call, struct engine_file *file, enum engine_mode mode) REQUIRES(LOOP)
{
    struct file_view *view = view_new(call, file, mode);

    if (view == NULL) {
        engine_source_close(&file->source, source_closed);
        return;
    }
    directory_open_results_set_file(directory_open_results(call, 4), &view->object);
    engine_return(call, &view->object);
}

static void then_opened(struct engine_source *source, enum catalog_answer answer)
{
    room_assert_loop();
    struct engine_file *file = CONTAINER_OF(source, struct engine_file, source);
    struct call *call = file->call;

    if (answer == CATALOG_OK) {
        file->then = source->ask.op.node;
        opened(call, file, ENGINE_READ);
        return;
    }
    struct catalog_text path = source->ask.op.path;
    file_free(file);
    engine_fail_path(call, answer, path);
}

void engine_file_changed(uint64_t id)
{
    for (int i = 0; i < ENGINE_FILES_MAX; i++) {
        if (self.all[i].now && self.all[i].id == id) { /* what a snapshot shows does not change */
            self.all[i].source.version++;
        }
    }
}

bool engine_file_promise(struct call *call)
{
    if (engine_self.files + self.promised >= ENGINE_FILES_MAX ||
        self.views.in_use + self.promised >= self.views.count) {
        engine_too_many(call, "files");
        return false;
    }
    self.promised++;
    return true;
}

void engine_file_redeem(void)
{
    ASSERT(self.promised > 0);
    self.promised--;
}

static bool written_elsewhere(uint64_t id)
{
    for (struct list *n = self.open.next; n != &self.open; n = n->next) {
        if (CONTAINER_OF(n, struct engine_file, node)->id == id) {
            return true;
        }
    }
    return false;
}

void engine_file_open(struct call *call, const struct engine_view *view, const struct catalog_node *node,
                      struct catalog_text path, enum engine_mode mode)
{
    if (mode != ENGINE_READ && written_elsewhere(node->id)) {
        call_fail(call, EXCEPTION_FAILED, "busy: somebody else has the file open for writing");
        return;
    }
    struct list *free = list_pop_front(&self.files);
    if (free == NULL) {
        engine_too_many(call, "files");
        return;
    }
    struct engine_file *file = CONTAINER_OF(free, struct engine_file, node);
    file->id = node->id;
    file->now = view->at.generation == CATALOG_NOW;
    file->views = file->writers = 0;
    file->changed = false;
    file->quota = engine_quota_get(view->quota);
    file->call = call;
    engine_self.open++;
    engine_self.files++;
    if (file->now) {
        engine_source_open_node(&file->source, node->id);
        opened(call, file, mode);
    } else {
        engine_source_open(&file->source, &(struct catalog_op){.at = view->at, .path = path}, then_opened);
    }
}

/* --- reading --------------------------------------------------------------------------------------------------------- */

static void on_read(struct object *object, struct call *call, struct byte_source_read_params_reader params)
{
    room_assert_loop();
    engine_serve_read(call, &view_of(object)->file->source, byte_source_read_params_get_offset(params),
                      byte_source_read_params_get_limit(params));
}

static void sized(struct engine_op *op)
{
    room_assert_loop();
    uint64_t size = op->op.node.size;
    struct call *call = engine_request_end(op, "size");

    if (call != NULL) {
        byte_source_size_results_set_bytes(byte_source_size_results(call, 2), size);
        call_return(call);
    }
}

static void told(struct engine_op *op)
{
    room_assert_loop();
    struct catalog_node node = op->op.node;
    struct call *call = engine_request_end(op, "stat");

    if (call != NULL) {
        engine_fill_stat(file_stat_results_init_stat(file_stat_results(call, ENGINE_STAT_WORDS + 4)), &node);
        call_return(call);
    }
}

/* What the file is; of a snapshot it is known. */
static void ask_node(struct call *call, const struct engine_file *file, void (*done)(struct engine_op *op))
    REQUIRES(LOOP)
{
    struct engine_request *request = engine_request_new(call, CATALOG_STAT_NODE, done);

    if (request == NULL) {
        return;
    }
    request->op.op.id = file->id;
    if (file->now) {
        engine_submit(&request->op);
    } else {
        request->op.op.node = file->then;
        done(&request->op);
    }
}

static void on_size(struct object *object, struct call *call, struct byte_source_size_params_reader params)
{
    room_assert_loop();
    (void)params;
    ask_node(call, view_of(object)->file, sized);
}

static void on_stat(struct object *object, struct call *call, struct file_stat_params_reader params)
{
    room_assert_loop();
    (void)params;
    ask_node(call, view_of(object)->file, told);
}

/* --- changes --------------------------------------------------------------------------------------------------------- */

static void changed(struct engine_change *change, enum catalog_answer answer, bool quota)
{
    room_assert_loop();
    struct change_call *c = CONTAINER_OF(change, struct change_call, change);
    struct call *call = c->call;
    enum engine_change_kind kind = change->kind;
    uint64_t offset = change->offset;

    pool_put(&self.changes, c);
    if (quota) {
        engine_fail_quota(call);
    } else if (answer == CATALOG_MISSING) {
        call_fail(call, EXCEPTION_FAILED, "not-found: the file was removed");
    } else if (answer == CATALOG_CONFLICT) {
        call_fail(call, EXCEPTION_OVERLOADED, "conflict: the file gets other content all the time: try again later");
    } else if (answer != CATALOG_OK) {
        engine_fail(call, answer, "write");
    } else {
        if (kind == ENGINE_CHANGE_APPEND) {
            file_append_results_set_offset(file_append_results(call, 2), offset);
        }
        call_return(call);
    }
}

/* For views of this mode or a wider one. False: the call failed. */
static bool may_change(struct call *call, const struct file_view *view, bool append) REQUIRES(LOOP)
{
    if (view->mode == ENGINE_WRITE || (append && view->mode == ENGINE_APPEND)) {
        return true;
    }
    call_fail(call, EXCEPTION_FAILED, "denied: this file is open for %s",
              view->mode == ENGINE_READ ? "reading" : "appending");
    return false;
}

static void submit(struct call *call, struct object *object, struct engine_change change) REQUIRES(LOOP)
{
    struct change_call *c = NULL;

    if (change.bytes != NULL && change.size > ENGINE_CHUNK_MAX) {
        call_fail(call, EXCEPTION_FAILED, "bad-argument: %llu bytes at once: at most %u",
                  (unsigned long long)change.size, ENGINE_CHUNK_MAX);
    } else if (change.offset > ENGINE_FILE_MAX || change.size > ENGINE_FILE_MAX) {
        call_fail(call, EXCEPTION_FAILED, "full: a file has at most %llu bytes", (unsigned long long)ENGINE_FILE_MAX);
    } else {
        c = pool_get(&self.changes);
        if (c == NULL) {
            call_fail(call, EXCEPTION_OVERLOADED, "%d writes are under way: wait for some", ENGINE_WRITES_MAX);
        }
    }
    if (c != NULL) {
        c->call = call;
        c->change = change;
        c->change.done = changed;
        engine_change_submit(view_of(object)->file, &c->change);
    }
}

static void on_write(struct object *object, struct call *call, struct file_write_params_reader params)
{
    room_assert_loop();
    struct capnp_data bytes = file_write_params_get_bytes(params);

    if (may_change(call, view_of(object), false)) {
        submit(call, object,
               (struct engine_change){.kind = ENGINE_CHANGE_WRITE,
                                      .offset = file_write_params_get_offset(params),
                                      .bytes = bytes.bytes,
                                      .size = bytes.size});
    }
}

static void on_append(struct object *object, struct call *call, struct file_append_params_reader params)
{
    room_assert_loop();
    struct capnp_data bytes = file_append_params_get_bytes(params);

    if (may_change(call, view_of(object), true)) {
        submit(call, object,
               (struct engine_change){.kind = ENGINE_CHANGE_APPEND, .bytes = bytes.bytes, .size = bytes.size});
    }
}

static void on_truncate(struct object *object, struct call *call, struct file_truncate_params_reader params)
{
    room_assert_loop();
    if (may_change(call, view_of(object), false)) {
        submit(call, object,
               (struct engine_change){.kind = ENGINE_CHANGE_TRUNCATE, .size = file_truncate_params_get_size(params)});
    }
}

static void on_sync(struct object *object, struct call *call, struct file_sync_params_reader params)
{
    room_assert_loop();
    (void)params;
    submit(call, object, (struct engine_change){.kind = ENGINE_CHANGE_SYNC});
}

/* --- views ----------------------------------------------------------------------------------------------------------- */

static void on_read_only(struct object *object, struct call *call, struct file_read_only_params_reader params)
{
    room_assert_loop();
    (void)params;
    struct file_view *view = view_new(call, view_of(object)->file, ENGINE_READ);

    if (view != NULL) {
        file_read_only_results_set_file(file_read_only_results(call, 4), &view->object);
        engine_return(call, &view->object);
    }
}

static void on_append_only(struct object *object, struct call *call, struct file_append_only_params_reader params)
{
    room_assert_loop();
    (void)params;
    const struct file_view *from = view_of(object);

    if (!may_change(call, from, true)) {
        return;
    }
    struct file_view *view = view_new(call, from->file, ENGINE_APPEND);
    if (view != NULL) {
        file_append_only_results_set_file(file_append_only_results(call, 4), &view->object);
        engine_return(call, &view->object);
    }
}

static const struct file_server_ops server_ops = {.write = on_write,
                                                  .append = on_append,
                                                  .truncate = on_truncate,
                                                  .sync = on_sync,
                                                  .stat = on_stat,
                                                  .read_only = on_read_only,
                                                  .append_only = on_append_only,
                                                  .super_byte_source = {.read = on_read, .size = on_size}};

static void file_call(struct object *object, struct call *call)
{
    room_assert_loop();
    file_dispatch(&server_ops, object, call);
}

static const struct object_ops file_object_ops = {.call = file_call, .dead = view_dead};

void engine_file_init(void)
{
    struct engine_file *files = boot_alloc(ENGINE_FILES_MAX * sizeof *files, 16);

    self.all = files;
    list_init(&self.files);
    list_init(&self.open);
    for (int i = 0; i < ENGINE_FILES_MAX; i++) {
        engine_source_init(&files[i].source);
        list_init(&files[i].waiting);
        list_push_back(&self.files, &files[i].node);
    }
    pool_init(&self.views, "store files", sizeof(struct file_view), 2 * ENGINE_FILES_MAX);
    pool_init(&self.changes, "store file writes", sizeof(struct change_call), ENGINE_WRITES_MAX);
}
