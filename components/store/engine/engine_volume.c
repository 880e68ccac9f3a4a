/* SPDX-License-Identifier: MIT OR Apache-2.0
 * engine_volume.c: the capability Volume: what the disk holds and how it is.
 *
 *  (1) info() answers in every state: who finds nothing mounted learns here why.
 */
#include "core/assert.h"
#include "engine.h"
#include "lib/store/store.capnp.h"

#define CONFIRM "erase everything"
#define INFO_WORDS 80u /* of an answer: 18 of its struct, the counts of latency, UUID and reason */

/* --- info ------------------------------------------------------------------------------------------------------------ */

static enum volume_info_state public_state(void) REQUIRES(LOOP)
{
    switch (engine_self.state) {
    case ENGINE_MOUNTING:
        return VOLUME_INFO_STATE_MOUNTING;
    case ENGINE_MOUNTED:
        return VOLUME_INFO_STATE_MOUNTED;
    case ENGINE_READ_ONLY:
        return VOLUME_INFO_STATE_READ_ONLY;
    case ENGINE_FOREIGN:
        return VOLUME_INFO_STATE_FOREIGN;
    }
    UNREACHABLE();
}

static void say_catalog(struct volume_info_builder out, const struct catalog_info *info)
{
    volume_info_set_uuid(out, capnp_data(info->uuid, sizeof info->uuid));
    volume_info_set_total_bytes(out, info->data_blocks * DISK_BLOCK_BYTES);
    volume_info_set_free_bytes(out, info->free_blocks * DISK_BLOCK_BYTES);
    volume_info_set_reserved_bytes(out, info->reserved_blocks * DISK_BLOCK_BYTES);
    volume_info_set_blobs(out, info->objects);
    volume_info_set_names(out, info->nodes);
    volume_info_set_snapshots(out, (uint32_t)info->snapshots);
    volume_info_set_database_bytes(out, info->database_pages * DISK_BLOCK_BYTES);
    volume_info_set_database_bytes_max(out, info->database_pages_max * DISK_BLOCK_BYTES);
    volume_info_set_commits(out, info->commits);
}

static void say_counters(struct volume_info_builder out, const struct engine_counters *count) REQUIRES(LOOP)
{
    struct capnp_list_builder latency = volume_info_init_latency(out, ENGINE_LATENCIES);

    for (uint32_t i = 0; i < ENGINE_LATENCIES; i++) {
        capnp_list_put_u64(latency, i, count->latency[i]);
    }
    volume_info_set_operations(out, count->operations);
    volume_info_set_bytes_read(out, count->bytes_read);
    volume_info_set_bytes_written(out, count->bytes_written);
    volume_info_set_errors(out, count->errors);
    volume_info_set_damaged(out, count->damaged);
    volume_info_set_queue_depth(out, engine_self.io_out);
}

/* `info`: NULL if no catalog is open. */
static void say_info(struct call *call, const struct catalog_info *info) REQUIRES(LOOP)
{
    struct volume_info_builder out = volume_info_results_init_info(volume_info_results(call, INFO_WORDS));

    volume_info_set_state(out, public_state());
    if (engine_self.state != ENGINE_MOUNTED) {
        volume_info_set_reason(out, capnp_text(engine_self.why));
    }
    if (info != NULL) {
        say_catalog(out, info);
    }
    say_counters(out, &engine_self.count);
    call_return(call);
}

static void informed(struct engine_op *op)
{
    room_assert_loop();
    struct catalog_info info = *op->op.info;
    bool known = op->op.answer == CATALOG_OK;

    op->op.answer = CATALOG_OK; /* (1) */
    say_info(engine_request_end(op, "info"), known ? &info : NULL);
}

static void on_info(struct object *object, struct call *call, struct volume_info_params_reader params)
{
    room_assert_loop();
    (void)object;
    (void)params;
    if (engine_self.state == ENGINE_MOUNTING || engine_self.state == ENGINE_FOREIGN) {
        say_info(call, NULL);
        return;
    }
    struct engine_request *request = engine_request_new(call, CATALOG_INFO, informed);
    if (request != NULL) {
        request->op.op.info = &request->info;
        engine_submit(&request->op);
    }
}

/* --- format ---------------------------------------------------------------------------------------------------------- */

void engine_volume_format(struct call *call, struct capnp_text confirm)
{
    if (!capnp_text_equal(confirm, capnp_text(CONFIRM))) {
        call_fail(call, EXCEPTION_FAILED, "denied: format erases the disk; confirm must be \"" CONFIRM "\"");
        return;
    }
    if (engine_self.open > 0 || engine_self.out > 0 || engine_self.format_call != NULL ||
        engine_self.state == ENGINE_MOUNTING) {
        call_fail(call, EXCEPTION_OVERLOADED, "blobs are open or changes under way: end them first");
        return;
    }
    engine_format(call);
}

static void on_format(struct object *object, struct call *call, struct volume_format_params_reader params)
{
    room_assert_loop();
    (void)object;
    engine_volume_format(call, volume_format_params_get_confirm(params));
}

static const struct volume_server_ops server_ops = {.info = on_info, .format = on_format};

static void volume_call(struct object *object, struct call *call)
{
    room_assert_loop();
    volume_dispatch(&server_ops, object, call);
}

const struct object_ops engine_volume_ops = {.call = volume_call};
