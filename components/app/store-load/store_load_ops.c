/* SPDX-License-Identifier: MIT OR Apache-2.0
 * store_load_ops.c: what a session does: puts a blob and names it, looks a name up and reads what it means, at once or after a
 * while, removes a name, renames one, gives an upload up half-way, writes to an upload that it does not have yet, asks and does not
 * want to know.
 */
#include <string.h>
#include "lib/store/store.capnp.h"
#include "store_load.h"

static void drop(struct session *s) REQUIRES(LOOP)
{
    object_put(s->object);
    s->object = NULL;
}

static struct capnp_text key_text(const struct session *s)
{
    static const char *const names[] = {"/a", "/a/b", "/c with a space", "/d", "/a/b/e", "/f"};
    static char other[] = "/key/00";
    int key = s->key + STORE_LOAD_FIRST_KEY;

    if ((size_t)key < sizeof names / sizeof names[0]) {
        return capnp_text(names[key]);
    }
    other[5] = (char)('0' + key / 10);
    other[6] = (char)('0' + key % 10);
    return capnp_text(other);
}

bool load_op_gave_up(struct session *s, bool effect)
{
    if (!s->failed) {
        return false;
    }
    drop(s);
    if (s->why != EXCEPTION_DISCONNECTED) {
        load_session_say(s, effect && s->why != EXCEPTION_OVERLOADED ? "~" : "!"); /* a disk may fail after it wrote */
        load_op_ended(s);
        return true;
    }
    load_session_say(s, effect ? "~" : "!");
    load_session_lost(s);
    return true;
}

/* --- put and bind ---------------------------------------------------------------------------------------------------- */

static void remove_name(struct session *s) REQUIRES(LOOP);

/* The next part of what is more than one operation. */
static void part_begin(struct session *s, int key)
{
    s->op++;
    s->ops++;
    s->key = key;
}

static void bound(struct session *s) REQUIRES(LOOP)
{
    struct capnp_data previous;

    if (load_op_gave_up(s, true)) {
        return;
    }
    previous = namespace_bind_results_get_previous(namespace_bind_answer(&s->ask.call));
    if (previous.size != 0 && load_blob_of(previous) == NO_BLOB) {
        load_session_fail(s, "bind gives a previous digest that nobody put");
    }
    load_session_say(s, "= bind %d %d %d", s->key, s->blob, previous.size != 0 ? load_blob_of(previous) : NO_BLOB);
    if (s->old_key == NO_KEY) {
        load_op_ended(s);
        return;
    }
    part_begin(s, s->old_key);
    remove_name(s);
}

static void bind(struct session *s) REQUIRES(LOOP)
{
    struct namespace_bind_params_builder p =
        namespace_bind_begin(&s->ask.call, s->names, load_ask_params(&s->ask), &load_ask_source);

    namespace_bind_params_set_name(p, key_text(s));
    namespace_bind_params_set_digest(p, capnp_data(load_blob_digest(s->blob), SHA256_BYTES));
    load_ask_send(&s->ask, s->names, bound);
}

static void write_some(struct session *s, struct ask *a) REQUIRES(LOOP);
static void put_step(struct session *s) REQUIRES(LOOP);

static struct ask *ask_idle(struct session *s)
{
    return s->ask.then == NULL ? &s->ask : &s->ahead;
}

