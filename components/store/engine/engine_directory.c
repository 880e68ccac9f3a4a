/* SPDX-License-Identifier: MIT OR Apache-2.0
 * engine_directory.c: the capability Directory, over the catalog's tree.
 *
 *  (1) A view names its directory by the node's number: it stays with the directory when that is renamed, and finds nothing when
 *      it was removed.
 */
#include <string.h>
#include "core/assert.h"
#include "engine.h"
#include "engine_stat.h"

/* For what needs these rights. NULL: the call failed. */
static struct engine_request *request_on(struct call *call, struct object *object, uint32_t rights,
                                         enum catalog_op_kind kind, struct capnp_text path,
                                         void (*done)(struct engine_op *op)) REQUIRES(LOOP)
{
    const struct engine_view *view = engine_view_of(object);

    if (!engine_available(call) || !engine_view_may(call, view, rights)) {
        return NULL;
    }
    struct engine_request *request = engine_request_new(call, kind, done);
    if (request != NULL) {
        request->op.op.at = view->at;
        request->op.op.path = engine_text(path);
    }
    return request;
}

/* --- stat, list ------------------------------------------------------------------------------------------------------ */

void engine_fill_time(struct time_builder out, struct catalog_time time)
{
    time_set_nanoseconds(out, time.ns);
    time_set_clock(out, (enum time_clock)time.clock);
}

void engine_fill_stat(struct stat_builder out, const struct catalog_node *node)
{
    stat_set_kind(out, node->kind == CATALOG_DIRECTORY ? STAT_KIND_DIRECTORY : STAT_KIND_FILE);
    stat_set_size(out, node->size);
    stat_set_id(out, node->id);
    engine_fill_time(stat_init_made(out), node->made);
    engine_fill_time(stat_init_changed(out), node->changed);
    if (node->has_digest) {
        stat_set_digest(out, capnp_data(node->digest, CATALOG_DIGEST));
    }
}

static void told(struct engine_op *op)
{
    room_assert_loop();
    struct catalog_node node = op->op.node;
    struct call *call = engine_request_end_path(op);

    if (call != NULL) {
        engine_fill_stat(directory_stat_results_init_stat(directory_stat_results(call, ENGINE_STAT_WORDS + 4)), &node);
        call_return(call);
    }
}

static void on_stat(struct object *object, struct call *call, struct directory_stat_params_reader params)
{
    room_assert_loop();
    struct engine_request *request =
        request_on(call, object, 0, CATALOG_STAT, directory_stat_params_get_path(params), told);

    if (request != NULL) {
        engine_submit(&request->op);
    }
}

static void say_page(struct call *call, const struct engine_listing *listing)
{
    room_assert_loop();
    const struct catalog_op *op = &listing->op.op;
    uint32_t words = 8;

    for (uint32_t i = 0; i < op->entry_count; i++) {
        words += op->entry[i].name_size / 8u + ENGINE_STAT_WORDS + 4;
    }
    struct directory_list_results_builder results = directory_list_results(call, words);
    struct directory_entry_builders entries = directory_list_results_init_entries(results, op->entry_count);
    for (uint32_t i = 0; i < op->entry_count; i++) {
        struct directory_entry_builder entry = directory_entry_builder_at(entries, i);
        directory_entry_set_name(entry, capnp_text_n(op->entry[i].name, op->entry[i].name_size));
        engine_fill_stat(directory_entry_init_stat(entry), &op->entry[i].node);
    }
    directory_list_results_set_more(results, op->more);
    call_return(call);
}

static void on_list(struct object *object, struct call *call, struct directory_list_params_reader params)
{
    room_assert_loop();
    if (engine_available(call)) {
        engine_list(call, engine_view_of(object), engine_text(directory_list_params_get_path(params)),
                    (struct catalog_text){0}, engine_text(directory_list_params_get_after(params)),
                    directory_list_params_get_limit(params), say_page);
    }
}

/* --- open ------------------------------------------------------------------------------------------------------------ */

static void open_looked(struct engine_op *op);

static void open_end(struct engine_op *op) REQUIRES(LOOP)
{
    struct catalog_op end = op->op;
    enum engine_mode mode = (enum engine_mode)engine_request_of(op)->mode;
    struct call *call = engine_request_end_path(op);

    engine_file_redeem();
    if (call == NULL) {
        return;
    }
    if (end.node.kind == CATALOG_DIRECTORY) {
        engine_fail_path(call, CATALOG_IS_DIRECTORY, end.path);
    } else {
        engine_file_open(call, engine_view_of(call->target), &end.node, end.path, mode);
    }
}

