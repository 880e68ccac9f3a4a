/* SPDX-License-Identifier: MIT OR Apache-2.0
 * store_load_put.c: puts a blob, gives an upload up half-way, writes to an upload that it does not have yet, goes on with one that
 * was given up.
 */
#include "lib/store/store.capnp.h"
#include "store_load.h"

static void put_step(struct session *s) REQUIRES(LOOP);

static struct ask *ask_idle(struct session *s)
{
    return s->ask.then == NULL ? &s->ask : &s->ahead;
}

/* Writes the next `size` bytes: with their offset, when others may have the upload too (store.capnp, rule 6). */
static void write_next(struct session *s, struct ask *a, uint32_t size, void (*then)(struct session *s)) REQUIRES(LOOP)
{
    struct byte_sink_write_params_builder p =
        byte_sink_write_begin(&a->call, s->object, load_ask_params(a), &load_ask_source);
    struct capnp_bytes bytes = byte_sink_write_params_init_chunk(p, size);

    ASSERT(bytes.size == size);
    load_blob_fill(s->blob, s->at, bytes.bytes, size);
    if (s->declared) {
        byte_sink_write_params_set_offset(p, s->at);
    }
    s->at += size;
    load_ask_send(a, s->object, then);
}

/* Of what is left, `most` at most. */
static uint32_t next_size(const struct session *s, uint32_t most)
{
    uint64_t left = load_blob_size(s->blob) - s->at;

    return left < most ? (uint32_t)left : most;
}

/* What may go out, goes: the next bytes, and the finish right behind the last of them. */
static void put_go_on(struct session *s) REQUIRES(LOOP)
{
    while (s->under_way < s->window && s->finish == NULL && !s->one_failed) {
        struct ask *a = ask_idle(s);
        s->under_way++;
        if (s->at < load_blob_size(s->blob)) {
            write_next(s, a, next_size(s, CHUNK), put_step);
            continue;
        }
        s->finish = a;
        (void)upload_finish_begin(&a->call, s->object, load_ask_params(a), &load_ask_source);
        load_ask_send(a, s->object, put_step);
    }
}

/* One of an upload's calls has come back. True: the last, and s->failed is what the first to fail said. */
static bool all_back(struct session *s)
{
    if (s->failed && !s->one_failed) {
        s->one_failed = true;
        s->one_why = s->why;
        s->one_odd = s->odd;
        s->one_beside = s->beside;
    }
    s->under_way--;
    s->failed = s->one_failed;
    s->why = s->one_why;
    return s->under_way == 0;
}

static void put_again(struct session *s) REQUIRES(LOOP);

static void finished(struct session *s) REQUIRES(LOOP)
{
    if (s->failed && s->one_odd && s->one_beside && s->declared && !s->again) {
        put_again(s);
        return;
    }
    if (s->failed && s->one_odd) {
        load_session_fail(s, "an upload is refused, and neither room nor the disk is why");
    }
    if (load_op_gave_up(s, false)) {
        return;
    }
    if (load_blob_of(upload_finish_results_get_digest(upload_finish_answer(&s->finish->call))) != s->blob) {
        load_session_fail(s, "finish gives another digest than the blob's");
    }
    load_op_drop(s);
    load_op_bind(s);
}

static void put_step(struct session *s)
{
    bool last = all_back(s);

    if (last && (s->failed || s->finish != NULL)) {
        finished(s);
    } else {
        put_go_on(s);
    }
}

/* Half of it is enough: the rest never comes. */
static void abandon(struct session *s) REQUIRES(LOOP)
{
    if (load_op_gave_up(s, false)) {
        return;
    }
    load_op_drop(s);
    load_session_say(s, "!");
    load_op_ended(s);
}

static bool upload_given(struct session *s) REQUIRES(LOOP)
{
    if (load_op_gave_up(s, false)) {
        return false;
    }
    struct object *upload = store_put_results_get_upload(store_put_answer(&s->ask.call));
    if (upload == NULL) {
        load_session_fail(s, "put gives no upload");
        return false;
    }
    load_op_drop(s); /* a promise of it */
    s->object = object_get(upload);
    return true;
}

/* As upload_given(), and goes on where the upload stands. One that refused to go on from there, and that nobody else has moved
 * meanwhile, is not where it says. */
static bool upload_given_from(struct session *s) REQUIRES(LOOP)
{
    if (!upload_given(s)) {
        return false;
    }
    uint64_t from = store_put_results_get_received(store_put_answer(&s->ask.call));
    bool whole = from % 8 == 0 || from == load_blob_size(s->blob);
    if (from > (s->declared ? load_blob_size(s->blob) : 0) || !whole || (s->again && from == s->from)) {
        load_session_fail(s, "an upload is said to stand where it does not");
    }
    s->at = from;
    s->from = from;
    return true;
}

static void put_begun(struct session *s) REQUIRES(LOOP)
{
    if (upload_given_from(s)) {
        s->under_way = 0;
        put_go_on(s);
    }
}

static void put_begun_in_vain(struct session *s) REQUIRES(LOOP)
{
    if (upload_given_from(s)) {
        write_next(s, &s->ask, next_size(s, 64) < 64 ? 0 : 64, abandon);
    }
}

/* The put, and a write to the upload that it will give, went out together. */
static void ahead_ended(struct session *s) REQUIRES(LOOP)
{
    if (all_back(s) && upload_given(s)) {
        put_go_on(s);
    }
}

/* Promise pipelining: only to another image's store. */
static void write_ahead(struct session *s) REQUIRES(LOOP)
{
    static const uint16_t upload = 0; /* the pointer in put's results */

    if (s->connection == NULL || !s->ask.call.out) {
        return;
    }
    s->object = vat_pipeline(&s->ask.call, &upload, 1);
    if (s->object == NULL) {
        return;
    }
    s->under_way++;
    write_next(s, &s->ahead, next_size(s, CHUNK), ahead_ended);
}

static void put_ask(struct session *s, void (*then)(struct session *s)) REQUIRES(LOOP)
{
    struct store_put_params_builder p =
        store_put_begin(&s->ask.call, s->store, load_ask_params(&s->ask), &load_ask_source);

    store_put_params_set_size(p, load_blob_size(s->blob));
    if (s->declared) {
        store_put_params_set_digest(p, capnp_data(load_blob_digest(s->blob), SHA256_BYTES));
    }
    load_ask_send(&s->ask, s->store, then);
}

static void put(struct session *s, void (*then)(struct session *s)) REQUIRES(LOOP)
{
    s->blob = (int)load_choice(s, STORE_LOAD_BLOBS);
    s->at = 0;
    s->again = false;
    s->declared = STORE_LOAD_RESUME && then != ahead_ended; /* who writes ahead does not know where it stands */
    load_session_say(s, "? bind %d %d", s->key, s->blob);
    put_ask(s, then);
}

/* Its upload went on without this session, perhaps: another that asked for the same has it too. */
static void put_again(struct session *s)
{
    load_op_drop(s);
    s->again = true;
    s->failed = false;
    s->one_failed = false;
    s->under_way = 1;
    s->finish = NULL;
    put_ask(s, put_begun);
}

void load_put(struct session *s)
{
    put(s, put_begun);
}

void load_put_in_vain(struct session *s)
{
    put(s, put_begun_in_vain);
}

void load_put_ahead(struct session *s)
{
    put(s, ahead_ended);
    write_ahead(s);
}
