/* SPDX-License-Identifier: MIT OR Apache-2.0
 * engine_names.c: the capability Namespace, over the catalog's flat names.
 *
 *  (1) A view of a prefix puts it in front of each name that comes in, and takes it off each that goes out.
 */
#include <string.h>
#include "config.h"
#include "core/assert.h"
#include "core/mem.h"
#include "engine.h"
#include "lib/store/store.capnp.h"

#define STEPS_MAX CATALOG_STEPS_MAX /* of a commit */

/* A commit, with the names of a view that has a prefix. */
struct batch {
    struct engine_op op;
    struct call *call;
    struct catalog_step step[STEPS_MAX];
    char name[STEPS_MAX][CATALOG_NAME_MAX + 1];
    struct list node;
};
static struct list batches; /* free ones */

/* NULL: the call failed. */
static struct engine_request *request_on(struct call *call, struct object *object, enum catalog_op_kind kind,
                                         struct capnp_text name, void (*done)(struct engine_op *op)) REQUIRES(LOOP)
{
    const struct engine_view *view = engine_view_of(object);

    if (!engine_available(call) || (kind >= CATALOG_CHANGES && !engine_view_may(call, view, ENGINE_ALL))) {
        return NULL;
    }
    struct engine_request *request = engine_request_new(call, kind, done);
    if (request == NULL) {
        return NULL;
    }
    request->op.op.at = view->at;
    bool fits = engine_view_name(view, engine_text(name), request->name, &request->op.op.path);
    if (name.size == 0 || !fits) {
        engine_request_free(request);
        engine_fail(call, CATALOG_BAD_NAME, "");
        return NULL;
    }
    return request;
}

static void bound(struct engine_op *op)
{
    room_assert_loop();
    struct catalog_op end = op->op;
    struct call *call = engine_request_end(op, "bind");

    if (call != NULL) {
        struct namespace_bind_results_builder results = namespace_bind_results(call, 8);
        namespace_bind_results_set_previous(results, capnp_data(end.previous, end.had_previous ? CATALOG_DIGEST : 0));
        call_return(call);
    }
}

static void on_bind(struct object *object, struct call *call, struct namespace_bind_params_reader params)
{
    room_assert_loop();
    struct capnp_data digest = namespace_bind_params_get_digest(params);

    if (!engine_digest_valid(call, digest.bytes, digest.size)) {
        return;
    }
    struct engine_request *request =
        request_on(call, object, CATALOG_BIND, namespace_bind_params_get_name(params), bound);
    if (request != NULL) {
        request->op.op.digest = digest.bytes;
        engine_submit(&request->op);
    }
}

static void looked_up(struct engine_op *op)
{
    room_assert_loop();
    struct catalog_node node = op->op.node;
    bool there;
    struct call *call = engine_request_end_maybe(op, "lookup", &there);

    if (call == NULL) {
        return;
    }
    struct namespace_lookup_results_builder results = namespace_lookup_results(call, 10);
    if (there && node.has_digest) {
        namespace_lookup_results_set_digest(results, capnp_data(node.digest, CATALOG_DIGEST));
        namespace_lookup_results_set_size(results, node.size);
        namespace_lookup_results_set_present(results, true);
    }
    call_return(call);
}

static void on_lookup(struct object *object, struct call *call, struct namespace_lookup_params_reader params)
{
    room_assert_loop();
    struct engine_request *request =
        request_on(call, object, CATALOG_STAT, namespace_lookup_params_get_name(params), looked_up);

    if (request != NULL) {
        engine_submit(&request->op);
    }
}

static void unbound(struct engine_op *op)
{
    room_assert_loop();
    bool gone;
    struct call *call = engine_request_end_maybe(op, "remove", &gone);

    if (call != NULL) {
        namespace_remove_results_set_removed(namespace_remove_results(call, 2), gone);
        call_return(call);
    }
}

static void on_remove(struct object *object, struct call *call, struct namespace_remove_params_reader params)
{
    room_assert_loop();
    struct engine_request *request =
        request_on(call, object, CATALOG_REMOVE, namespace_remove_params_get_name(params), unbound);

    if (request != NULL) {
        engine_submit(&request->op);
    }
}

/* --- list ------------------------------------------------------------------------------------------------------------ */

