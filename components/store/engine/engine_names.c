/* SPDX-License-Identifier: MIT OR Apache-2.0
 * engine_names.c: the capability Namespace, over the catalog's flat names.
 */
#include <string.h>
#include "config.h"
#include "core/assert.h"
#include "core/mem.h"
#include "engine.h"
#include "lib/store/store.capnp.h"

#define LIST_MAX 100u /* entries of a page: with the longest names 35 KiB */

/* Its pages are kept for life. */
struct listing {
    struct engine_op op;
    struct call *call;
    struct catalog_entry *entry; /* [I] LIST_MAX */
    struct list node;
};
static struct list listings; /* free ones */

static struct engine_request *request_on(struct call *call, enum catalog_op_kind kind, struct capnp_text name,
                                         void (*done)(struct engine_op *op)) REQUIRES(LOOP)
{
    if (name.size == 0) {
        engine_fail(call, CATALOG_BAD_NAME, "");
        return NULL;
    }
    struct engine_request *request = engine_request_new(call, kind, done);
    if (request != NULL) {
        request->op.op.at.directory = CATALOG_NAMES;
        request->op.op.path = (struct catalog_text){name.text, name.size};
    }
    return request;
}

static void bound(struct engine_op *op)
{
    room_assert_loop();
    bool had_previous = op->op.had_previous;
    uint8_t previous[CATALOG_DIGEST];

    memcpy(previous, op->op.previous, sizeof previous);
    struct call *call = engine_request_end(op, "bind");
    if (call != NULL) {
        struct namespace_bind_results_builder results = namespace_bind_results(call, 8);
        namespace_bind_results_set_previous(results, capnp_data(previous, had_previous ? CATALOG_DIGEST : 0));
        call_return(call);
    }
}

static void on_bind(struct object *object, struct call *call, struct namespace_bind_params_reader params)
{
    room_assert_loop();
    (void)object;
    struct capnp_data digest = namespace_bind_params_get_digest(params);

    if (!engine_available(call) || !engine_digest_valid(call, digest.bytes, digest.size)) {
        return;
    }
    struct engine_request *request = request_on(call, CATALOG_BIND, namespace_bind_params_get_name(params), bound);
    if (request != NULL) {
        request->op.op.digest = digest.bytes;
        engine_submit(&request->op);
    }
}

static void looked_up(struct engine_op *op)
{
    room_assert_loop();
    struct catalog_node node = op->op.node;
    bool present = op->op.answer == CATALOG_OK && node.has_digest;

    op->op.answer = op->op.answer == CATALOG_MISSING ? CATALOG_OK : op->op.answer;
    struct call *call = engine_request_end(op, "lookup");
    if (call == NULL) {
        return;
    }
    struct namespace_lookup_results_builder results = namespace_lookup_results(call, 10);
    if (present) {
        namespace_lookup_results_set_digest(results, capnp_data(node.digest, CATALOG_DIGEST));
        namespace_lookup_results_set_size(results, node.size);
        namespace_lookup_results_set_present(results, true);
    }
    call_return(call);
}

static void on_lookup(struct object *object, struct call *call, struct namespace_lookup_params_reader params)
{
    room_assert_loop();
    (void)object;
    if (!engine_available(call)) {
        return;
    }
    struct engine_request *request =
        request_on(call, CATALOG_STAT, namespace_lookup_params_get_name(params), looked_up);
    if (request != NULL) {
        engine_submit(&request->op);
    }
}

static void unbound(struct engine_op *op)
{
    room_assert_loop();
    bool gone = op->op.answer == CATALOG_OK;

    op->op.answer = op->op.answer == CATALOG_MISSING ? CATALOG_OK : op->op.answer;
    struct call *call = engine_request_end(op, "remove");
    if (call != NULL) {
        namespace_remove_results_set_removed(namespace_remove_results(call, 2), gone);
        call_return(call);
    }
}

static void on_remove(struct object *object, struct call *call, struct namespace_remove_params_reader params)
{
    room_assert_loop();
    (void)object;
    if (!engine_available(call)) {
        return;
    }
    struct engine_request *request =
        request_on(call, CATALOG_REMOVE, namespace_remove_params_get_name(params), unbound);
    if (request != NULL) {
        engine_submit(&request->op);
    }
}

/* --- list ------------------------------------------------------------------------------------------------------------ */

static void say_page(struct call *call, const struct catalog_op *op) REQUIRES(LOOP)
{
    uint32_t words = 8;

    for (uint32_t i = 0; i < op->entry_count; i++) {
        words += op->entry[i].name_size / 8u + 10;
    }
    struct namespace_list_results_builder results = namespace_list_results(call, words);
    struct name_entry_builders entries = namespace_list_results_init_entries(results, op->entry_count);
    for (uint32_t i = 0; i < op->entry_count; i++) {
        const struct catalog_entry *from = &op->entry[i];
        struct name_entry_builder entry = name_entry_builder_at(entries, i);
        name_entry_set_name(entry, capnp_text_n(from->name, from->name_size));
        name_entry_set_digest(entry, capnp_data(from->node.digest, from->node.has_digest ? CATALOG_DIGEST : 0));
        name_entry_set_size(entry, from->node.size);
    }
    namespace_list_results_set_more(results, op->more);
    call_return(call);
}

static void listed(struct engine_op *op)
{
    room_assert_loop();
    struct listing *listing = CONTAINER_OF(op, struct listing, op);

    if (op->op.answer == CATALOG_OK) {
        say_page(listing->call, &op->op);
    } else {
        engine_fail(listing->call, op->op.answer, "list");
    }
    list_push_back(&listings, &listing->node);
}

static void on_list(struct object *object, struct call *call, struct namespace_list_params_reader params)
{
    room_assert_loop();
    (void)object;
    struct capnp_text prefix = namespace_list_params_get_prefix(params);
    struct capnp_text after = namespace_list_params_get_after(params);
    uint32_t limit = namespace_list_params_get_limit(params);

    if (!engine_available(call)) {
        return;
    }
    struct list *node = list_pop_front(&listings);
    if (node == NULL) {
        engine_fail(call, CATALOG_LIMIT, "list");
        return;
    }
    struct listing *listing = CONTAINER_OF(node, struct listing, node);
    listing->call = call;
    listing->op = (struct engine_op){.op = {.kind = CATALOG_LIST,
                                            .at = {CATALOG_NAMES, CATALOG_NOW},
                                            .prefix = {prefix.text, prefix.size},
                                            .after = {after.text, after.size},
                                            .entry = listing->entry,
                                            .entry_max = limit == 0 || limit > LIST_MAX ? LIST_MAX : limit},
                                     .done = listed};
    engine_submit(&listing->op);
}

static const struct namespace_server_ops server_ops = {
    .bind = on_bind, .lookup = on_lookup, .list = on_list, .remove = on_remove};

static void names_call(struct object *object, struct call *call)
{
    room_assert_loop();
    namespace_dispatch(&server_ops, object, call);
}

const struct object_ops engine_names_ops = {.call = names_call};

void engine_names_init(void)
{
    struct listing *all = boot_alloc(ENGINE_LISTS_MAX * sizeof *all, 16);

    list_init(&listings);
    for (int i = 0; i < ENGINE_LISTS_MAX; i++) {
        all[i].entry = boot_alloc(LIST_MAX * sizeof *all[i].entry, 16);
        list_push_back(&listings, &all[i].node);
    }
}
