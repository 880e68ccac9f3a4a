/* SPDX-License-Identifier: MIT OR Apache-2.0
 * engine_volume.c: the capability Volume: what the disk holds and how it is.
 *
 *  (1) info() answers in every state: who finds nothing mounted learns here why.
 */
#include "core/assert.h"
#include "core/mem.h"
#include "engine.h"
#include "engine_stat.h"

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
    volume_info_set_queue_depth(out, engine_self.io.out);
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

static void on_format(struct object *object, struct call *call, struct volume_format_params_reader params)
{
    room_assert_loop();
    (void)object;
    if (!capnp_text_equal(volume_format_params_get_confirm(params), capnp_text(CONFIRM))) {
        call_fail(call, EXCEPTION_FAILED, "denied: format erases the disk; confirm must be \"" CONFIRM "\"");
        return;
    }
    if (engine_views_held() || engine_watches_held()) {
        call_fail(call, EXCEPTION_OVERLOADED,
                  "views or watches are held, which would mean other things: drop them first");
        return;
    }
    if (engine_self.open > engine_kept_count() || engine_self.out > engine_scrub_out() ||
        engine_self.format_call != NULL || engine_self.state == ENGINE_MOUNTING) {
        call_fail(call, EXCEPTION_OVERLOADED, "blobs are open or changes under way: end them first");
        return;
    }
    engine_scrub_stop();
    engine_kept_give_up();
    engine_format(call);
}

/* --- check ----------------------------------------------------------------------------------------------------------- */

static bool checking; /* [L] */

static void checked(struct engine_op *op)
{
    room_assert_loop();
    uint32_t faults = op->op.count;

    checking = false;
    if (op->op.answer == CATALOG_LIMIT) { /* not one of the kind that goes away */
        op->op.answer = CATALOG_OK;
        call_fail(engine_request_end(op, "check"), EXCEPTION_FAILED,
                  "check: the tables are too many for the heap of lib/sqlite (option heap)");
        return;
    }
    struct call *call = engine_request_end(op, "check");
    if (call != NULL) {
        volume_check_results_set_faults(volume_check_results(call, 2), faults);
        call_return(call);
    }
}

static void on_check(struct object *object, struct call *call, struct volume_check_params_reader params)
{
    room_assert_loop();
    (void)object;
    (void)params;
    if (checking) {
        call_fail(call, EXCEPTION_OVERLOADED, "a check is under way: wait for its end");
        return;
    }
    struct engine_request *request = engine_request_mounted(call, CATALOG_CHECK, checked);
    if (request != NULL) {
        checking = true;
        engine_submit(&request->op);
    }
}

/* --- scrub ----------------------------------------------------------------------------------------------------------- */

static void on_scrub(struct object *object, struct call *call, struct volume_scrub_params_reader params)
{
    room_assert_loop();
    (void)object;
    if (engine_available(call)) {
        engine_scrub(call, volume_scrub_params_get_bytes_per_second(params));
    }
}

static void on_scrubbed(struct object *object, struct call *call, struct volume_scrubbed_params_reader params)
{
    room_assert_loop();
    (void)object;
    (void)params;
    engine_scrubbed(call);
}

/* --- snapshots ------------------------------------------------------------------------------------------------------- */

#define PAGE_MAX 32u /* snapshots */

static struct catalog_entry *page; /* [I] PAGE_MAX; the thread's while `page_out` */
static bool page_out;              /* [L] */

static void snapped(struct engine_op *op)
{
    room_assert_loop();
    uint64_t generation = op->op.generation;
    struct call *call = engine_request_end(op, "snapshot");

    if (call != NULL) {
        volume_snapshot_results_set_generation(volume_snapshot_results(call, 2), generation);
        call_return(call);
    }
}

static void on_snapshot(struct object *object, struct call *call, struct volume_snapshot_params_reader params)
{
    room_assert_loop();
    (void)object;
    struct capnp_text label = volume_snapshot_params_get_label(params);

    struct engine_request *request = engine_request_mounted(call, CATALOG_SNAPSHOT, snapped);
    if (request != NULL) {
        request->op.op.prefix = engine_text(label);
        engine_submit(&request->op);
    }
}

static void say_page(struct call *call, const struct catalog_op *op) REQUIRES(LOOP)
{
    struct volume_snapshots_results_builder results =
        volume_snapshots_results(call, 8 + op->entry_count * (CATALOG_NAME_MAX / 8 + 8));
    struct snapshot_builders snapshots = volume_snapshots_results_init_snapshots(results, op->entry_count);

    for (uint32_t i = 0; i < op->entry_count; i++) {
        const struct catalog_entry *from = &op->entry[i];
        struct snapshot_builder to = snapshot_builder_at(snapshots, i);
        snapshot_set_generation(to, from->node.id);
        snapshot_set_label(to, capnp_text_n(from->name, from->name_size));
        engine_fill_time(snapshot_init_made(to), from->node.made);
    }
    volume_snapshots_results_set_more(results, op->more);
    call_return(call);
}

static void snapshots_said(struct engine_op *op)
{
    room_assert_loop();
    struct catalog_op said = op->op;
    struct call *call = engine_request_end(op, "snapshots");

    page_out = false;
    if (call != NULL) {
        say_page(call, &said);
    }
}

static void on_snapshots(struct object *object, struct call *call, struct volume_snapshots_params_reader params)
{
    room_assert_loop();
    (void)object;
    uint32_t limit = volume_snapshots_params_get_limit(params);

    if (page_out) {
        engine_fail(call, CATALOG_LIMIT, "snapshots");
        return;
    }
    struct engine_request *request = engine_request_mounted(call, CATALOG_SNAPSHOTS, snapshots_said);
    if (request != NULL) {
        page_out = true;
        request->op.op.id = volume_snapshots_params_get_after(params);
        request->op.op.entry = page;
        request->op.op.entry_max = limit == 0 || limit > PAGE_MAX ? PAGE_MAX : limit;
        engine_submit(&request->op);
    }
}

static void dropped(struct engine_op *op)
{
    room_assert_loop();
    bool missing = op->op.answer == CATALOG_MISSING;
    uint64_t generation = op->op.generation;

    op->op.answer = missing ? CATALOG_OK : op->op.answer;
    struct call *call = engine_request_end(op, "dropSnapshot");
    if (call != NULL && missing) {
        call_fail(call, EXCEPTION_FAILED, "not-found: no snapshot has generation %llu", (unsigned long long)generation);
    } else if (call != NULL) {
        call_return(call);
    }
}

static void on_drop_snapshot(struct object *object, struct call *call, struct volume_drop_snapshot_params_reader params)
{
    room_assert_loop();
    (void)object;
    struct engine_request *request = engine_request_mounted(call, CATALOG_UNSNAPSHOT, dropped);
    if (request != NULL) {
        request->op.op.generation = volume_drop_snapshot_params_get_generation(params);
        engine_submit(&request->op);
    }
}

static const struct volume_server_ops server_ops = {.info = on_info,
                                                    .format = on_format,
                                                    .check = on_check,
                                                    .scrub = on_scrub,
                                                    .scrubbed = on_scrubbed,
                                                    .snapshot = on_snapshot,
                                                    .snapshots = on_snapshots,
                                                    .drop_snapshot = on_drop_snapshot};

static void volume_call(struct object *object, struct call *call)
{
    room_assert_loop();
    volume_dispatch(&server_ops, object, call);
}

const struct object_ops engine_volume_ops = {.call = volume_call};

void engine_volume_init(void)
{
    page = boot_alloc(PAGE_MAX * sizeof *page, 16);
}
