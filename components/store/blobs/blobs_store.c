/* SPDX-License-Identifier: MIT OR Apache-2.0
 * blobs_store.c: the component: wiring, start, the capability Store, and what all three capabilities share.
 */
#define LOG_TAG "store"
#include "blobs_service.h"
#include "config.h"
#include "core/assert.h"
#include "core/diag.h"
#include "core/log.h"
#include "core/loop.h"
#include "lib/crc32c/crc32c.h"
#include "lib/store/store.capnp.h"
#include <string.h>

#define CONFIRM "erase everything"

struct blobs_service blobs_service;
static struct blkdev *disk;    /* [I] */
static struct random *random;  /* [I] or NULL */
static struct work mount_work; /* [I] */

/* --- refusals --- */

bool blobs_available(struct call *call)
{
    const struct blobs_volume *v = &blobs_service.volume;
    switch (v->state) {
    case BLOBS_MOUNTED:
    case BLOBS_READ_ONLY:
        return true;
    case BLOBS_MOUNTING:
    case BLOBS_FORMATTING:
        call_fail(call, EXCEPTION_OVERLOADED, "the store is still mounting: ask again");
        return false;
    case BLOBS_FOREIGN:
        call_fail(call, EXCEPTION_FAILED, "the disk is not mounted: found %s; Store.format would erase it", v->why);
        return false;
    }
    UNREACHABLE();
}

bool blobs_digest_valid(struct call *call, const uint8_t *bytes, uint32_t size)
{
    if (size == BLOBS_DIGEST && bytes != NULL) {
        return true;
    }
    call_fail(call, EXCEPTION_FAILED, "a digest is %u bytes, not %u", BLOBS_DIGEST, size);
    return false;
}

void blobs_fail(struct call *call, status_t status, const char *what)
{
    switch (status) {
    case ST_FULL: /* what is open may hold the room: then it helps to ask again */
        call_fail(call, blobs_service.open > 0 ? EXCEPTION_OVERLOADED : EXCEPTION_FAILED,
                  "full: %s: no room in one piece, or objects_max or names_max are reached", what);
        return;
    case ST_NOMEM:
        call_fail(call, EXCEPTION_OVERLOADED, "%s: too many at once: try again later", what);
        return;
    case ST_IO:
        call_fail(call, EXCEPTION_FAILED, "%s: the disk failed, or gave back what was not written", what);
        return;
    default:
        call_fail_status(call, status, what);
        return;
    }
}

/* --- changes --- */

struct blobs_change *blobs_change_new(struct call *call, enum blobs_record_kind kind,
                                      void (*done)(struct blobs_op *op, status_t status))
{
    struct blobs_change *change = pool_get(&blobs_service.changes);
    if (change == NULL) {
        blobs_fail(call, ST_NOMEM, "changes under way");
        return NULL;
    }
    change->call = call;
    change->op = (struct blobs_op){.record.kind = kind, .done = done};
    return change;
}

struct call *blobs_change_end(struct blobs_op *op)
{
    struct blobs_change *change = CONTAINER_OF(op, struct blobs_change, op);
    struct call *call = change->call;
    pool_put(&blobs_service.changes, change);
    return call;
}

/* --- Store --- */

static void on_put(struct object *object, struct call *call, struct store_put_params_reader params)
{
    room_assert_loop();
    (void)object;
    if (!blobs_available(call)) {
        return;
    }
    status_t status;
    struct object *upload = blobs_upload_object(store_put_params_get_size(params), &status);
    if (upload == NULL) {
        blobs_fail(call, status, "put");
        return;
    }
    store_put_results_set_upload(store_put_results(call, 4), upload);
    object_put(upload); /* the results hold it now */
    call_return(call);
}

