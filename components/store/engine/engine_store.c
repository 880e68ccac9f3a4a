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
    struct list node;  /* free */
};
struct source_object {
    struct object object;
    struct engine_source source;
    struct call *call; /* get() */
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
    struct pool requests;
} self;

/* --- refusals -------------------------------------------------------------------------------------------------------- */

bool engine_available(struct call *call)
{
    switch (engine_self.state) {
    case ENGINE_MOUNTED:
    case ENGINE_READ_ONLY:
        return true;
    case ENGINE_MOUNTING:
        call_fail(call, EXCEPTION_OVERLOADED, "the store is still mounting: ask again");
        return false;
    case ENGINE_FOREIGN:
        call_fail(call, EXCEPTION_FAILED, "the disk is not mounted: found %s; Store.format would erase it",
                  engine_self.why);
        return false;
    }
    UNREACHABLE();
}

bool engine_digest_valid(struct call *call, const uint8_t *bytes, uint32_t size)
{
    if (size == CATALOG_DIGEST && bytes != NULL) {
        return true;
    }
    call_fail(call, EXCEPTION_FAILED, "a digest is %u bytes, not %u", CATALOG_DIGEST, size);
    return false;
}

static void too_many(struct call *call, const char *what) REQUIRES(LOOP)
{
    call_fail(call, EXCEPTION_OVERLOADED, "%s: too many at once: try again later", what);
}

void engine_fail(struct call *call, enum catalog_answer answer, const char *what)
{
    switch (answer) {
    case CATALOG_FULL: /* what is open may hold the room: then it helps to ask again */
        call_fail(call, engine_self.open > 0 ? EXCEPTION_OVERLOADED : EXCEPTION_FAILED,
                  "full: %s: the disk has no room for it", what);
        return;
    case CATALOG_LIMIT:
        too_many(call, what);
        return;
    case CATALOG_FAILED:
    case CATALOG_DAMAGED:
        call_fail(call, EXCEPTION_FAILED, "%s: the disk failed, or gave back what was not written", what);
        return;
    case CATALOG_MISSING:
        call_fail(call, EXCEPTION_FAILED, "not-found: %s: no blob with this digest is here", what);
        return;
    case CATALOG_BAD_NAME:
        call_fail(call, EXCEPTION_FAILED, "bad-argument: a name is 1 to %u bytes of UTF-8 without control characters",
                  CATALOG_NAME_MAX);
        return;
    case CATALOG_NAMED:
        call_fail(call, EXCEPTION_FAILED, "the blob has a name: remove the name, and the blob goes with it");
        return;
    default:
        call_fail(call, EXCEPTION_FAILED, "%s: %s", catalog_answer_name(answer), what);
    }
}

/* Of a transfer; ST_PROTO: the catalog's answer says why. */
static void fail_status(struct call *call, status_t status, enum catalog_answer answer, const char *what) REQUIRES(LOOP)
{
    if (status == ST_PROTO) {
        engine_fail(call, answer, what);
    } else if (status == ST_IO || status == ST_CLOSED) {
        engine_fail(call, CATALOG_FAILED, what);
    } else {
        call_fail_status(call, status, what);
    }
}

/* --- requests -------------------------------------------------------------------------------------------------------- */

struct engine_request *engine_request_new(struct call *call, enum catalog_op_kind kind,
                                          void (*done)(struct engine_op *op))
{
    struct engine_request *request = pool_get(&self.requests);

    if (request == NULL) {
        too_many(call, "requests under way");
        return NULL;
    }
    request->call = call;
    request->op = (struct engine_op){.op = {.kind = kind}, .done = done};
    request->op.op.time.ns = (int64_t)clock_wall_ns();
    request->op.op.time.clock = request->op.op.time.ns != 0 ? CATALOG_CLOCK_RTC : CATALOG_CLOCK_UNKNOWN;
    return request;
}

