/* SPDX-License-Identifier: MIT OR Apache-2.0
 * store_load_files.c: what a session does with files: each is a row of records, whose borders are not those of blocks; a record is
 * written whole, read whole, and cut off with all behind it. To the checker each record is a name of its own, from FIRST_KEY on:
 * writing is bind, reading lookup, and being cut off remove, of which nobody says what was there before.
 */
#include <string.h>
#include "lib/store/store.capnp.h"
#include "store_load.h"

#define FIRST_KEY 32
#define RECORDS 8u
#define RECORD 1500u
_Static_assert(FIRST_KEY + STORE_LOAD_FILES * (int)RECORDS <= 64, "as many names as the checker has");
_Static_assert(RECORD <= CHUNK, "a write has one record");

int load_file_keys(void)
{
    return STORE_LOAD_FILES * (int)RECORDS;
}

static unsigned record_of(const struct session *s)
{
    return (unsigned)(s->key - FIRST_KEY) % RECORDS;
}

static struct capnp_text path_of(const struct session *s)
{
    static char path[] = "file-00";
    unsigned file = (unsigned)(s->key - FIRST_KEY) / RECORDS + STORE_LOAD_FIRST_KEY;

    path[5] = (char)('0' + file / 10);
    path[6] = (char)('0' + file % 10);
    return capnp_text(path);
}

/* What the bytes of a record are; NO_BLOB: zeros. False: none of it. */
static bool record_value(struct capnp_data bytes, int *value)
{
    uint8_t right[RECORD] = {0};

    for (*value = NO_BLOB; *value < STORE_LOAD_BLOBS; ++*value) {
        if (*value != NO_BLOB) {
            load_blob_fill(*value, 0, right, RECORD);
        }
        if (memcmp(bytes.bytes, right, bytes.size) == 0) {
            return true;
        }
    }
    return false;
}

static void open_file(struct session *s, enum directory_mode mode, void (*then)(struct session *s)) REQUIRES(LOOP)
{
    struct directory_open_params_builder p =
        directory_open_begin(&s->ask.call, s->root, load_ask_params(&s->ask), &load_ask_source);

    directory_open_params_set_path(p, path_of(s));
    directory_open_params_set_mode(p, mode);
    directory_open_params_set_create(p, mode == DIRECTORY_MODE_WRITE && s->blob != NO_BLOB ? DIRECTORY_CREATE_IF_MISSING
                                                                                           : DIRECTORY_CREATE_NEVER);
    load_ask_send(&s->ask, s->root, then);
}

/* False: there is none, and the operation is over. */
static bool file_given(struct session *s) REQUIRES(LOOP)
{
    struct object *file = directory_open_results_get_file(directory_open_answer(&s->ask.call));

    if (file == NULL) {
        load_session_fail(s, "open gives no file");
        return false;
    }
    s->object = object_get(file);
    return true;
}

/* --- write ----------------------------------------------------------------------------------------------------------- */

static void written(struct session *s) REQUIRES(LOOP)
{
    if (load_op_gave_up(s, true)) {
        return;
    }
    load_op_drop(s);
    load_session_say(s, "= bind %d %d -2", s->key, s->blob);
    load_op_ended(s);
}

static void write_opened(struct session *s) REQUIRES(LOOP)
{
    if (load_op_gave_up(s, false) || !file_given(s)) {
        return;
    }
    struct file_write_params_builder p =
        file_write_begin(&s->ask.call, s->object, load_ask_params(&s->ask), &load_ask_source);
    file_write_params_set_offset(p, (uint64_t)record_of(s) * RECORD);
    struct capnp_bytes bytes = file_write_params_init_bytes(p, RECORD);
    ASSERT(bytes.size == RECORD);
    load_blob_fill(s->blob, 0, bytes.bytes, RECORD);
    load_ask_send(&s->ask, s->object, written);
}

/* --- read ------------------------------------------------------------------------------------------------------------ */

static bool read_failed(struct session *s) REQUIRES(LOOP)
{
    if (s->failed && s->audit && s->why == EXCEPTION_FAILED) {
        load_session_cannot_read(s);
    }
    return load_op_gave_up(s, false);
}

static void saw(struct session *s, int value) REQUIRES(LOOP)
{
    load_session_say(s, "= lookup %d %d", s->key, value);
    load_op_ended(s);
}