static void open_created(struct engine_op *op)
{
    room_assert_loop();
    struct engine_request *request = engine_request_of(op);

    if (op->op.answer == CATALOG_EXISTS && request->create == DIRECTORY_CREATE_IF_MISSING) { /* somebody was faster */
        op->op.kind = CATALOG_STAT;
        op->done = open_looked;
        request->create = DIRECTORY_CREATE_NEVER;
        engine_submit(op);
        return;
    }
    open_end(op);
}

static void open_looked(struct engine_op *op)
{
    room_assert_loop();
    struct engine_request *request = engine_request_of(op);

    if (op->op.answer == CATALOG_MISSING && request->create != DIRECTORY_CREATE_NEVER) {
        op->op.kind = CATALOG_CREATE;
        op->done = open_created;
        engine_submit(op);
        return;
    }
    if (op->op.answer == CATALOG_OK && request->create == DIRECTORY_CREATE_EXCLUSIVE) {
        op->op.answer = CATALOG_EXISTS;
    }
    open_end(op);
}

static void on_open(struct object *object, struct call *call, struct directory_open_params_reader params)
{
    room_assert_loop();
    enum directory_mode mode = directory_open_params_get_mode(params);
    enum directory_create create = directory_open_params_get_create(params);
    uint32_t rights = mode == DIRECTORY_MODE_WRITE ? ENGINE_ALL : mode == DIRECTORY_MODE_APPEND ? ENGINE_MAKE : 0;

    if (mode > DIRECTORY_MODE_APPEND || create > DIRECTORY_CREATE_EXCLUSIVE) {
        call_fail(call, EXCEPTION_FAILED, "bad-argument: no such mode, or way to create");
        return;
    }
    rights |= create != DIRECTORY_CREATE_NEVER ? ENGINE_MAKE : 0;
    if (!engine_file_promise(call)) { /* before anything is made */
        return;
    }
    struct engine_request *request =
        request_on(call, object, rights, CATALOG_STAT, directory_open_params_get_path(params), open_looked);
    if (request != NULL) {
        request->mode = mode;
        request->create = create;
        engine_submit(&request->op);
    } else {
        engine_file_redeem();
    }
}

/* --- changes of names ------------------------------------------------------------------------------------------------ */

static void return_empty(struct engine_op *op)
{
    room_assert_loop();
    struct call *call = engine_request_end_path(op);

    if (call != NULL) {
        call_return(call);
    }
}

/* The next part of the path, up to and with `from`'s next name. */
static void mkdir_part(struct engine_request *request, uint32_t from)
{
    uint32_t end = from < request->path.size ? from + 1 : from;

    while (end < request->path.size && request->path.text[end] != '/') {
        end++;
    }
    request->op.op.path.size = end;
}

static void mkdir_looked(struct engine_op *op);

static void made_part(struct engine_op *op)
{
    room_assert_loop();
    struct engine_request *request = engine_request_of(op);
    bool there = op->op.answer == CATALOG_OK || op->op.answer == CATALOG_EXISTS;

    if (there && op->op.path.size < request->path.size) {
        mkdir_part(request, op->op.path.size);
        engine_submit(op);
    } else if (op->op.answer == CATALOG_EXISTS) { /* somebody was faster: was it a directory? */
        op->op.kind = CATALOG_STAT;
        op->done = mkdir_looked;
        engine_submit(op);
    } else {
        return_empty(op);
    }
}

/* Nothing is made before it is known that the path is one, and that no file stands in the way. */
static void mkdir_looked(struct engine_op *op)
{
    room_assert_loop();

    if (op->op.answer == CATALOG_MISSING) {
        op->op.kind = CATALOG_MKDIR;
        op->done = made_part;
        mkdir_part(engine_request_of(op), 0);
        engine_submit(op);
        return;
    }
    if (op->op.answer == CATALOG_OK && op->op.node.kind != CATALOG_DIRECTORY) {
        op->op.answer = CATALOG_NOT_DIRECTORY;
    }
    return_empty(op);
}

static void on_mkdir(struct object *object, struct call *call, struct directory_mkdir_params_reader params)
{
    room_assert_loop();
    bool parents = directory_mkdir_params_get_parents(params);
    struct engine_request *request =
        request_on(call, object, ENGINE_MAKE, parents ? CATALOG_STAT : CATALOG_MKDIR,
                   directory_mkdir_params_get_path(params), parents ? mkdir_looked : return_empty);

    if (request != NULL) {
        request->path = request->op.op.path;
        engine_submit(&request->op);
    }
}

/* What a name that went, or was replaced, had of the view's quota. */
static void end_and_give(struct engine_op *op, uint64_t bytes) REQUIRES(LOOP)
{
    struct call *call = engine_request_end_path(op);

    if (call != NULL) {
        engine_quota_give(engine_view_of(call->target)->quota, bytes);
        call_return(call);
    }
}