static void say_page(struct call *call, const struct engine_listing *listing)
{
    room_assert_loop();
    const struct catalog_op *op = &listing->op.op;
    uint32_t words = 8;

    for (uint32_t i = 0; i < op->entry_count; i++) {
        words += op->entry[i].name_size / 8u + 10;
    }
    struct namespace_list_results_builder results = namespace_list_results(call, words);
    struct name_entry_builders entries = namespace_list_results_init_entries(results, op->entry_count);
    for (uint32_t i = 0; i < op->entry_count; i++) {
        const struct catalog_entry *from = &op->entry[i];
        struct name_entry_builder entry = name_entry_builder_at(entries, i);
        name_entry_set_name(entry, capnp_text_n(from->name + listing->strip, from->name_size - listing->strip));
        name_entry_set_digest(entry, capnp_data(from->node.digest, from->node.has_digest ? CATALOG_DIGEST : 0));
        name_entry_set_size(entry, from->node.size);
    }
    namespace_list_results_set_more(results, op->more);
    call_return(call);
}

static void on_list(struct object *object, struct call *call, struct namespace_list_params_reader params)
{
    room_assert_loop();
    struct capnp_text prefix = namespace_list_params_get_prefix(params);
    struct capnp_text after = namespace_list_params_get_after(params);

    if (engine_available(call)) {
        engine_list(call, engine_view_of(object), (struct catalog_text){0}, engine_text(prefix), engine_text(after),
                    namespace_list_params_get_limit(params), say_page);
    }
}

/* --- commit ---------------------------------------------------------------------------------------------------------- */

static void batch_free(struct batch *batch)
{
    list_push_back(&batches, &batch->node);
}

static void committed(struct engine_op *op)
{
    room_assert_loop();
    struct batch *batch = CONTAINER_OF(op, struct batch, op);
    struct call *call = batch->call;
    enum catalog_answer answer = op->op.answer;
    uint32_t step = op->op.failed_step;

    batch_free(batch);
    if (answer == CATALOG_OK || answer == CATALOG_CONFLICT) {
        struct namespace_commit_results_builder results = namespace_commit_results(call, 2);
        namespace_commit_results_set_applied(results, answer == CATALOG_OK);
        namespace_commit_results_set_conflict(results, answer == CATALOG_OK ? 0 : step);
        call_return(call);
    } else if (answer == CATALOG_MISSING) {
        call_fail(call, EXCEPTION_FAILED, "not-found: change %u: no blob with this digest is here", step);
    } else {
        engine_fail(call, answer, "commit");
    }
}

/* NULL: no digest; otherwise its bytes. False: it is not one, and the call failed. */
static bool digest_maybe(struct call *call, struct capnp_data digest, const uint8_t **bytes) REQUIRES(LOOP)
{
    *bytes = digest.size > 0 ? digest.bytes : NULL;
    return digest.size == 0 || engine_digest_valid(call, digest.bytes, digest.size);
}

/* False: the call failed. */
static bool batch_add(struct call *call, const struct engine_view *view, struct batch *batch, uint32_t i,
                      struct name_change_reader change) REQUIRES(LOOP)
{
    struct capnp_text name = name_change_get_name(change);
    struct catalog_step *step = &batch->step[i];

    *step = (struct catalog_step){.expect = name_change_get_condition(change) == NAME_CHANGE_CONDITION_MEANS};
    if (name.size == 0 || !engine_view_name(view, engine_text(name), batch->name[i], &step->name)) {
        engine_fail(call, CATALOG_BAD_NAME, "");
        return false;
    }
    if (name_change_get_condition(change) > NAME_CHANGE_CONDITION_MEANS) {
        call_fail(call, EXCEPTION_FAILED, "bad-argument: change %u: no such condition", i);
        return false;
    }
    return digest_maybe(call, name_change_get_digest(change), &step->digest) &&
           digest_maybe(call, name_change_get_expected(change), &step->expected);
}

static void on_commit(struct object *object, struct call *call, struct namespace_commit_params_reader params)
{
    room_assert_loop();
    const struct engine_view *view = engine_view_of(object);
    struct name_change_readers changes = namespace_commit_params_get_changes(params);
    uint32_t count = name_change_count(changes);

    if (!engine_available(call) || !engine_view_may(call, view, ENGINE_ALL)) {
        return;
    }
    if (count == 0 || count > STEPS_MAX) {
        call_fail(call, EXCEPTION_FAILED, "bad-argument: a commit has 1 to %u changes, not %u", STEPS_MAX, count);
        return;
    }
    struct list *node = list_pop_front(&batches);
    if (node == NULL) {
        engine_too_many(call, "commit");
        return;
    }
    struct batch *batch = CONTAINER_OF(node, struct batch, node);
    batch->call = call;
    for (uint32_t i = 0; i < count; i++) {
        if (!batch_add(call, view, batch, i, name_change_at(changes, i))) {
            batch_free(batch);
            return;
        }
    }
    batch->op = (struct engine_op){
        .op = {.kind = CATALOG_BATCH, .at = view->at, .step = batch->step, .step_count = count, .time = engine_now()},
        .done = committed};
    engine_submit(&batch->op);
}

