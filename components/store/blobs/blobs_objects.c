/* SPDX-License-Identifier: MIT OR Apache-2.0
 * blobs_objects.c: the capabilities Upload and ByteSource.
 *
 * (1) Objects with buffers stand in fixed arrays with a free list, not in a pool: a pool clears its items, and these keep
 *     their buffers for life.
 * (2) A call holds a reference on its target, so an object dies only when no call is under way on it.
 */
#include "blobs_service.h"
#include "config.h"
#include "core/assert.h"
#include "lib/store/store.capnp.h"

struct upload_object {
    struct object object;
    struct blobs_upload upload;
    struct call *finish_call;
    struct list node; /* free */
};
struct source_object {
    struct object object;
    struct blobs_source source;
    struct list node;
};
struct write_call {
    struct blobs_write write;
    struct call *call;
};
struct read_call {
    struct blobs_read read;
    struct call *call;
    struct list node;
};

static struct objects {
    struct list uploads, sources, reads; /* free ones */
    struct pool writes;
} self;

/* --- Upload --- */

static void written(struct blobs_write *write, status_t status)
{
    room_assert_loop();
    struct write_call *w = CONTAINER_OF(write, struct write_call, write);
    struct call *call = w->call;
    pool_put(&self.writes, w);
    if (status == ST_OK) {
        call_return(call);
    } else if (status == ST_RANGE) {
        call_fail(call, EXCEPTION_FAILED, "more bytes than put() announced, or after finish()");
    } else {
        blobs_fail(call, status, "write");
    }
}

static void on_write(struct object *object, struct call *call, struct byte_sink_write_params_reader params)
{
    room_assert_loop();
    struct upload_object *u = CONTAINER_OF(object, struct upload_object, object);
    struct capnp_data chunk = byte_sink_write_params_get_chunk(params);
    if (chunk.size > BLOBS_CHUNK_MAX) {
        call_fail(call, EXCEPTION_FAILED, "a chunk of %u bytes: at most %u", chunk.size, BLOBS_CHUNK_MAX);
        return;
    }
    struct write_call *w = pool_get(&self.writes);
    if (w == NULL) {
        call_fail(call, EXCEPTION_OVERLOADED, "%d writes are under way: wait for some", BLOBS_WRITES_MAX);
        return;
    }
    w->call = call;
    /* Readers see a message as constant, but its memory is the server's until the return (object.h). */
    w->write = (struct blobs_write){.bytes = (uint8_t *)(uintptr_t)chunk.bytes, .size = chunk.size, .done = written};
    list_init(&w->write.node);
    blobs_upload_write(&u->upload, &w->write);
}

static void on_done(struct object *object, struct call *call, struct byte_sink_done_params_reader params)
{
    room_assert_loop();
    (void)object;
    (void)params;
    call_return(call); /* finish() says more */
}

static void finished(struct blobs_upload *upload, status_t status)
{
    room_assert_loop();
    struct upload_object *u = CONTAINER_OF(upload, struct upload_object, upload);
    struct call *call = u->finish_call;
    u->finish_call = NULL;
    if (status == ST_OK) {
        struct upload_finish_results_builder results = upload_finish_results(call, 8);
        upload_finish_results_set_digest(results, capnp_data(upload->op.record.digest, BLOBS_DIGEST));
        call_return(call);
    } else if (status == ST_RANGE) {
        call_fail(call, EXCEPTION_FAILED, "only %llu of the %llu bytes that put() announced came",
                  (unsigned long long)upload->received, (unsigned long long)upload->size);
    } else {
        blobs_fail(call, status, "finish");
    }
}

static void on_finish(struct object *object, struct call *call, struct upload_finish_params_reader params)
{
    room_assert_loop();
    (void)params;
    struct upload_object *u = CONTAINER_OF(object, struct upload_object, object);
    if (u->finish_call != NULL || u->upload.padded) {
        call_fail(call, EXCEPTION_FAILED, "finish() was called already");
        return;
    }
    u->finish_call = call;
    blobs_upload_finish(&u->upload, finished);
}

static const struct upload_server_ops upload_ops = {
    .finish = on_finish,
    .super_byte_sink = {.write = on_write, .done = on_done},
};

static void upload_call(struct object *object, struct call *call)
{
    room_assert_loop();
    upload_dispatch(&upload_ops, object, call);
}

static void upload_closed(struct blobs_upload *upload)
{
    room_assert_loop();
    list_push_back(&self.uploads, &CONTAINER_OF(upload, struct upload_object, upload)->node);
    blobs_service.open--;
}

static void upload_dead(struct object *object)
{
    room_assert_loop();
    blobs_upload_close(&CONTAINER_OF(object, struct upload_object, object)->upload, upload_closed);
}