static void removed(struct engine_op *op)
{
    room_assert_loop();
    end_and_give(op, op->op.node.size);
}

static void on_remove(struct object *object, struct call *call, struct directory_remove_params_reader params)
{
    room_assert_loop();
    struct engine_request *request =
        request_on(call, object, ENGINE_ALL, CATALOG_REMOVE, directory_remove_params_get_path(params), removed);

    if (request != NULL) {
        engine_submit(&request->op);
    }
}

static void renamed(struct engine_op *op)
{
    room_assert_loop();
    end_and_give(op, op->op.previous_size);
}

static void on_rename(struct object *object, struct call *call, struct directory_rename_params_reader params)
{
    room_assert_loop();
    struct engine_request *request =
        request_on(call, object, ENGINE_ALL, CATALOG_RENAME, directory_rename_params_get_from(params), renamed);

    if (request != NULL) {
        request->op.op.to = engine_view_of(object)->at;
        request->op.op.to_path = engine_text(directory_rename_params_get_to(params));
        request->op.op.flags = directory_rename_params_get_exclusive(params) ? CATALOG_EXCLUSIVE : 0;
        engine_submit(&request->op);
    }
}

/* --- content --------------------------------------------------------------------------------------------------------- */

static void say_put(struct call *call, struct object *upload, uint64_t received)
{
    room_assert_loop();
    struct directory_put_results_builder results = directory_put_results(call, 4);

    directory_put_results_set_upload(results, upload);
    directory_put_results_set_received(results, received);
}

/* Through a view for what is new, a put never replaces. */
static void on_put(struct object *object, struct call *call, struct directory_put_params_reader params)
{
    room_assert_loop();
    const struct engine_view *view = engine_view_of(object);
    bool exclusive = directory_put_params_get_exclusive(params) || (view->rights & ENGINE_REPLACE) == 0;
    struct engine_name name = {.at = view->at,
                               .path = engine_text(directory_put_params_get_path(params)),
                               .flags = exclusive ? CATALOG_EXCLUSIVE : 0,
                               .quota = view->quota};
    struct engine_put put = {.size = directory_put_params_get_size(params),
                             .digest = directory_put_params_get_digest(params),
                             .name = &name,
                             .say = say_put};

    if (engine_available(call) && engine_view_may(call, view, ENGINE_MAKE)) {
        engine_put(call, &put);
    }
}

static void say_get(struct call *call, struct object *blob, const struct engine_source *source)
{
    room_assert_loop();
    struct directory_get_results_builder results = directory_get_results(call, ENGINE_STAT_WORDS + 6);

    directory_get_results_set_blob(results, blob);
    engine_fill_stat(directory_get_results_init_stat(results), &source->ask.op.node);
}

static void on_get(struct object *object, struct call *call, struct directory_get_params_reader params)
{
    room_assert_loop();
    struct catalog_op which = {.at = engine_view_of(object)->at,
                               .path = engine_text(directory_get_params_get_path(params))};

    if (which.path.size == 0) {
        engine_fail_path(call, CATALOG_IS_DIRECTORY, which.path);
    } else if (engine_available(call)) {
        engine_get(call, &which, say_get);
    }
}

static void bound(struct engine_op *op)
{
    room_assert_loop();
    struct catalog_op end = op->op;
    struct engine_request *request = engine_request_of(op);

    engine_quota_give(engine_view_of(request->call->target)->quota,
                      end.answer == CATALOG_OK ? end.previous_size : request->bytes);
    struct call *call = engine_request_end_path(op);
    if (call != NULL) {
        struct directory_bind_results_builder results = directory_bind_results(call, 8);
        directory_bind_results_set_previous(results, capnp_data(end.previous, end.had_previous ? CATALOG_DIGEST : 0));
        call_return(call);
    }
}

/* Of a view with a quota: how large is it? */
static void bind_found(struct engine_op *op)
{
    room_assert_loop();
    struct engine_quota *quota = engine_view_of(engine_request_of(op)->call->target)->quota;

    if (op->op.answer != CATALOG_OK) {
        (void)engine_request_end(op, "bind");
    } else if (!engine_quota_take(quota, op->op.size)) {
        struct call *call = engine_request_of(op)->call;
        engine_request_free(engine_request_of(op));
        engine_fail_quota(call);
    } else {
        op->op.kind = CATALOG_BIND;
        op->done = bound;
        engine_request_of(op)->bytes = op->op.size;
        engine_submit(op);
    }
}