static void on_get(struct object *object, struct call *call, struct store_get_params_reader params)
{
    room_assert_loop();
    (void)object;
    struct capnp_data digest = store_get_params_get_digest(params);
    if (!blobs_available(call) || !blobs_digest_valid(call, digest.bytes, digest.size)) {
        return;
    }
    struct blobs_blob *blob = blobs_find(&blobs_service.volume.index, digest.bytes);
    if (blob == NULL) {
        call_fail(call, EXCEPTION_FAILED, "not-found: no blob with this digest is here");
        return;
    }
    status_t status;
    struct object *source = blobs_source_object(blob, &status);
    if (source == NULL) {
        blobs_fail(call, status, "get");
        return;
    }
    struct store_get_results_builder results = store_get_results(call, 4);
    store_get_results_set_blob(results, source);
    store_get_results_set_size(results, blob->size);
    object_put(source);
    call_return(call);
}

static void on_stat(struct object *object, struct call *call, struct store_stat_params_reader params)
{
    room_assert_loop();
    (void)object;
    struct capnp_data digest = store_stat_params_get_digest(params);
    if (!blobs_available(call) || !blobs_digest_valid(call, digest.bytes, digest.size)) {
        return;
    }
    const struct blobs_blob *blob = blobs_find(&blobs_service.volume.index, digest.bytes);
    struct store_stat_results_builder results = store_stat_results(call, 4);
    if (blob != NULL) {
        store_stat_results_set_size(results, blob->size);
        store_stat_results_set_present(results, true);
    }
    call_return(call);
}

static void on_info(struct object *object, struct call *call, struct store_info_params_reader params)
{
    room_assert_loop();
    (void)object;
    (void)params;
    if (!blobs_available(call)) {
        return;
    }
    const struct blobs_volume *v = &blobs_service.volume;
    struct store_info_results_builder results = store_info_results(call, 12);
    store_info_results_set_total_bytes(results, (v->geometry.blocks - v->geometry.data_start) * BLOBS_BLOCK);
    store_info_results_set_free_bytes(results, v->index.free_blocks * BLOBS_BLOCK);
    store_info_results_set_blobs(results, v->index.blob_count);
    store_info_results_set_uuid(results, capnp_data(v->superblock.uuid, sizeof(v->superblock.uuid)));
    call_return(call);
}

static void removed(struct blobs_op *op, status_t status)
{
    room_assert_loop();
    struct call *call = blobs_change_end(op);
    if (status == ST_DENIED) {
        call_fail(call, EXCEPTION_FAILED, "the blob has a name: remove the name, and the blob goes with it");
    } else if (status != ST_OK && status != ST_STALE) {
        blobs_fail(call, status, "remove");
    } else {
        store_remove_results_set_removed(store_remove_results(call, 2), status == ST_OK);
        call_return(call);
    }
}

static void on_remove(struct object *object, struct call *call, struct store_remove_params_reader params)
{
    room_assert_loop();
    (void)object;
    struct capnp_data digest = store_remove_params_get_digest(params);
    if (!blobs_available(call) || !blobs_digest_valid(call, digest.bytes, digest.size)) {
        return;
    }
    struct blobs_change *change = blobs_change_new(call, BLOBS_RECORD_DROP, removed);
    if (change != NULL) {
        memcpy(change->op.record.digest, digest.bytes, BLOBS_DIGEST);
        blobs_op_submit(&blobs_service.volume, &change->op);
    }
}

static bool busy(void)
{
    const struct blobs_volume *v = &blobs_service.volume;
    return blobs_service.open > 0 || v->next != NULL || !list_empty(&v->waiting) || !list_empty(&v->group);
}

static void on_format(struct object *object, struct call *call, struct store_format_params_reader params)
{
    room_assert_loop();
    (void)object;
    if (!capnp_text_equal(store_format_params_get_confirm(params), capnp_text(CONFIRM))) {
        call_fail(call, EXCEPTION_FAILED, "denied: format erases the disk; confirm must be \"" CONFIRM "\"");
        return;
    }
    if (busy() || blobs_service.format_call != NULL || blobs_service.volume.state == BLOBS_MOUNTING) {
        call_fail(call, EXCEPTION_OVERLOADED, "blobs are open or changes under way: end them first");
        return;
    }
    blobs_service.format_call = call;
    blobs_format(&blobs_service.volume);
}