static const struct object_ops upload_object_ops = {.call = upload_call, .dead = upload_dead};

struct object *blobs_upload_object(uint64_t size, status_t *status)
{
    if (list_empty(&self.uploads)) {
        *status = ST_NOMEM;
        return NULL;
    }
    struct upload_object *u = CONTAINER_OF(self.uploads.next, struct upload_object, node);
    *status = blobs_upload_open(&blobs_service.volume, &u->upload, size);
    if (*status != ST_OK) {
        return NULL;
    }
    list_remove(&u->node);
    u->finish_call = NULL;
    blobs_service.open++;
    object_init(&u->object, &upload_object_ops);
    return &u->object;
}

/* --- ByteSource --- */

static void read_ended(struct blobs_read *read, status_t status, uint32_t bytes)
{
    room_assert_loop();
    struct read_call *r = CONTAINER_OF(read, struct read_call, read);
    struct call *call = r->call;
    list_push_back(&self.reads, &r->node);
    if (status == ST_OK) {
        ASSERT(bytes == read->size);
        call_return(call);
    } else {
        blobs_fail(call, status, "read");
    }
}

static void on_read(struct object *object, struct call *call, struct byte_source_read_params_reader params)
{
    room_assert_loop();
    struct source_object *s = CONTAINER_OF(object, struct source_object, object);
    uint64_t offset = byte_source_read_params_get_offset(params);
    uint32_t limit = byte_source_read_params_get_limit(params);
    uint32_t size = blobs_read_size(&s->source, offset, limit < BLOBS_CHUNK_MAX ? limit : BLOBS_CHUNK_MAX);
    if (size > 0 && list_empty(&self.reads)) {
        call_fail(call, EXCEPTION_OVERLOADED, "%d reads are under way: wait for some", BLOBS_READS_MAX);
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
    list_init(&r->read.node);
    blobs_source_read(&s->source, &r->read);
}

static void on_size(struct object *object, struct call *call, struct byte_source_size_params_reader params)
{
    room_assert_loop();
    (void)params;
    struct source_object *s = CONTAINER_OF(object, struct source_object, object);
    byte_source_size_results_set_bytes(byte_source_size_results(call, 2), s->source.blob->size);
    call_return(call);
}

static const struct byte_source_server_ops source_ops = {.read = on_read, .size = on_size};

static void source_call(struct object *object, struct call *call)
{
    room_assert_loop();
    byte_source_dispatch(&source_ops, object, call);
}

static void source_closed(struct blobs_source *source)
{
    room_assert_loop();
    list_push_back(&self.sources, &CONTAINER_OF(source, struct source_object, source)->node);
    blobs_service.open--;
}

static void source_dead(struct object *object)
{
    room_assert_loop();
    blobs_source_close(&CONTAINER_OF(object, struct source_object, object)->source, source_closed);
}

static const struct object_ops source_object_ops = {.call = source_call, .dead = source_dead};

struct object *blobs_source_object(struct blobs_blob *blob, status_t *status)
{
    struct list *node = list_pop_front(&self.sources);
    if (node == NULL) {
        *status = ST_NOMEM;
        return NULL;
    }
    struct source_object *s = CONTAINER_OF(node, struct source_object, node);
    blobs_source_open(&blobs_service.volume, &s->source, blob);
    blobs_service.open++;
    object_init(&s->object, &source_object_ops);
    *status = ST_OK;
    return &s->object;
}

void blobs_objects_init(void)
{
    struct upload_object *uploads = boot_alloc(BLOBS_UPLOADS_MAX * sizeof(*uploads), 16);
    struct source_object *sources = boot_alloc(BLOBS_SOURCES_MAX * sizeof(*sources), 16);
    struct read_call *reads = boot_alloc(BLOBS_READS_MAX * sizeof(*reads), 16);
    list_init(&self.uploads);
    list_init(&self.sources);
    list_init(&self.reads);
    for (int i = 0; i < BLOBS_UPLOADS_MAX; i++) {
        blobs_upload_init(&uploads[i].upload);
        list_push_back(&self.uploads, &uploads[i].node);
    }
    for (int i = 0; i < BLOBS_SOURCES_MAX; i++) {
        blobs_source_init(&sources[i].source);
        list_push_back(&self.sources, &sources[i].node);
    }
    for (int i = 0; i < BLOBS_READS_MAX; i++) {
        blobs_read_init(&reads[i].read);
        list_push_back(&self.reads, &reads[i].node);
    }
    pool_init(&self.writes, "store writes", sizeof(struct write_call), BLOBS_WRITES_MAX);
}