static void on_bind(struct object *object, struct call *call, struct directory_bind_params_reader params)
{
    room_assert_loop();
    struct capnp_data digest = directory_bind_params_get_digest(params);

    if (!engine_digest_valid(call, digest.bytes, digest.size)) {
        return;
    }
    struct engine_request *request =
        request_on(call, object, ENGINE_ALL, CATALOG_FIND, directory_bind_params_get_path(params), bind_found);
    if (request != NULL) {
        request->op.op.digest = digest.bytes;
        engine_submit(&request->op);
    }
}

/* --- views ----------------------------------------------------------------------------------------------------------- */

/* Ends a question for the node that a path means. NULL: the call failed, because it is no directory, or for another reason. */
static struct call *end_in_directory(struct engine_op *op, uint64_t *id) REQUIRES(LOOP)
{
    struct catalog_op end = op->op;
    struct call *call = engine_request_end_path(op);

    *id = end.node.id;
    if (call != NULL && end.node.kind != CATALOG_DIRECTORY) {
        engine_fail_path(call, CATALOG_NOT_DIRECTORY, end.path);
        return NULL;
    }
    return call;
}

static void entered(struct engine_op *op)
{
    room_assert_loop();
    uint64_t id;
    struct call *call = end_in_directory(op, &id);
    struct engine_view *view = call != NULL ? engine_view_new(call, engine_view_of(call->target)) : NULL;

    if (view != NULL) {
        view->at.directory = id;
        directory_sub_results_set_directory(directory_sub_results(call, 4), &view->object);
        engine_return(call, &view->object);
    }
}

static void on_sub(struct object *object, struct call *call, struct directory_sub_params_reader params)
{
    room_assert_loop();
    struct engine_request *request =
        request_on(call, object, 0, CATALOG_STAT, directory_sub_params_get_path(params), entered);

    if (request != NULL) {
        engine_submit(&request->op);
    }
}

static void watched(struct engine_op *op)
{
    room_assert_loop();
    struct object *watcher = engine_request_of(op)->watcher;
    uint64_t id;
    struct call *call = end_in_directory(op, &id);
    struct object *watch =
        call != NULL ? engine_watch_new(call, engine_view_of(call->target), id, (struct catalog_text){0}, watcher)
                     : NULL;

    if (watch != NULL) {
        directory_watch_results_set_watch(directory_watch_results(call, 4), watch);
        engine_return(call, watch);
    }
}

static void on_watch(struct object *object, struct call *call, struct directory_watch_params_reader params)
{
    room_assert_loop();
    struct engine_request *request =
        request_on(call, object, 0, CATALOG_STAT, directory_watch_params_get_path(params), watched);

    if (request != NULL) {
        request->watcher = directory_watch_params_get_watcher(params); /* borrowed, as long as the call is out */
        engine_submit(&request->op);
    }
}

static void on_read_only(struct object *object, struct call *call, struct directory_read_only_params_reader params)
{
    room_assert_loop();
    (void)params;
    struct engine_view *view = engine_view_new(call, engine_view_of(object));

    if (view != NULL) {
        view->rights = 0;
        directory_read_only_results_set_directory(directory_read_only_results(call, 4), &view->object);
        engine_return(call, &view->object);
    }
}

static void on_append_only(struct object *object, struct call *call, struct directory_append_only_params_reader params)
{
    room_assert_loop();
    (void)params;
    struct engine_view *view = engine_view_new(call, engine_view_of(object));

    if (view != NULL) {
        view->rights &= ENGINE_MAKE;
        directory_append_only_results_set_directory(directory_append_only_results(call, 4), &view->object);
        engine_return(call, &view->object);
    }
}

static void on_quota(struct object *object, struct call *call, struct directory_quota_params_reader params)
{
    room_assert_loop();
    const struct engine_view *from = engine_view_of(object);
    struct engine_quota *quota = engine_quota_new(call, directory_quota_params_get_bytes(params), from->quota);

    if (quota == NULL) {
        return;
    }
    struct engine_view *view = engine_view_new(call, from);
    if (view == NULL) {
        engine_quota_put(quota);
        return;
    }
    engine_quota_put(view->quota);
    view->quota = quota;
    directory_quota_results_set_directory(directory_quota_results(call, 4), &view->object);
    engine_return(call, &view->object);
}

static void on_at(struct object *object, struct call *call, struct directory_at_params_reader params)
{
    room_assert_loop();
    struct engine_view *view =
        engine_view_then(call, engine_view_of(object), directory_at_params_get_generation(params));

    if (view != NULL) {
        directory_at_results_set_directory(directory_at_results(call, 4), &view->object);
        engine_return(call, &view->object);
    }
}

static const struct directory_server_ops server_ops = {.stat = on_stat,
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

static void directory_call(struct object *object, struct call *call)
{
    room_assert_loop();
    directory_dispatch(&server_ops, object, call);
}

const struct object_ops engine_directory_ops = {.call = directory_call, .dead = engine_view_dead};
