/* SPDX-License-Identifier: MIT OR Apache-2.0
 * engine_store.c: the capabilities Store and ByteSource.
 *
 *  (1) Objects with buffers stand in fixed arrays with a free list, not in a pool: a pool clears its items, and these keep
 *      their buffers for life.
 *  (2) A call holds a reference on its target, so an object dies only when no call is under way on it.
 */
#include <string.h>
#include "config.h"
#include "core/assert.h"
#include "core/mem.h"
#include "engine.h"
#include "lib/store/store.capnp.h"

struct source_object {
    struct object object;
    struct engine_source source;
    struct call *call; /* get() */
    void (*say)(struct call *call, struct object *blob, const struct engine_source *source);
    struct list node;
};
struct read_call {
    struct engine_read read;
    struct call *call;
    struct list node;
};

static struct {
    struct list sources, reads; /* free ones */
} self;

/* The one whose holder may only read. False: it is that, and the call failed. */
static bool may_change(const struct object *store, struct call *call) REQUIRES(LOOP)
{
    if (store != &engine_self.store_reader) {
        return true;
    }
    call_fail(call, EXCEPTION_FAILED, "denied: this view is for reading");
    return false;
}

/* --- ByteSource ------------------------------------------------------------------------------------------------------ */

static struct call *read_free(struct engine_read *read)
{
    struct read_call *r = CONTAINER_OF(read, struct read_call, read);

    list_push_back(&self.reads, &r->node);
    return r->call;
}

static void read_ended(struct engine_read *read, enum catalog_answer answer)
{
    room_assert_loop();
    struct call *call = read_free(read);

    if (answer == CATALOG_OK) {
        call_return(call);
    } else if (answer == CATALOG_CONFLICT) {
        call_fail(call, EXCEPTION_OVERLOADED, "the file became shorter while it was read: ask again");
    } else {
        engine_fail(call, answer, "read");
    }
}

/* Room in the answer. */
static bool read_place(struct engine_read *read)
{
    room_assert_loop();
    struct call *call = CONTAINER_OF(read, struct read_call, read)->call;
    struct byte_source_read_results_builder results = byte_source_read_results(call, read->size / 8 + 4);
    struct capnp_bytes chunk = byte_source_read_results_init_chunk(results, read->size);

    if (read->size > 0 && chunk.size == read->size) {
        read->bytes = chunk.bytes;
        return true;
    }
    call_return(
        read_free(read)); /* empty, or there was no room for the answer, which call_return turns into `overloaded` */
    return false;
}

void engine_serve_read(struct call *call, struct engine_source *source, uint64_t offset, uint32_t limit)
{
    struct list *node = list_pop_front(&self.reads);

    if (node == NULL) {
        call_fail(call, EXCEPTION_OVERLOADED, "%d reads are under way: wait for some", ENGINE_READS_MAX);
        return;
    }
    struct read_call *r = CONTAINER_OF(node, struct read_call, node);
    r->call = call;
    r->read.offset = offset;
    r->read.size = limit;
    r->read.place = read_place;
    r->read.done = read_ended;
    engine_source_read(source, &r->read);
}

static void on_read(struct object *object, struct call *call, struct byte_source_read_params_reader params)
{
    room_assert_loop();
    struct source_object *s = CONTAINER_OF(object, struct source_object, object);

    engine_serve_read(call, &s->source, byte_source_read_params_get_offset(params),
                      byte_source_read_params_get_limit(params));
}

static void on_size(struct object *object, struct call *call, struct byte_source_size_params_reader params)
{
    room_assert_loop();
    (void)params;
    struct source_object *s = CONTAINER_OF(object, struct source_object, object);

    byte_source_size_results_set_bytes(byte_source_size_results(call, 2), s->source.size);
    call_return(call);
}

static const struct byte_source_server_ops source_ops = {.read = on_read, .size = on_size};

static void source_call(struct object *object, struct call *call)
{
    room_assert_loop();
    byte_source_dispatch(&source_ops, object, call);
}

static void source_closed(struct engine_source *source)
{
    room_assert_loop();
    list_push_back(&self.sources, &CONTAINER_OF(source, struct source_object, source)->node);
    engine_self.open--;
}

static void source_dead(struct object *object)
{
    room_assert_loop();
    engine_source_close(&CONTAINER_OF(object, struct source_object, object)->source, source_closed);
}

static const struct object_ops source_object_ops = {.call = source_call, .dead = source_dead};

