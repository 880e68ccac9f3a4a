/* SPDX-License-Identifier: MIT OR Apache-2.0
 * engine_put.c: the capability Upload, and uploads that wait for somebody to go on with them.
 *
 *  (1) Upload objects stand in a fixed array, not in a pool: a pool clears its items, and these keep their buffers for life. One is
 *      free, being opened, open (it has an object), kept, or being closed.
 *  (2) A call holds a reference on its target, so an upload is dropped only when no call is under way on it.
 *  (3) Kept is an upload that was dropped, of which the digest is known and something came and nothing failed. It keeps all that an
 *      open one has. Whoever needs its place gets it, and who finds no room has it given back: nobody is the worse for it.
 *  (4) One that is kept is given to who asks for the same digest and size under the same name of the same directory. So
 *      nobody learns of it who could not have asked for it himself.
 *  (5) What has a quota is not kept: a quota ends with the views that have it.
 *  (6) An open one of which nothing was heard for SILENT_NS, as of a connection whose end nobody told us of, is given likewise. It
 *      then has two holders; offsets (ByteSink.write) keep the bytes of the one who comes back out of the other's.
 */
#include <string.h>
#include "config.h"
#include "core/assert.h"
#include "core/mem.h"
#include "engine.h"
#include "lib/store/store.capnp.h"

#define SILENT_NS (10 * NS_PER_S)
#define ROOM_BACK_NS (5 * NS_PER_S) /* what was given up is free by then: the catalog takes its time */

struct upload_object {
    struct object object;
    struct engine_upload upload;
    struct call *call; /* put() until it is open, then finish() */
    void (*say)(struct call *call, struct object *upload, uint64_t received);
    struct engine_quota *quota; /* which has its size, until something else has it */
    char *path;                 /* [I] CATALOG_PATH_MAX + 1 */
    uint64_t size;
    bool declared; /* put() was told the digest */
    uint8_t digest[CATALOG_DIGEST];
    uint64_t since_ns;     /* open: when something was last heard or said; kept: when it was dropped */
    uint32_t writes_begun; /* and not answered yet */
    struct list node;      /* free, open, or kept */
};
struct write_call {
    struct engine_write write;
    struct upload_object *upload;
    struct call *call;
};

static struct {
    struct list free, open;
    struct list kept; /* the oldest first */
    uint32_t kept_count;
    struct timer timer;   /* for the oldest that is kept */
    uint64_t given_up_ns; /* when one was; 0: never */
    struct pool writes;
} self;

/* --- kept: (3) ------------------------------------------------------------------------------------------------------- */

static void upload_closed(struct engine_upload *upload);

static bool is_worth_keeping(const struct upload_object *u)
{
    return ENGINE_UPLOADS_KEPT > 0 && u->declared && u->quota == NULL && engine_upload_may_go_on(&u->upload);
}

static struct upload_object *oldest_kept(void)
{
    return list_empty(&self.kept) ? NULL : CONTAINER_OF(self.kept.next, struct upload_object, node);
}

/* Its place is the caller's. */
static void unkeep(struct upload_object *u)
{
    list_remove(&u->node);
    self.kept_count--;
}

static void give_up(struct upload_object *u) REQUIRES(LOOP)
{
    unkeep(u);
    self.given_up_ns = clock_ns();
    engine_upload_close(&u->upload, upload_closed);
}

void engine_kept_give_up(void)
{
    for (struct upload_object *u = oldest_kept(); u != NULL; u = oldest_kept()) {
        give_up(u);
    }
}

uint32_t engine_kept_count(void)
{
    return self.kept_count;
}

bool engine_room_may_come(void)
{
    bool others = engine_self.open - engine_self.files > 1;

    engine_kept_give_up();
    return others || (self.given_up_ns != 0 && clock_ns() - self.given_up_ns < ROOM_BACK_NS);
}

static uint64_t kept_until_ns(const struct upload_object *u)
{
    return u->since_ns + ENGINE_KEPT_SECONDS * NS_PER_S;
}

static void expire(struct timer *timer)
{
    room_assert_loop();
    struct upload_object *u;

    for (u = oldest_kept(); u != NULL && kept_until_ns(u) <= clock_ns(); u = oldest_kept()) {
        give_up(u);
    }
    if (u != NULL) {
        timer_set(timer, kept_until_ns(u));
    }
}