struct call *engine_request_end(struct engine_op *op, const char *what)
{
    struct engine_request *request = CONTAINER_OF(op, struct engine_request, op);
    struct call *call = request->call;
    enum catalog_answer answer = op->op.answer;

    pool_put(&self.requests, request);
    if (answer == CATALOG_OK) {
        return call;
    }
    engine_fail(call, answer, what);
    return NULL;
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
        fail_status(call, status, answer, "write");
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

static void finished(struct engine_upload *upload, status_t status)
{
    room_assert_loop();
    struct upload_object *u = CONTAINER_OF(upload, struct upload_object, upload);
    struct call *call = u->call;

    u->call = NULL;
    if (status == ST_OK) {
        struct upload_finish_results_builder results = upload_finish_results(call, 8);
        upload_finish_results_set_digest(results, capnp_data(upload->digest, CATALOG_DIGEST));
        call_return(call);
    } else if (status == ST_RANGE) {
        call_fail(call, EXCEPTION_FAILED, "only %llu of the %llu bytes that put() announced came",
                  (unsigned long long)upload->received, (unsigned long long)upload->size);
    } else {
        fail_status(call, status, upload->answer, "finish");
    }
}

static void on_finish(struct object *object, struct call *call, struct upload_finish_params_reader params)
{
    room_assert_loop();
    (void)params;
    struct upload_object *u = CONTAINER_OF(object, struct upload_object, object);

    if (u->call != NULL || u->upload.padded) {
        call_fail(call, EXCEPTION_FAILED, "finish() was called already");
        return;
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
    list_push_back(&self.uploads, &CONTAINER_OF(upload, struct upload_object, upload)->node);
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
    store_put_results_set_upload(store_put_results(call, 4), &u->object);
    object_put(&u->object); /* the results hold it now */
    call_return(call);
}

static void on_put(struct object *object, struct call *call, struct store_put_params_reader params)
{
    room_assert_loop();
    (void)object;
    if (!engine_available(call)) {
        return;
    }
    if (engine_self.state == ENGINE_READ_ONLY) {
        engine_fail(call, CATALOG_FAILED, "put");
        return;
    }
    struct list *node = list_pop_front(&self.uploads);
    if (node == NULL) {
        too_many(call, "put");
        return;
    }
    struct upload_object *u = CONTAINER_OF(node, struct upload_object, node);
    u->call = call;
    engine_self.open++;
    engine_upload_open(&u->upload, store_put_params_get_size(params), upload_opened);
}

/* --- ByteSource ------------------------------------------------------------------------------------------------------ */

static void read_ended(struct engine_read *read, enum catalog_answer answer)
{
    room_assert_loop();
    struct read_call *r = CONTAINER_OF(read, struct read_call, read);
    struct call *call = r->call;

    list_push_back(&self.reads, &r->node);
    if (answer == CATALOG_OK) {
        call_return(call);
    } else {
        engine_fail(call, answer, "read");
    }
}

static void on_read(struct object *object, struct call *call, struct byte_source_read_params_reader params)
{
    room_assert_loop();
    struct source_object *s = CONTAINER_OF(object, struct source_object, object);
    uint64_t offset = byte_source_read_params_get_offset(params);
    uint32_t size = engine_read_size(&s->source, offset, byte_source_read_params_get_limit(params));

    if (size > 0 && list_empty(&self.reads)) {
        call_fail(call, EXCEPTION_OVERLOADED, "%d reads are under way: wait for some", ENGINE_READS_MAX);
        return;
    }
    struct byte_source_read_results_builder results = byte_source_read_results(call, size / 8 + 4);
    struct capnp_bytes chunk = byte_source_read_results_init_chunk(results, size);
    if (size == 0 || chunk.size != size) {
        call_return(call); /* empty, or there was no room for the answer, which call_return turns into `overloaded` */
        return;
    }
    struct read_call *r = CONTAINER_OF(list_pop_front(&self.reads), struct read_call, node);
    r->call = call;
    r->read.offset = offset;
    r->read.bytes = chunk.bytes;
    r->read.size = size;
    r->read.done = read_ended;
    engine_source_read(&s->source, &r->read);
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
        source_closed(source);
        engine_fail(call, answer, "get");
        return;
    }
    object_init(&s->object, &source_object_ops);
    struct store_get_results_builder results = store_get_results(call, 4);
    store_get_results_set_blob(results, &s->object);
    store_get_results_set_size(results, source->size);
    object_put(&s->object);
    call_return(call);
}

static void on_get(struct object *object, struct call *call, struct store_get_params_reader params)
{
    room_assert_loop();
    (void)object;
    struct capnp_data digest = store_get_params_get_digest(params);

    if (!engine_available(call) || !engine_digest_valid(call, digest.bytes, digest.size)) {
        return;
    }
    struct list *node = list_pop_front(&self.sources);
    if (node == NULL) {
        too_many(call, "get");
        return;
    }
    struct source_object *s = CONTAINER_OF(node, struct source_object, node);
    s->call = call;
    engine_self.open++;
    engine_source_open(&s->source, digest.bytes, source_opened);
}

/* --- Store ----------------------------------------------------------------------------------------------------------- */

static void found(struct engine_op *op)
{
    room_assert_loop();
    bool present = op->op.answer == CATALOG_OK;
    uint64_t size = op->op.size;

    op->op.answer = op->op.answer == CATALOG_MISSING ? CATALOG_OK : op->op.answer;
    struct call *call = engine_request_end(op, "stat");
    if (call != NULL) {
        struct store_stat_results_builder results = store_stat_results(call, 4);
        store_stat_results_set_size(results, present ? size : 0);
        store_stat_results_set_present(results, present);
        call_return(call);
    }
}

static void on_stat(struct object *object, struct call *call, struct store_stat_params_reader params)
{
    room_assert_loop();
    (void)object;
    struct capnp_data digest = store_stat_params_get_digest(params);

    if (!engine_available(call) || !engine_digest_valid(call, digest.bytes, digest.size)) {
        return;
    }
    struct engine_request *request = engine_request_new(call, CATALOG_FIND, found);
    if (request != NULL) {
        request->op.op.digest = digest.bytes;
        engine_submit(&request->op);
    }
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
    if (!engine_available(call)) {
        return;
    }
    struct engine_request *request = engine_request_new(call, CATALOG_INFO, informed);
    if (request != NULL) {
        request->op.op.info = &request->info;
        engine_submit(&request->op);
    }
}

static void removed(struct engine_op *op)
{
    room_assert_loop();
    bool gone = op->op.answer == CATALOG_OK;

    op->op.answer = op->op.answer == CATALOG_MISSING ? CATALOG_OK : op->op.answer;
    struct call *call = engine_request_end(op, "remove");
    if (call != NULL) {
        store_remove_results_set_removed(store_remove_results(call, 2), gone);
        call_return(call);
    }
}

static void on_remove(struct object *object, struct call *call, struct store_remove_params_reader params)
{
    room_assert_loop();
    (void)object;
    struct capnp_data digest = store_remove_params_get_digest(params);

    if (!engine_available(call) || !engine_digest_valid(call, digest.bytes, digest.size)) {
        return;
    }
    struct engine_request *request = engine_request_new(call, CATALOG_FORGET, removed);
    if (request != NULL) {
        request->op.op.digest = digest.bytes;
        engine_submit(&request->op);
    }
}

static void on_format(struct object *object, struct call *call, struct store_format_params_reader params)
{
    room_assert_loop();
    (void)object;
    engine_volume_format(call, store_format_params_get_confirm(params));
}

static const struct store_server_ops server_ops = {
    .put = on_put, .get = on_get, .stat = on_stat, .info = on_info, .format = on_format, .remove = on_remove};

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
    pool_init(&self.requests, "store requests", sizeof(struct engine_request), ENGINE_OPS_MAX);
}
