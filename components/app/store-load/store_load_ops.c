/* SPDX-License-Identifier: MIT OR Apache-2.0
 * store_load_ops.c: what a session does: puts a blob (store_load_put.c) and names it, looks a name up and reads what it means, at
 * once or after a while, removes a name, renames one, asks and does not want to know.
 */
#include <string.h>
#include "lib/store/store.capnp.h"
#include "store_load.h"

void load_op_drop(struct session *s)
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
    load_op_drop(s);
    if (s->why != EXCEPTION_DISCONNECTED) {
        load_session_say(s, effect && s->why != EXCEPTION_OVERLOADED ? "~" : "!"); /* a disk may fail after it wrote */
        load_op_ended(s);
        return true;
    }
    load_session_say(s, effect ? "~" : "!");
    load_session_lost(s);
    return true;
}

/* --- bind ------------------------------------------------------------------------------------------------------------ */

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

void load_op_bind(struct session *s)
{
    struct namespace_bind_params_builder p =
        namespace_bind_begin(&s->ask.call, s->names, load_ask_params(&s->ask), &load_ask_source);

    namespace_bind_params_set_name(p, key_text(s));
    namespace_bind_params_set_digest(p, capnp_data(load_blob_digest(s->blob), SHA256_BYTES));
    load_ask_send(&s->ask, s->names, bound);
}

/* --- look up and read ------------------------------------------------------------------------------------------------ */

static void read_ended(struct session *s) REQUIRES(LOOP)
{
    uint8_t digest[SHA256_BYTES];

    sha256_final(&s->hash, digest);
    if (s->at != load_blob_size(s->blob) || memcmp(digest, load_blob_digest(s->blob), SHA256_BYTES) != 0) {
        load_session_fail(s, "a blob comes back with other bytes");
    }
    load_op_drop(s);
    load_op_ended(s);
}

/* What a lookup found may be gone when it is asked for, if others are at work; not in the audit. */
static bool read_failed(struct session *s) REQUIRES(LOOP)
{
    if (!s->failed) {
        return false;
    }
    load_op_drop(s);
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
        load_op_drop(s);
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
    load_op_bind(s);
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
        load_put(s);
        return;
    case OP_PUT_IN_VAIN:
        load_put_in_vain(s);
        return;
    case OP_REMOVE:
        remove_name(s);
        return;
    case OP_PUT_AHEAD:
        load_put_ahead(s);
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
