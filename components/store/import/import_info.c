/* SPDX-License-Identifier: MIT OR Apache-2.0
 * import_info.c: the capability Volume: what was found on the disk. Nothing of a volume is checked, scrubbed or formatted here.
 *
 *  (1) What does not change is its own snapshot: there is one, IMPORT_SNAPSHOT, which is "made" and "dropped" as often as somebody
 *      likes. So `capos export`, which exports a snapshot, needs not know.
 */
#include "import.h"
#include "lib/store/store.capnp.h"

static void on_info(struct object *object, struct call *call, struct volume_info_params_reader params)
{
    room_assert_loop();
    (void)object, (void)params;
    const char *why = import_self.mounting ? "mounting" : import_self.why;
    struct volume_info_builder out = volume_info_results_init_info(volume_info_results(call, 64));

    volume_info_set_state(out, import_self.mounting      ? VOLUME_INFO_STATE_MOUNTING
                               : import_self.why == NULL ? VOLUME_INFO_STATE_MOUNTED
                                                         : VOLUME_INFO_STATE_FOREIGN);
    if (why != NULL) {
        volume_info_set_reason(out, capnp_text(why));
    }
    volume_info_set_total_bytes(out, import_self.disk_bytes);
    volume_info_set_snapshots(out, 1);
    call_return(call);
}

static void on_format(struct object *object, struct call *call, struct volume_format_params_reader params)
{
    room_assert_loop();
    (void)object, (void)params;
    call_fail(call, EXCEPTION_FAILED, "denied: this volume is for reading");
}

/* (1) */
static void on_snapshot(struct object *object, struct call *call, struct volume_snapshot_params_reader params)
{
    room_assert_loop();
    (void)object, (void)params;
    volume_snapshot_results_set_generation(volume_snapshot_results(call, 2), IMPORT_SNAPSHOT);
    call_return(call);
}

static void on_snapshots(struct object *object, struct call *call, struct volume_snapshots_params_reader params)
{
    room_assert_loop();
    (void)object;
    uint32_t count = volume_snapshots_params_get_after(params) < IMPORT_SNAPSHOT ? 1 : 0;
    struct snapshot_builders snapshots =
        volume_snapshots_results_init_snapshots(volume_snapshots_results(call, 32), count);

    if (count > 0) {
        struct snapshot_builder snapshot = snapshot_builder_at(snapshots, 0);
        snapshot_set_generation(snapshot, IMPORT_SNAPSHOT);
        snapshot_set_label(snapshot, capnp_text("a volume that does not change"));
    }
    call_return(call);
}

static void on_drop_snapshot(struct object *object, struct call *call, struct volume_drop_snapshot_params_reader params)
{
    room_assert_loop();
    (void)object;
    uint64_t generation = volume_drop_snapshot_params_get_generation(params);

    if (generation == IMPORT_SNAPSHOT) {
        call_return(call);
    } else {
        call_fail(call, EXCEPTION_FAILED, "not-found: there is no snapshot %llu", (unsigned long long)generation);
    }
}

static void volume_call(struct object *object, struct call *call)
{
    static const struct volume_server_ops ops = {.info = on_info,
                                                 .format = on_format,
                                                 .snapshot = on_snapshot,
                                                 .snapshots = on_snapshots,
                                                 .drop_snapshot = on_drop_snapshot};

    room_assert_loop();
    volume_dispatch(&ops, object, call);
}

const struct object_ops import_info_ops = {.call = volume_call};