static void source_opened(struct engine_source *source, enum catalog_answer answer)
{
    room_assert_loop();
    struct source_object *s = CONTAINER_OF(source, struct source_object, source);
    struct call *call = s->call;

    if (answer != CATALOG_OK) {
        struct catalog_text path = source->ask.op.path;
        source_closed(source);
        if (path.size > 0) {
            engine_fail_path(call, answer, path);
        } else {
            engine_fail(call, answer, "get");
        }
        return;
    }
    object_init(&s->object, &source_object_ops);
    s->say(call, &s->object, source);
    engine_return(call, &s->object);
}

void engine_get(struct call *call, const struct catalog_op *which,
                void (*say)(struct call *call, struct object *blob, const struct engine_source *source))
{
    struct list *node = list_pop_front(&self.sources);

    if (node == NULL) {
        engine_too_many(call, "get");
        return;
    }
    struct source_object *s = CONTAINER_OF(node, struct source_object, node);
    s->call = call;
    s->say = say;
    engine_self.open++;
    engine_source_open(&s->source, which, source_opened);
}

static void say_get(struct call *call, struct object *blob, const struct engine_source *source)
{
    room_assert_loop();
    struct store_get_results_builder results = store_get_results(call, 4);

    store_get_results_set_blob(results, blob);
    store_get_results_set_size(results, source->size);
}

static void on_get(struct object *object, struct call *call, struct store_get_params_reader params)
{
    room_assert_loop();
    (void)object;
    struct capnp_data digest = store_get_params_get_digest(params);

    if (engine_available(call) && engine_digest_valid(call, digest.bytes, digest.size)) {
        engine_get(call, &(struct catalog_op){.digest = digest.bytes}, say_get);
    }
}

/* --- Store ----------------------------------------------------------------------------------------------------------- */

static void say_put(struct call *call, struct object *upload, uint64_t received)
{
    room_assert_loop();
    struct store_put_results_builder results = store_put_results(call, 4);

    store_put_results_set_upload(results, upload);
    store_put_results_set_received(results, received);
}

static void on_put(struct object *object, struct call *call, struct store_put_params_reader params)
{
    room_assert_loop();
    if (engine_available(call) && may_change(object, call)) {
        struct engine_put put = {
            .size = store_put_params_get_size(params), .digest = store_put_params_get_digest(params), .say = say_put};
        engine_put(call, &put);
    }
}

/* A question or change about one digest. */
static void digest_request(struct call *call, enum catalog_op_kind kind, struct capnp_data digest,
                           void (*done)(struct engine_op *op)) REQUIRES(LOOP)
{
    if (!engine_digest_valid(call, digest.bytes, digest.size)) {
        return;
    }
    struct engine_request *request = engine_request_mounted(call, kind, done);
    if (request != NULL) {
        request->op.op.digest = digest.bytes;
        engine_submit(&request->op);
    }
}

static void found(struct engine_op *op)
{
    room_assert_loop();
    struct catalog_op end = op->op;
    bool present;
    struct call *call = engine_request_end_maybe(op, "stat", &present);

    if (call != NULL) {
        struct store_stat_results_builder results = store_stat_results(call, 4);
        store_stat_results_set_present(results, present && !end.suspected);
        store_stat_results_set_size(results, present ? end.size : 0);
        store_stat_results_set_names(results, present ? end.names : 0);
        store_stat_results_set_pins(results, present ? end.pins : 0);
        call_return(call);
    }
}

static void on_stat(struct object *object, struct call *call, struct store_stat_params_reader params)
{
    room_assert_loop();
    (void)object;
    digest_request(call, CATALOG_FIND, store_stat_params_get_digest(params), found);
}

static void informed(struct engine_op *op)
{
    room_assert_loop();
    struct catalog_info info = *op->op.info;
    struct call *call = engine_request_end(op, "info");

    if (call != NULL) {
        struct store_info_results_builder results = store_info_results(call, 12);
        store_info_results_set_total_bytes(results, info.data_blocks * DISK_BLOCK_BYTES);
        store_info_results_set_free_bytes(results, info.free_blocks * DISK_BLOCK_BYTES);
        store_info_results_set_blobs(results, info.objects);
        store_info_results_set_uuid(results, capnp_data(info.uuid, sizeof info.uuid));
        call_return(call);
    }
}

static void on_info(struct object *object, struct call *call, struct store_info_params_reader params)
{
    room_assert_loop();
    (void)object;
    (void)params;
    struct engine_request *request = engine_request_mounted(call, CATALOG_INFO, informed);
    if (request != NULL) {
        request->op.op.info = &request->info;
        engine_submit(&request->op);
    }
}