static void keep(struct upload_object *u) REQUIRES(LOOP)
{
    if (self.kept_count == ENGINE_UPLOADS_KEPT) {
        give_up(oldest_kept());
    }
    list_push_back(&self.kept, &u->node);
    self.kept_count++;
    u->since_ns = clock_ns();
    if (!timer_armed(&self.timer)) {
        timer_set(&self.timer, kept_until_ns(u));
    }
}

/* --- Upload ---------------------------------------------------------------------------------------------------------- */

static void written(struct engine_write *write, status_t status)
{
    room_assert_loop();
    struct write_call *w = CONTAINER_OF(write, struct write_call, write);
    struct call *call = w->call;
    struct upload_object *u = w->upload;

    u->writes_begun--;
    u->since_ns = clock_ns();
    pool_put(&self.writes, w);
    if (status == ST_OK) {
        call_return(call);
    } else if (status == ST_BADARG) {
        call_fail(call, EXCEPTION_FAILED, "conflict: a chunk does not begin where the one before it ended");
    } else if (status == ST_RANGE) {
        call_fail(call, EXCEPTION_FAILED, "more bytes than put() announced, or after finish()");
    } else {
        engine_fail_status(call, status, u->upload.answer, "write");
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
    w->upload = u;
    u->writes_begun++;
    u->since_ns = clock_ns();
    /* Readers see a message as constant, but its memory is the server's until the return (object.h). */
    w->write = (struct engine_write){.bytes = (uint8_t *)(uintptr_t)chunk.bytes,
                                     .size = chunk.size,
                                     .offset = byte_sink_write_params_get_offset(params),
                                     .done = written};
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
    } else if (status == ST_PROTO && upload->name.path.size > 0 && upload->name.at.directory != CATALOG_NAMES) {
        /* of a flat name a view may not show all */
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
    if (u->declared && expected.size > 0 && memcmp(expected.bytes, u->digest, CATALOG_DIGEST) != 0) {
        call_fail(call, EXCEPTION_FAILED, "bad-argument: put() was told another digest");
        return;
    }
    u->upload.expects = u->declared || expected.size > 0;
    if (u->upload.expects) {
        memcpy(u->upload.expected, u->declared ? u->digest : expected.bytes, CATALOG_DIGEST);
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

static void upload_opened(struct engine_upload *upload, enum catalog_answer answer);

static void upload_closed(struct engine_upload *upload)
{
    room_assert_loop();
    struct upload_object *u = CONTAINER_OF(upload, struct upload_object, upload);

    if (u->call != NULL) { /* somebody waits for the place */
        engine_upload_open(upload, u->size, upload_opened);
        return;
    }
    engine_quota_give(u->quota, u->size);
    engine_quota_put(u->quota);
    u->quota = NULL;
    list_push_back(&self.free, &u->node);
    engine_self.open--;
}

static void upload_dead(struct object *object)
{
    room_assert_loop();
    struct upload_object *u = CONTAINER_OF(object, struct upload_object, object);

    list_remove(&u->node);
    if (is_worth_keeping(u)) {
        keep(u);
    } else {
        engine_upload_close(&u->upload, upload_closed);
    }
}

static const struct object_ops upload_object_ops = {.call = upload_call, .dead = upload_dead};

/* The holder of the call has it, or has it too: (6). */
static void hand_out(struct upload_object *u, struct call *call) REQUIRES(LOOP)
{
    u->since_ns = clock_ns();
    u->say(call, &u->object, u->upload.received);
    engine_return(call, &u->object);
}

static void open_to(struct upload_object *u, struct call *call) REQUIRES(LOOP)
{
    object_init(&u->object, &upload_object_ops);
    list_push_back(&self.open, &u->node);
    hand_out(u, call);
}

static void upload_opened(struct engine_upload *upload, enum catalog_answer answer)
{
    room_assert_loop();
    struct upload_object *u = CONTAINER_OF(upload, struct upload_object, upload);
    struct call *call = u->call;

    u->call = NULL;
    if (answer != CATALOG_OK) {
        engine_fail(call, answer, "put");
        upload_closed(upload);
        return;
    }
    open_to(u, call);
}

/* --- put ------------------------------------------------------------------------------------------------------------- */

/* What the upload remembers of what was asked for. */
static void describe(struct upload_object *u, const struct engine_put *put)
{
    const struct engine_name *name = put->name;

    u->size = put->size;
    u->say = put->say;
    u->declared = put->digest.size > 0;
    if (u->declared) {
        memcpy(u->digest, put->digest.bytes, CATALOG_DIGEST);
    }
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

static bool same_name(const struct catalog_op *one, const struct engine_name *other)
{
    if (other == NULL) {
        return one->path.size == 0;
    }
    return one->at.directory == other->at.directory && one->flags == other->flags &&
           one->path.size == other->path.size && memcmp(one->path.text, other->path.text, other->path.size) == 0;
}

/* (4), among these: the one that has most. */
static struct upload_object *find_same(struct list *among, const struct engine_put *put)
{
    struct upload_object *best = NULL;

    for (struct list *n = among->next; n != among; n = n->next) {
        struct upload_object *u = CONTAINER_OF(n, struct upload_object, node);
        bool same = is_worth_keeping(u) && u->size == put->size &&
                    memcmp(u->digest, put->digest.bytes, CATALOG_DIGEST) == 0 && same_name(&u->upload.name, put->name);
        if (same && (best == NULL || u->upload.received > best->upload.received)) {
            best = u;
        }
    }
    return best;
}

/* (6) Silence while a write waits for our disk is our own. */
static bool is_silent(const struct upload_object *u)
{
    return u->call == NULL && u->writes_begun == 0 && clock_ns() - u->since_ns >= SILENT_NS;
}

/* False: nobody began it, or whoever did is at it. */
static bool go_on(struct call *call, const struct engine_put *put) REQUIRES(LOOP)
{
    if (put->digest.size == 0 || (put->name != NULL && put->name->quota != NULL)) {
        return false;
    }
    struct upload_object *kept = find_same(&self.kept, put);
    struct upload_object *open = find_same(&self.open, put);
    bool silent = open != NULL && is_silent(open);
    if (silent && (kept == NULL || open->upload.received > kept->upload.received)) {
        object_get(&open->object); /* (6) */
        hand_out(open, call);
        return true;
    }
    if (kept != NULL) {
        unkeep(kept);
        open_to(kept, call);
    }
    return kept != NULL;
}

/* False: the call failed. */
static bool may_put(struct call *call, const struct engine_put *put) REQUIRES(LOOP)
{
    const struct engine_name *name = put->name;

    if (put->digest.size > 0 && !engine_digest_valid(call, put->digest.bytes, put->digest.size)) {
        return false;
    }
    if (engine_self.state == ENGINE_READ_ONLY) {
        engine_fail(call, CATALOG_FAILED, "put");
    } else if (name != NULL && (name->path.size == 0 || name->path.size > CATALOG_PATH_MAX)) {
        engine_fail_path(call, CATALOG_BAD_NAME, name->path);
    } else {
        return true;
    }
    return false;
}

/* Opens an upload in the place of one that is free, or that is kept. */
static void begin(struct call *call, const struct engine_put *put) REQUIRES(LOOP)
{
    struct upload_object *u = oldest_kept();
    bool free = !list_empty(&self.free);

    if (free) {
        u = CONTAINER_OF(list_pop_front(&self.free), struct upload_object, node);
        engine_self.open++;
    } else {
        unkeep(u);
    }
    describe(u, put);
    u->call = call;
    if (free) {
        engine_upload_open(&u->upload, u->size, upload_opened);
    } else {
        engine_upload_close(&u->upload, upload_closed);
    }
}

void engine_put(struct call *call, const struct engine_put *put)
{
    if (!may_put(call, put) || go_on(call, put)) {
        return;
    }
    if (list_empty(&self.free) && oldest_kept() == NULL) {
        engine_too_many(call, "put");
    } else if (put->name != NULL && !engine_quota_take(put->name->quota, put->size)) {
        engine_fail_quota(call);
    } else {
        begin(call, put);
    }
}

void engine_put_init(void)
{
    struct upload_object *uploads = boot_alloc(ENGINE_UPLOADS_MAX * sizeof *uploads, 16);

    list_init(&self.free);
    list_init(&self.open);
    list_init(&self.kept);
    for (int i = 0; i < ENGINE_UPLOADS_MAX; i++) {
        engine_upload_init(&uploads[i].upload);
        uploads[i].path = boot_alloc(CATALOG_PATH_MAX + 1, 16);
        list_push_back(&self.free, &uploads[i].node);
    }
    timer_init(&self.timer, expire);
    pool_init(&self.writes, "store writes", sizeof(struct write_call), ENGINE_WRITES_MAX);
}