static void state_changed(struct blobs_volume *v)
{
    room_assert_loop();
    if (v->state == BLOBS_MOUNTING || v->state == BLOBS_FORMATTING) {
        return;
    }
    health_set(&blobs_service.health, v->state == BLOBS_MOUNTED ? NULL : v->why);
    ready_release(&blobs_service.ready); /* a disk that is not ours: the node is up, to be asked and told to format */
    struct call *call = blobs_service.format_call;
    blobs_service.format_call = NULL;
    if (call != NULL && v->state == BLOBS_MOUNTED) {
        call_return(call);
    } else if (call != NULL) {
        call_fail(call, EXCEPTION_FAILED, "not formatted: %s", v->why);
    }
}

static const struct store_server_ops server_ops = {
    .put = on_put, .get = on_get, .stat = on_stat, .info = on_info, .format = on_format, .remove = on_remove};

static void store_call(struct object *object, struct call *call)
{
    room_assert_loop();
    store_dispatch(&server_ops, object, call);
}

static const struct object_ops store_ops = {.call = store_call};

/* --- the component --- */

void blobs_wire_disk(struct blkdev *device) REQUIRES(BOOT);
void blobs_wire_random(struct random *generator) REQUIRES(BOOT);
struct object *blobs_provide_store(void) REQUIRES(BOOT);
struct object *blobs_provide_names(void) REQUIRES(BOOT);
status_t blobs_start(void) REQUIRES(BOOT);

void blobs_wire_disk(struct blkdev *device)
{
    disk = device;
}

void blobs_wire_random(struct random *generator)
{
    random = generator;
}

struct object *blobs_provide_store(void)
{
    return &blobs_service.store;
}

struct object *blobs_provide_names(void)
{
    return &blobs_service.names;
}

static void show(int argc, char **argv)
{
    const struct blobs_volume *v = &blobs_service.volume;
    const struct blobs_index *index = &v->index;
    uint64_t taken = v->state == BLOBS_MOUNTED || v->state == BLOBS_READ_ONLY ? index->blocks - index->free_blocks : 0;

    (void)argc, (void)argv;
    diag_print("disk %s, blocks of 4 KiB: %llu groups written, %llu snapshots; %s\n", disk->name,
               (unsigned long long)v->groups_written, (unsigned long long)v->snapshots,
               v->state == BLOBS_MOUNTED ? "mounted" : v->why);
    diag_print("  %-24s %6u of %6u\n", "blobs", index->blob_count, index->blob_max);
    diag_print("  %-24s %6u of %6u\n", "names", index->name_count, index->name_max);
    diag_print("  %-24s %6llu of %6llu\n", "blocks", (unsigned long long)taken, (unsigned long long)index->blocks);
    diag_print("  %-24s %6u of %6u\n", "open for peers", blobs_service.open, BLOBS_UPLOADS_MAX + BLOBS_SOURCES_MAX);
}

static void add_command(void) REQUIRES(BOOT)
{
    static struct diag_command command = {.name = "store", .help = "the volume: how full, what is open", .run = show};

    diag_command_add(&command);
}

static void mount_begin(struct work *work)
{
    room_assert_loop();
    (void)work;
    blobs_mount(&blobs_service.volume);
}

status_t blobs_start(void)
{
    struct blobs_service *s = &blobs_service;
    crc32c_init();
    object_init(&s->store, &store_ops);
    object_init(&s->names, &blobs_names_ops);
    status_t status = blobs_volume_init(&s->volume, disk, BLOBS_OBJECTS_MAX, BLOBS_NAMES_MAX);
    if (status != ST_OK) {
        return status;
    }
    s->volume.random = random;
    s->volume.changed = state_changed;
    blobs_objects_init();
    pool_init(&s->changes, "store changes", sizeof(struct blobs_change), BLOBS_OPS_MAX);
    add_command();
    health_add(&s->health, "store/blobs");
    ready_hold(&s->ready);
    work_init(&mount_work, mount_begin);
    loop_post_boot(&mount_work);
    return ST_OK;
}
