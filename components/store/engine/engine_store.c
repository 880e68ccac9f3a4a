/* SPDX-License-Identifier: MIT OR Apache-2.0
 * engine_store.c: the capabilities Store, Upload and ByteSource.
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

struct upload_object {
    struct object object;
    struct engine_upload upload;
    struct call *call; /* put() until it is open, then finish() */
    void (*say)(struct call *call, struct object *upload);
    struct engine_quota *quota; /* which has its size, until something else has it */
    char *path;                 /* [I] CATALOG_PATH_MAX + 1 */
    struct list node;           /* free */
};
struct source_object {
    struct object object;
    struct engine_source source;
    struct call *call; /* get() */
    void (*say)(struct call *call, struct object *blob, const struct engine_source *source);
    struct list node;
};
struct write_call {
    struct engine_write write;
    struct call *call;
};
struct read_call {
    struct engine_read read;
    struct call *call;
    struct list node;
};

static struct {
    struct list uploads, sources, reads; /* free ones */
    struct pool writes;
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

/* --- Upload ---------------------------------------------------------------------------------------------------------- */

static void written(struct engine_write *write, status_t status)
{
    room_assert_loop();
    struct write_call *w = CONTAINER_OF(write, struct write_call, write);
    struct call *call = w->call;
    enum catalog_answer answer = write->upload != NULL ? write->upload->answer : CATALOG_OK;

    pool_put(&self.writes, w);
    if (status == ST_OK) {
        call_return(call);
    } else if (status == ST_RANGE) {
        call_fail(call, EXCEPTION_FAILED, "more bytes than put() announced, or after finish()");
    } else {
        engine_fail_status(call, status, answer, "write");
    }
}

static void on_write(struct object *object, struct call *call, struct byte_sink_write_params_reader params)
{
    room_assert_loop();
    struct upload_object *u = CONTAINER_OF(object, struct upload_object, object);
    struct capnp_data chunk = byte_sink_write_params_get_chunk(params);

    if (chunk.size > ENGINE_CHUNK_MAX) {
        call_fail(call, EXCEPTION_FAILED, "a chunk of %u bytes: at most %u", chunk.size, ENGINE_CHUNK_MAX);
        return;
    }
    struct write_call *w = pool_get(&self.writes);
    if (w == NULL) {
        call_fail(call, EXCEPTION_OVERLOADED, "%d writes are under way: wait for some", ENGINE_WRITES_MAX);
        return;
    }
    w->call = call;
    /* Readers see a message as constant, but its memory is the server's until the return (object.h). */
    w->write = (struct engine_write){.bytes = (uint8_t *)(uintptr_t)chunk.bytes, .size = chunk.size, .done = written};
    engine_upload_write(&u->upload, &w->write);
}

static void on_done(struct object *object, struct call *call, struct byte_sink_done_params_reader params)
{
    room_assert_loop();
    (void)object;
    (void)params;
    call_return(call); /* finish() says more */
}

/* Named: the quota keeps what is more than what the name had before. */
static void settle_quota(struct upload_object *u) REQUIRES(LOOP)
{
    if (u->upload.name.path.size > 0) {
        engine_quota_give(u->quota, u->upload.ask.op.previous_size);
        engine_quota_put(u->quota);
        u->quota = NULL;
    }
}

static void finish_failed(struct call *call, const struct engine_upload *upload, status_t status) REQUIRES(LOOP)
{
    if (status == ST_RANGE) {
        call_fail(call, EXCEPTION_FAILED, "only %llu of the %llu bytes that put() announced came",
                  (unsigned long long)upload->received, (unsigned long long)upload->size);
    } else if (status == ST_STALE) {
        call_fail(call, EXCEPTION_FAILED, "corrupt: the bytes that came have another digest than was expected");
    } else if (status == ST_PROTO && upload->name.path.size > 0) {
        engine_fail_path(call, upload->answer, upload->name.path);
    } else {
        engine_fail_status(call, status, upload->answer, "finish");
    }
}

static void finished(struct engine_upload *upload, status_t status)
{
    room_assert_loop();
    struct upload_object *u = CONTAINER_OF(upload, struct upload_object, upload);
    struct call *call = u->call;

    u->call = NULL;
    if (status == ST_OK) {
        settle_quota(u);
        struct upload_finish_results_builder results = upload_finish_results(call, 8);
        upload_finish_results_set_digest(results, capnp_data(upload->digest, CATALOG_DIGEST));
        call_return(call);
    } else {
        finish_failed(call, upload, status);
    }
}

static void on_finish(struct object *object, struct call *call, struct upload_finish_params_reader params)
{
    room_assert_loop();
    struct upload_object *u = CONTAINER_OF(object, struct upload_object, object);
    struct capnp_data expected = upload_finish_params_get_expected(params);

    if (u->call != NULL || u->upload.padded) {
        call_fail(call, EXCEPTION_FAILED, "finish() was called already");
        return;
    }
    if (expected.size > 0 && !engine_digest_valid(call, expected.bytes, expected.size)) {
        return;
    }
    u->upload.expects = expected.size > 0;
    if (u->upload.expects) {
        memcpy(u->upload.expected, expected.bytes, CATALOG_DIGEST);
    }
    u->call = call;
    engine_upload_finish(&u->upload, finished);
}

static const struct upload_server_ops upload_ops = {.finish = on_finish,
                                                    .super_byte_sink = {.write = on_write, .done = on_done}};

static void upload_call(struct object *object, struct call *call)
{
    room_assert_loop();
    upload_dispatch(&upload_ops, object, call);
}

static void upload_closed(struct engine_upload *upload)
{
    room_assert_loop();
    struct upload_object *u = CONTAINER_OF(upload, struct upload_object, upload);

    engine_quota_give(u->quota, upload->size);
    engine_quota_put(u->quota);
    u->quota = NULL;
    list_push_back(&self.uploads, &u->node);
    engine_self.open--;
}

static void upload_dead(struct object *object)
{
    room_assert_loop();
    engine_upload_close(&CONTAINER_OF(object, struct upload_object, object)->upload, upload_closed);
}

static const struct object_ops upload_object_ops = {.call = upload_call, .dead = upload_dead};

static void upload_opened(struct engine_upload *upload, enum catalog_answer answer)
{
    room_assert_loop();
    struct upload_object *u = CONTAINER_OF(upload, struct upload_object, upload);
    struct call *call = u->call;

    u->call = NULL;
    if (answer != CATALOG_OK) {
        upload_closed(upload);
        engine_fail(call, answer, "put");
        return;
    }
    object_init(&u->object, &upload_object_ops);
    u->say(call, &u->object);
    engine_return(call, &u->object);
}

/* What the upload remembers of its name. */
static void name_upload(struct upload_object *u, const struct engine_name *name)
{
    u->quota = NULL;
    u->upload.name = (struct catalog_op){0};
    if (name != NULL) {
        memcpy(u->path, name->path.text, name->path.size);
        u->quota = engine_quota_get(name->quota);
        u->upload.name.at = name->at;
        u->upload.name.path = (struct catalog_text){u->path, name->path.size};
        u->upload.name.flags = name->flags;
    }
}

/* False: the call failed. */
static bool may_put(struct call *call, uint64_t size, const struct engine_name *name) REQUIRES(LOOP)
{
    if (engine_self.state == ENGINE_READ_ONLY) {
        engine_fail(call, CATALOG_FAILED, "put");
    } else if (list_empty(&self.uploads)) {
        engine_too_many(call, "put");
    } else if (name != NULL && (name->path.size == 0 || name->path.size > CATALOG_PATH_MAX)) {
        engine_fail_path(call, CATALOG_BAD_NAME, name->path);
    } else if (name != NULL && !engine_quota_take(name->quota, size)) {
        engine_fail_quota(call);
    } else {
        return true;
    }
    return false;
}

void engine_put(struct call *call, uint64_t size, const struct engine_name *name,
                void (*say)(struct call *call, struct object *upload))
{
    if (!may_put(call, size, name)) {
        return;
    }
    struct upload_object *u = CONTAINER_OF(list_pop_front(&self.uploads), struct upload_object, node);
    u->call = call;
    u->say = say;
    name_upload(u, name);
    engine_self.open++;
    engine_upload_open(&u->upload, size, upload_opened);
}

static void say_put(struct call *call, struct object *upload)
{
    room_assert_loop();
    store_put_results_set_upload(store_put_results(call, 4), upload);
}

static void on_put(struct object *object, struct call *call, struct store_put_params_reader params)
{
    room_assert_loop();
    if (engine_available(call) && may_change(object, call)) {
        engine_put(call, store_put_params_get_size(params), NULL, say_put);
    }
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
    struct upload_object *uploads = boot_alloc(ENGINE_UPLOADS_MAX * sizeof *uploads, 16);
    struct source_object *sources = boot_alloc(ENGINE_SOURCES_MAX * sizeof *sources, 16);
    struct read_call *reads = boot_alloc(ENGINE_READS_MAX * sizeof *reads, 16);

    list_init(&self.uploads);
    list_init(&self.sources);
    list_init(&self.reads);
    for (int i = 0; i < ENGINE_UPLOADS_MAX; i++) {
        engine_upload_init(&uploads[i].upload);
        uploads[i].path = boot_alloc(CATALOG_PATH_MAX + 1, 16);
        list_push_back(&self.uploads, &uploads[i].node);
    }
    for (int i = 0; i < ENGINE_SOURCES_MAX; i++) {
        engine_source_init(&sources[i].source);
        list_push_back(&self.sources, &sources[i].node);
    }
    for (int i = 0; i < ENGINE_READS_MAX; i++) {
        engine_read_init(&reads[i].read);
        list_push_back(&self.reads, &reads[i].node);
    }
    pool_init(&self.writes, "store writes", sizeof(struct write_call), ENGINE_WRITES_MAX);
}
