/* SPDX-License-Identifier: MIT OR Apache-2.0
 * blobs_names.c: the capability Namespace.
 */
#include "blobs_service.h"
#include "core/assert.h"
#include "lib/store/store.capnp.h"
#include <string.h>

#define LIST_MAX 100u /* entries of a page: with the longest names 35 KiB */

REQUIRES(LOOP)
static bool name_valid(struct call *call, struct capnp_text name)
{
    if (blobs_name_valid(name.text, name.size) && blobs_name_is_text(name.text, name.size)) {
        return true;
    }
    call_fail(call, EXCEPTION_FAILED, "bad-argument: a name is 1 to %u bytes of UTF-8 without control characters",
              BLOBS_NAME_MAX);
    return false;
}

static void set_name(struct blobs_record *record, struct capnp_text name)
{
    record->name_size = (uint8_t)name.size;
    memcpy(record->name, name.text, name.size);
}

static void bound(struct blobs_op *op, status_t status)
{
    room_assert_loop();
    bool had_previous = op->had_previous;
    uint8_t previous[BLOBS_DIGEST];
    memcpy(previous, op->previous, sizeof(previous));
    struct call *call = blobs_change_end(op);
    if (status == ST_STALE) {
        call_fail(call, EXCEPTION_FAILED, "not-found: no blob with this digest is here: put it first");
        return;
    }
    if (status != ST_OK) {
        blobs_fail(call, status, "bind");
        return;
    }
    struct namespace_bind_results_builder results = namespace_bind_results(call, 8);
    namespace_bind_results_set_previous(results, capnp_data(previous, had_previous ? BLOBS_DIGEST : 0));
    call_return(call);
}

static void on_bind(struct object *object, struct call *call, struct namespace_bind_params_reader params)
{
    room_assert_loop();
    (void)object;
    struct capnp_text name = namespace_bind_params_get_name(params);
    struct capnp_data digest = namespace_bind_params_get_digest(params);
    if (!blobs_available(call) || !name_valid(call, name) || !blobs_digest_valid(call, digest.bytes, digest.size)) {
        return;
    }
    struct blobs_change *change = blobs_change_new(call, BLOBS_RECORD_BIND, bound);
    if (change != NULL) {
        set_name(&change->op.record, name);
        memcpy(change->op.record.digest, digest.bytes, BLOBS_DIGEST);
        blobs_op_submit(&blobs_service.volume, &change->op);
    }
}

static void on_lookup(struct object *object, struct call *call, struct namespace_lookup_params_reader params)
{
    room_assert_loop();
    (void)object;
    struct capnp_text name = namespace_lookup_params_get_name(params);
    if (!blobs_available(call) || !name_valid(call, name)) {
        return;
    }
    struct blobs_index *index = &blobs_service.volume.index;
    const struct blobs_name *n = blobs_name_find(index, name.text, name.size);
    struct namespace_lookup_results_builder results = namespace_lookup_results(call, 10);
    if (n != NULL) {
        const struct blobs_blob *blob = &index->blob[n->blob];
        namespace_lookup_results_set_digest(results, capnp_data(blob->digest, BLOBS_DIGEST));
        namespace_lookup_results_set_size(results, blob->size);
        namespace_lookup_results_set_present(results, true);
    }
    call_return(call);
}

static bool has_prefix(const struct blobs_name *n, struct capnp_text prefix)
{
    return n->size >= prefix.size && memcmp(n->text, prefix.text, prefix.size) == 0;
}

/* Position in order of the first name after `after`, and not before `prefix`. */
static uint32_t page_start(const struct blobs_index *index, struct capnp_text prefix, struct capnp_text after)
{
    uint32_t start = blobs_name_lower_bound(index, prefix.text, prefix.size);
    uint32_t behind = blobs_name_lower_bound(index, after.text, after.size);
    if (after.size > 0 && behind < index->name_count) {
        const struct blobs_name *n = &index->name[index->order[behind]];
        behind += n->size == after.size && memcmp(n->text, after.text, after.size) == 0;
    }
    return behind > start ? behind : start;
}

static void on_list(struct object *object, struct call *call, struct namespace_list_params_reader params)
{
    room_assert_loop();
    (void)object;
    if (!blobs_available(call)) {
        return;
    }
    struct capnp_text prefix = namespace_list_params_get_prefix(params);
    const struct blobs_index *index = &blobs_service.volume.index;
    uint32_t limit = namespace_list_params_get_limit(params);
    uint32_t start = page_start(index, prefix, namespace_list_params_get_after(params));
    uint32_t most = limit == 0 || limit > LIST_MAX ? LIST_MAX : limit;
    uint32_t count = 0;
    uint32_t words = 8;
    while (count < most && start + count < index->name_count &&
           has_prefix(&index->name[index->order[start + count]], prefix)) {
        words += index->name[index->order[start + count]].size / 8u + 10;
        count++;
    }
    struct namespace_list_results_builder results = namespace_list_results(call, words);
    struct name_entry_builders entries = namespace_list_results_init_entries(results, count);
    for (uint32_t i = 0; i < count; i++) {
        const struct blobs_name *n = &index->name[index->order[start + i]];
        struct name_entry_builder entry = name_entry_builder_at(entries, i);
        name_entry_set_name(entry, capnp_text_n(n->text, n->size));
        name_entry_set_digest(entry, capnp_data(index->blob[n->blob].digest, BLOBS_DIGEST));
        name_entry_set_size(entry, index->blob[n->blob].size);
    }
    bool more = start + count < index->name_count && has_prefix(&index->name[index->order[start + count]], prefix);
    namespace_list_results_set_more(results, more);
    call_return(call);
}

static void unbound(struct blobs_op *op, status_t status)
{
    room_assert_loop();
    struct call *call = blobs_change_end(op);
    if (status != ST_OK && status != ST_STALE) {
        blobs_fail(call, status, "remove");
        return;
    }
    namespace_remove_results_set_removed(namespace_remove_results(call, 2), status == ST_OK);
    call_return(call);
}

static void on_remove(struct object *object, struct call *call, struct namespace_remove_params_reader params)
{
    room_assert_loop();
    (void)object;
    struct capnp_text name = namespace_remove_params_get_name(params);
    if (!blobs_available(call) || !name_valid(call, name)) {
        return;
    }
    struct blobs_change *change = blobs_change_new(call, BLOBS_RECORD_UNBIND, unbound);
    if (change != NULL) {
        set_name(&change->op.record, name);
        blobs_op_submit(&blobs_service.volume, &change->op);
    }
}

static const struct namespace_server_ops server_ops = {
    .bind = on_bind, .lookup = on_lookup, .list = on_list, .remove = on_remove};

static void names_call(struct object *object, struct call *call)
{
    room_assert_loop();
    namespace_dispatch(&server_ops, object, call);
}

const struct object_ops blobs_names_ops = {.call = names_call};