static void read_ended(struct session *s) REQUIRES(LOOP)
{
    int value;

    if (read_failed(s)) {
        return;
    }
    struct capnp_data bytes = byte_source_read_results_get_chunk(byte_source_read_answer(&s->ask.call));
    bool known = (bytes.size == 0 || bytes.size == RECORD) && record_value(bytes, &value);
    if (!known) {
        load_session_fail(s, "a record comes back torn");
        value = NO_BLOB;
    }
    load_op_drop(s);
    saw(s, value);
}

static void read_opened(struct session *s) REQUIRES(LOOP)
{
    if (s->failed && s->missing) {
        saw(s, NO_BLOB);
        return;
    }
    if (load_op_gave_up(s, false) || !file_given(s)) {
        return;
    }
    struct byte_source_read_params_builder p =
        byte_source_read_begin(&s->ask.call, s->object, load_ask_params(&s->ask), &load_ask_source);
    byte_source_read_params_set_offset(p, (uint64_t)record_of(s) * RECORD);
    byte_source_read_params_set_limit(p, RECORD);
    load_ask_send(&s->ask, s->object, read_ended);
}

static void look(struct session *s) REQUIRES(LOOP)
{
    load_session_say(s, "? lookup %d", s->key);
    s->blob = NO_BLOB;
    open_file(s, DIRECTORY_MODE_READ, read_opened);
}

void load_file_look(struct session *s, int n)
{
    s->key = FIRST_KEY + n;
    look(s);
}

/* --- cut, remove: all records from this one on ----------------------------------------------------------------------- */

/* Each is an operation of its own; the last of them has the session's number. */
static void say_each(struct session *s, const char *format) REQUIRES(LOOP)
{
    unsigned records = RECORDS - record_of(s);
    int key = s->key;

    s->op -= records - 1;
    for (unsigned i = 0; i < records; i++) {
        load_session_say(s, format, s->key);
        s->key++;
        s->op++;
    }
    s->op--;
    s->key = key;
}

static bool cut_gave_up(struct session *s, bool effect) REQUIRES(LOOP)
{
    if (!s->failed) {
        return false;
    }
    say_each(s, effect && s->why != EXCEPTION_OVERLOADED ? "~" : "!");
    load_op_drop(s);
    if (s->why == EXCEPTION_DISCONNECTED) {
        load_session_lost(s);
    } else {
        load_op_ended(s);
    }
    return true;
}

static void cut(struct session *s) REQUIRES(LOOP)
{
    if (cut_gave_up(s, true)) {
        return;
    }
    load_op_drop(s);
    say_each(s, "= remove %d -2");
    load_op_ended(s);
}

static void cut_opened(struct session *s) REQUIRES(LOOP)
{
    if (cut_gave_up(s, false) || !file_given(s)) {
        return;
    }
    file_truncate_params_set_size(
        file_truncate_begin(&s->ask.call, s->object, load_ask_params(&s->ask), &load_ask_source),
        (uint64_t)record_of(s) * RECORD);
    load_ask_send(&s->ask, s->object, cut);
}

static void cut_begin(struct session *s, bool all) REQUIRES(LOOP)
{
    unsigned more = RECORDS - record_of(s) - 1;

    s->op += more;
    s->ops += more;
    s->blob = NO_BLOB;
    say_each(s, "? remove %d");
    if (!all) {
        open_file(s, DIRECTORY_MODE_WRITE, cut_opened);
        return;
    }
    directory_remove_params_set_path(
        directory_remove_begin(&s->ask.call, s->root, load_ask_params(&s->ask), &load_ask_source), path_of(s));
    load_ask_send(&s->ask, s->root, cut);
}

/* --- which ----------------------------------------------------------------------------------------------------------- */

enum op { OP_WRITE, OP_READ, OP_CUT, OP_REMOVE, OPS };

void load_file_begin(struct session *s)
{
    static const uint8_t weighted[10] = {OP_WRITE, OP_WRITE, OP_WRITE, OP_WRITE, OP_WRITE,
                                         OP_READ,  OP_READ,  OP_READ,  OP_CUT,   OP_REMOVE};

    s->key = FIRST_KEY + (int)load_choice(s, (unsigned)load_file_keys());
    switch ((enum op)load_choice_weighted(s, weighted, sizeof weighted, OPS)) {
    case OP_WRITE:
        s->blob = (int)load_choice(s, STORE_LOAD_BLOBS);
        load_session_say(s, "? bind %d %d", s->key, s->blob);
        open_file(s, DIRECTORY_MODE_WRITE, write_opened);
        return;
    case OP_CUT:
        cut_begin(s, false);
        return;
    case OP_REMOVE:
        s->key -= (int)record_of(s);
        cut_begin(s, true);
        return;
    default:
        look(s);
        return;
    }
}