/* --- put ------------------------------------------------------------------------------------------------------------- */

static void say_put(struct call *call, struct object *upload, uint64_t received)
{
    room_assert_loop();
    struct namespace_put_results_builder results = namespace_put_results(call, 4);

    namespace_put_results_set_upload(results, upload);
    namespace_put_results_set_received(results, received);
}

static void on_put(struct object *object, struct call *call, struct namespace_put_params_reader params)
{
    room_assert_loop();
    const struct engine_view *view = engine_view_of(object);
    struct capnp_text name = namespace_put_params_get_name(params);
    char buffer[CATALOG_NAME_MAX + 1];
    struct engine_name as = {.at = view->at, .quota = view->quota};
    struct engine_put put = {.size = namespace_put_params_get_size(params),
                             .digest = namespace_put_params_get_digest(params),
                             .name = &as,
                             .say = say_put};

    if (!engine_available(call) || !engine_view_may(call, view, ENGINE_ALL)) {
        return;
    }
    if (name.size == 0 || name.size > CATALOG_NAME_MAX ||
        !engine_view_name(view, engine_text(name), buffer, &as.path)) {
        engine_fail(call, CATALOG_BAD_NAME, "");
        return;
    }
    engine_put(call, &put);
}

/* --- views ----------------------------------------------------------------------------------------------------------- */

static void on_sub(struct object *object, struct call *call, struct namespace_sub_params_reader params)
{
    room_assert_loop();
    struct capnp_text prefix = namespace_sub_params_get_prefix(params);
    const struct engine_view *from = engine_view_of(object);

    if (prefix.size == 0 || prefix.size > CATALOG_NAME_MAX - from->prefix_size) {
        engine_fail(call, CATALOG_BAD_NAME, "");
        return;
    }
    struct engine_view *view = engine_view_new(call, from);
    if (view != NULL) {
        memcpy(view->prefix + view->prefix_size, prefix.text, prefix.size);
        view->prefix_size += prefix.size;
        namespace_sub_results_set_names(namespace_sub_results(call, 4), &view->object);
        engine_return(call, &view->object);
    }
}

static void on_read_only(struct object *object, struct call *call, struct namespace_read_only_params_reader params)
{
    room_assert_loop();
    (void)params;
    struct engine_view *view = engine_view_new(call, engine_view_of(object));

    if (view != NULL) {
        view->rights = 0;
        namespace_read_only_results_set_names(namespace_read_only_results(call, 4), &view->object);
        engine_return(call, &view->object);
    }
}

static void on_at(struct object *object, struct call *call, struct namespace_at_params_reader params)
{
    room_assert_loop();
    struct engine_view *view =
        engine_view_then(call, engine_view_of(object), namespace_at_params_get_generation(params));

    if (view != NULL) {
        namespace_at_results_set_names(namespace_at_results(call, 4), &view->object);
        engine_return(call, &view->object);
    }
}

static void on_watch(struct object *object, struct call *call, struct namespace_watch_params_reader params)
{
    room_assert_loop();
    const struct engine_view *view = engine_view_of(object);
    struct capnp_text prefix = namespace_watch_params_get_prefix(params);
    char buffer[CATALOG_NAME_MAX + 1];
    struct catalog_text all;

    if (prefix.size > CATALOG_NAME_MAX || !engine_view_name(view, engine_text(prefix), buffer, &all)) {
        engine_fail(call, CATALOG_BAD_NAME, "");
        return;
    }
    struct object *watch = engine_watch_new(call, view, CATALOG_NAMES, all, namespace_watch_params_get_watcher(params));
    if (watch != NULL) {
        namespace_watch_results_set_watch(namespace_watch_results(call, 4), watch);
        engine_return(call, watch);
    }
}

static const struct namespace_server_ops server_ops = {.bind = on_bind,
                                                       .lookup = on_lookup,
                                                       .list = on_list,
                                                       .remove = on_remove,
                                                       .commit = on_commit,
                                                       .put = on_put,
                                                       .watch = on_watch,
                                                       .sub = on_sub,
                                                       .read_only = on_read_only,
                                                       .at = on_at};

static void names_call(struct object *object, struct call *call)
{
    room_assert_loop();
    namespace_dispatch(&server_ops, object, call);
}

const struct object_ops engine_names_ops = {.call = names_call, .dead = engine_view_dead};

void engine_names_init(void)
{
    struct batch *all = boot_alloc(ENGINE_COMMITS_MAX * sizeof *all, 16);

    list_init(&batches);
    for (int i = 0; i < ENGINE_COMMITS_MAX; i++) {
        batch_free(&all[i]);
    }
}