/* What may go out, goes: the next bytes, and the finish right behind the last of them. */
static void put_go_on(struct session *s) REQUIRES(LOOP)
{
    while (s->under_way < s->window && s->finish == NULL && !s->one_failed) {
        struct ask *a = ask_idle(s);
        s->under_way++;
        if (s->at < load_blob_size(s->blob)) {
            write_some(s, a);
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
    }
    s->under_way--;
    s->failed = s->one_failed;
    s->why = s->one_why;
    return s->under_way == 0;
}

static void finished(struct session *s) REQUIRES(LOOP)
{
    if (s->failed && s->one_odd) {
        load_session_fail(s, "an upload is refused, and neither room nor the disk is why");
    }
    if (load_op_gave_up(s, false)) {
        return;
    }
    if (load_blob_of(upload_finish_results_get_digest(upload_finish_answer(&s->finish->call))) != s->blob) {
        load_session_fail(s, "finish gives another digest than the blob's");
    }
    drop(s);
    bind(s);
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

static void write_some(struct session *s, struct ask *a)
{
    uint32_t left = load_blob_size(s->blob) - (uint32_t)s->at;
    uint32_t n = left < CHUNK ? left : CHUNK;
    struct byte_sink_write_params_builder p =
        byte_sink_write_begin(&a->call, s->object, load_ask_params(a), &load_ask_source);
    struct capnp_bytes bytes = byte_sink_write_params_init_chunk(p, n);

    ASSERT(bytes.size == n);
    load_blob_fill(s->blob, s->at, bytes.bytes, n);
    s->at += n;
    load_ask_send(a, s->object, put_step);
}

/* Half of it is enough: the rest never comes. */
static void abandon(struct session *s) REQUIRES(LOOP)
{
    if (load_op_gave_up(s, false)) {
        return;
    }
    drop(s);
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
    drop(s); /* a promise of it */
    s->object = object_get(upload);
    return true;
}

static void put_begun(struct session *s) REQUIRES(LOOP)
{
    if (upload_given(s)) {
        s->under_way = 0;
        put_go_on(s);
    }
}

static void put_begun_in_vain(struct session *s) REQUIRES(LOOP)
{
    if (!upload_given(s)) {
        return;
    }
    struct byte_sink_write_params_builder p =
        byte_sink_write_begin(&s->ask.call, s->object, load_ask_params(&s->ask), &load_ask_source);
    struct capnp_bytes bytes = byte_sink_write_params_init_chunk(p, load_blob_size(s->blob) < 64 ? 0 : 64);
    load_blob_fill(s->blob, 0, bytes.bytes, bytes.size);
    load_ask_send(&s->ask, s->object, abandon);
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
    uint32_t size = load_blob_size(s->blob) < CHUNK ? load_blob_size(s->blob) : CHUNK;

    if (s->connection == NULL || !s->ask.call.out) {
        return;
    }
    s->object = vat_pipeline(&s->ask.call, &upload, 1);
    if (s->object == NULL) {
        return;
    }
    s->under_way++;
    s->at = size;
    struct byte_sink_write_params_builder p =
        byte_sink_write_begin(&s->ahead.call, s->object, load_ask_params(&s->ahead), &load_ask_source);
    struct capnp_bytes bytes = byte_sink_write_params_init_chunk(p, size);
    load_blob_fill(s->blob, 0, bytes.bytes, bytes.size);
    load_ask_send(&s->ahead, s->object, ahead_ended);
}

static void put(struct session *s, void (*then)(struct session *s)) REQUIRES(LOOP)
{
    s->blob = (int)load_choice(s, STORE_LOAD_BLOBS);
    s->at = 0;
    load_session_say(s, "? bind %d %d", s->key, s->blob);
    struct store_put_params_builder p =
        store_put_begin(&s->ask.call, s->store, load_ask_params(&s->ask), &load_ask_source);
    store_put_params_set_size(p, load_blob_size(s->blob));
    load_ask_send(&s->ask, s->store, then);
}

/* --- look up and read ------------------------------------------------------------------------------------------------ */

static void read_ended(struct session *s) REQUIRES(LOOP)
{
    uint8_t digest[SHA256_BYTES];

    sha256_final(&s->hash, digest);
    if (s->at != load_blob_size(s->blob) || memcmp(digest, load_blob_digest(s->blob), SHA256_BYTES) != 0) {
        load_session_fail(s, "a blob comes back with other bytes");
    }
    drop(s);
    load_op_ended(s);
}

/* What a lookup found may be gone when it is asked for, if others are at work; not in the audit. */
static bool read_failed(struct session *s) REQUIRES(LOOP)
{
    if (!s->failed) {
        return false;
    }
    drop(s);
    if (s->why == EXCEPTION_DISCONNECTED) {
        load_session_lost(s);
        return true;
    }
    if (s->audit && s->why == EXCEPTION_FAILED) {
        load_session_cannot_read(s);
    }
    load_op_ended(s);
    return true;
}

static void read_next(struct session *s);

static void read_more(struct session *s)
{
    room_assert_loop();
    struct byte_source_read_params_builder p =
        byte_source_read_begin(&s->ask.call, s->object, load_ask_params(&s->ask), &load_ask_source);

    byte_source_read_params_set_offset(p, s->at);
    byte_source_read_params_set_limit(p, CHUNK);
    load_ask_send(&s->ask, s->object, read_next);
}

static void read_next(struct session *s) REQUIRES(LOOP)
{
    struct capnp_data chunk;

    if (s->failed && s->missing) {
        load_session_fail(s, "a blob is gone while somebody has it");
    }
    if (read_failed(s)) {
        return;
    }
    chunk = byte_source_read_results_get_chunk(byte_source_read_answer(&s->ask.call));
    sha256_update(&s->hash, chunk.bytes, chunk.size);
    s->at += chunk.size;
    if (chunk.size == 0) {
        read_ended(s);
    } else {
        read_more(s);
    }
}

static void source_given(struct session *s) REQUIRES(LOOP)
{
    if (read_failed(s)) {
        return;
    }
    struct object *source = store_get_results_get_blob(store_get_answer(&s->ask.call));
    if (source == NULL) {
        load_session_fail(s, "get gives no blob");
        return;
    }
    s->object = object_get(source);
    s->at = 0;
    sha256_init(&s->hash);
    if (s->audit) {
        read_more(s);
    } else {
        load_session_pause(s, read_more); /* meanwhile others remove it, and put something else */
    }
}

/* In the audit: a blob that is not there is none; one that is must be whole, whether a name means it or not. */
static void blob_given(struct session *s) REQUIRES(LOOP)
{
    if (s->failed && s->why == EXCEPTION_FAILED) {
        drop(s);
        load_op_ended(s);
    } else {
        source_given(s);
    }
}

static void blob_get(struct session *s, void (*then)(struct session *s)) REQUIRES(LOOP)
{
    struct store_get_params_builder p =
        store_get_begin(&s->ask.call, s->store, load_ask_params(&s->ask), &load_ask_source);

    store_get_params_set_digest(p, capnp_data(load_blob_digest(s->blob), SHA256_BYTES));
    load_ask_send(&s->ask, s->store, then);
}

void load_op_read(struct session *s)
{
    blob_get(s, blob_given);
}

/* What was found gets another name; then the old one goes. In between others see both. */
static void rename_to(struct session *s) REQUIRES(LOOP)
{
    part_begin(s, (int)load_choice(s, STORE_LOAD_KEYS));
    load_session_say(s, "? bind %d %d", s->key, s->blob);
    bind(s);
}

static void looked_up(struct session *s) REQUIRES(LOOP)
{
    if (load_op_gave_up(s, false)) {
        return;
    }
    struct namespace_lookup_results_reader r = namespace_lookup_answer(&s->ask.call);
    bool present = namespace_lookup_results_get_present(r);
    s->blob = present ? load_blob_of(namespace_lookup_results_get_digest(r)) : NO_BLOB;
    if (present && s->blob == NO_BLOB) {
        load_session_fail(s, "lookup gives a digest that nobody put");
        return;
    }
    load_session_say(s, "= lookup %d %d", s->key, s->blob);
    if (!present) {
        load_op_ended(s);
        return;
    }
    if (s->old_key != NO_KEY) {
        rename_to(s);
        return;
    }
    blob_get(s, source_given);
}

void load_op_look(struct session *s)
{
    load_session_say(s, "? lookup %d", s->key);
    struct namespace_lookup_params_builder p =
        namespace_lookup_begin(&s->ask.call, s->names, load_ask_params(&s->ask), &load_ask_source);
    namespace_lookup_params_set_name(p, key_text(s));
    load_ask_send(&s->ask, s->names, looked_up);
}

/* Asks, and takes the question back at once: it never happened, or nobody hears of it. */
static void not_wanted(struct session *s) REQUIRES(LOOP)
{
    if (s->failed && s->why == EXCEPTION_DISCONNECTED) {
        load_session_say(s, "!");
        load_session_lost(s);
        return;
    }
    load_session_say(s, "!");
    load_op_ended(s);
}

static void look_in_vain(struct session *s) REQUIRES(LOOP)
{
    load_session_say(s, "? lookup %d", s->key);
    struct namespace_lookup_params_builder p =
        namespace_lookup_begin(&s->ask.call, s->names, load_ask_params(&s->ask), &load_ask_source);
    namespace_lookup_params_set_name(p, key_text(s));
    load_ask_send(&s->ask, s->names, not_wanted);
    call_cancel(&s->ask.call);
}

/* --- remove ---------------------------------------------------------------------------------------------------------- */

static void removed(struct session *s) REQUIRES(LOOP)
{
    if (load_op_gave_up(s, true)) {
        return;
    }
    bool was = namespace_remove_results_get_removed(namespace_remove_answer(&s->ask.call));
    load_session_say(s, "= remove %d %d", s->key, was);
    load_op_ended(s);
}

static void remove_name(struct session *s) REQUIRES(LOOP)
{
    load_session_say(s, "? remove %d", s->key);
    struct namespace_remove_params_builder p =
        namespace_remove_begin(&s->ask.call, s->names, load_ask_params(&s->ask), &load_ask_source);
    namespace_remove_params_set_name(p, key_text(s));
    load_ask_send(&s->ask, s->names, removed);
}

enum op { OP_PUT, OP_PUT_IN_VAIN, OP_REMOVE, OP_LOOK_IN_VAIN, OP_RENAME, OP_LOOK, OP_PUT_AHEAD, OPS };

static enum op op_choose(struct session *s) REQUIRES(LOOP)
{
    static const uint8_t weighted[10] = {OP_PUT,       OP_PUT,          OP_PUT,    OP_PUT_IN_VAIN, OP_REMOVE,
                                         OP_PUT_AHEAD, OP_LOOK_IN_VAIN, OP_RENAME, OP_LOOK,        OP_LOOK};

    /* Whoever types goes through all kinds; without a connection the last would be OP_PUT once more. */
    return (enum op)load_choice_weighted(s, weighted, sizeof weighted, s->connection != NULL ? OPS : OP_PUT_AHEAD);
}

void load_op_begin(struct session *s)
{
    s->failed = false;
    if (STORE_LOAD_SCRUB && load_choice(s, 10) == 0) {
        load_scrub_begin(s);
        return;
    }
    if (STORE_LOAD_FILES > 0 && load_choice(s, 2) == 1) {
        load_file_begin(s);
        return;
    }
    s->key = (int)load_choice(s, STORE_LOAD_KEYS);
    s->under_way = 1;
    s->window = s->connection == NULL ? 2 : 1 + (unsigned)(load_session_random(s) % 2);
    s->finish = NULL;
    s->one_failed = false;
    s->old_key = NO_KEY;
    switch (op_choose(s)) {
    case OP_PUT:
        put(s, put_begun);
        return;
    case OP_PUT_IN_VAIN:
        put(s, put_begun_in_vain);
        return;
    case OP_REMOVE:
        remove_name(s);
        return;
    case OP_PUT_AHEAD:
        put(s, ahead_ended);
        write_ahead(s);
        return;
    case OP_LOOK_IN_VAIN:
        look_in_vain(s);
        return;
    case OP_RENAME:
        s->old_key = s->key;
        load_op_look(s);
        return;
    default:
        load_op_look(s);
        return;
    }
}