static void removed(struct engine_op *op)
{
    room_assert_loop();
    bool gone;
    struct call *call = engine_request_end_maybe(op, "remove", &gone);

    if (call != NULL) {
        store_remove_results_set_removed(store_remove_results(call, 2), gone);
        call_return(call);
    }
}

static void on_remove(struct object *object, struct call *call, struct store_remove_params_reader params)
{
    room_assert_loop();
    if (may_change(object, call)) {
        digest_request(call, CATALOG_FORGET, store_remove_params_get_digest(params), removed);
    }
}

/* --- pins ------------------------------------------------------------------------------------------------------------ */

static void pinned(struct engine_op *op)
{
    room_assert_loop();
    uint32_t pins = op->op.pins;
    struct call *call = engine_request_end(op, "pin");

    if (call != NULL) {
        store_pin_results_set_pins(store_pin_results(call, 2), pins);
        call_return(call);
    }
}

static void unpinned(struct engine_op *op)
{
    room_assert_loop();
    uint32_t pins = op->op.pins;
    struct call *call = engine_request_end(op, "unpin: it has no pin");

    if (call != NULL) {
        store_unpin_results_set_pins(store_unpin_results(call, 2), pins);
        call_return(call);
    }
}

static void on_pin(struct object *object, struct call *call, struct store_pin_params_reader params)
{
    room_assert_loop();
    if (may_change(object, call)) {
        digest_request(call, CATALOG_PIN, store_pin_params_get_digest(params), pinned);
    }
}

static void on_unpin(struct object *object, struct call *call, struct store_unpin_params_reader params)
{
    room_assert_loop();
    if (may_change(object, call)) {
        digest_request(call, CATALOG_UNPIN, store_unpin_params_get_digest(params), unpinned);
    }
}

/* A part at a time, each a commit of its own: what others ask comes in between. */
static void collected(struct engine_op *op)
{
    room_assert_loop();
    struct engine_request *request = engine_request_of(op);

    request->collected += op->op.answer == CATALOG_OK ? op->op.count : 0;
    request->bytes += op->op.answer == CATALOG_OK ? op->op.size : 0;
    if (op->op.answer == CATALOG_OK && op->op.more) {
        engine_submit(op);
        return;
    }
    uint64_t count = request->collected;
    uint64_t bytes = request->bytes;
    struct call *call = engine_request_end(op, "collect");
    if (call != NULL) {
        struct store_collect_results_builder results = store_collect_results(call, 4);
        store_collect_results_set_removed(results, count);
        store_collect_results_set_bytes(results, bytes);
        call_return(call);
    }
}

static void on_collect(struct object *object, struct call *call, struct store_collect_params_reader params)
{
    room_assert_loop();
    (void)params;
    struct engine_request *request =
        may_change(object, call) ? engine_request_mounted(call, CATALOG_COLLECT, collected) : NULL;

    if (request != NULL) {
        engine_submit(&request->op);
    }
}

static void on_read_only(struct object *object, struct call *call, struct store_read_only_params_reader params)
{
    room_assert_loop();
    (void)object;
    (void)params;
    store_read_only_results_set_store(store_read_only_results(call, 4), &engine_self.store_reader);
    call_return(call);
}

static const struct store_server_ops server_ops = {.put = on_put,
                                                   .get = on_get,
                                                   .stat = on_stat,
                                                   .info = on_info,
                                                   .remove = on_remove,
                                                   .pin = on_pin,
                                                   .unpin = on_unpin,
                                                   .collect = on_collect,
                                                   .read_only = on_read_only};

static void store_call(struct object *object, struct call *call)
{
    room_assert_loop();
    store_dispatch(&server_ops, object, call);
}

const struct object_ops engine_store_ops = {.call = store_call};

void engine_store_init(void)
{
    struct source_object *sources = boot_alloc(ENGINE_SOURCES_MAX * sizeof *sources, 16);
    struct read_call *reads = boot_alloc(ENGINE_READS_MAX * sizeof *reads, 16);

    list_init(&self.sources);
    list_init(&self.reads);
    for (int i = 0; i < ENGINE_SOURCES_MAX; i++) {
        engine_source_init(&sources[i].source);
        list_push_back(&self.sources, &sources[i].node);
    }
    for (int i = 0; i < ENGINE_READS_MAX; i++) {
        engine_read_init(&reads[i].read);
        list_push_back(&self.reads, &reads[i].node);
    }
}
