/* SPDX-License-Identifier: MIT OR Apache-2.0
 * store_load.h: a workload on a store, for simulated and real fleets.
 *
 * What it says, for a checker that stands outside (test/sim/check_store.c), a line each, S the session, N its operation:
 *
 *      @ S N ? bind K B        it will make name K mean blob B      @ S N = bind K B P     done; before, K meant P (-1: nothing)
 *      @ S N ? lookup K                                             @ S N = lookup K B     K meant B (-1: nothing)
 *      @ S N ? remove K                                             @ S N = remove K R     R 1: it was there, 0: it was not
 *                                                                   P or R -2: nobody said what was there
 *      @ S N !                 refused: it had no effect            @ S N ~                nobody can know
 *      @ audit                 all operations are over; a while later it looks at everything
 *      @ done                  everything is done, and what was there at the end could be read whole
 *      @ fail TEXT             a promise was broken before its eyes
 *      @ lost TEXT             the store has it and cannot read it, and says so: a promise, unless the disk is to blame
 *
 * Blobs have numbers: what is in number B follows from B, so that whoever gets it back can tell whether it is whole.
 */
#pragma once
#include "config.h"
#include "core/loop.h"
#include "core/object.h"
#include "crypto/sha256/sha256.h"
#include "lib/capnp/capnp.h"
#include "rpc/vat/vat.h"

#define CHUNK (8u * 1024u)
#define ASK_WORDS (CHUNK / 8 + 64)
#define ASK_CAPS 2u
#define NO_BLOB (-1)
#define NO_KEY (-1)

struct session;

/* A call and what is done when it has ended. */
struct ask {
    struct session *session;
    struct call call;
    struct message params, results;
    struct message_segment params_segment, results_segment;
    struct object *params_caps[ASK_CAPS], *results_caps[ASK_CAPS];
    uint64_t params_words[ASK_WORDS], results_words[ASK_WORDS];
    void (*then)(struct session *s); /* NULL: no call is out */
};

/* Keys: all [L] */
struct session {
    unsigned number;
    uint64_t random;
    struct vat_connection *connection; /* NULL: none, or the store is this image's own */
    struct object *node, *store, *names;
    struct object *root;   /* with files */
    struct object *volume; /* with scrub */
    struct object *object; /* the upload or source of the operation */
    struct ask ask, ahead; /* the second: what goes out before the first has come back */
    unsigned under_way;    /* of the two */
    unsigned window;       /* how many of an upload's calls may be */
    struct ask *finish;    /* the one that has its finish; NULL: it was not sent */
    bool one_failed;
    enum exception one_why;
    bool one_odd, one_beside;
    enum exception why; /* the last call failed so */
    bool failed;
    bool missing;       /* and there is no such thing */
    bool odd;           /* and for a reason that neither the disk nor others at work can give an upload */
    bool beside;        /* but one that has another holder may meet */
    bool declared;      /* the put said the digest */
    bool again;         /* and was asked for once more */
    uint64_t from;      /* where the upload stood when it was given */
    struct timer timer; /* the next operation, or the end of this one's patience */
    void (*next)(struct session *s);
    void (*paused)(struct session *s); /* what goes on when a pause is over */
    unsigned op, ops;
    int key, blob;
    int old_key; /* a rename takes this name away at last; NO_KEY: it is none */
    uint64_t at; /* bytes done */
    bool audit;  /* all is done: only look */
    int look;    /* how far: names, blobs, records of files, the scrub and its end */
    struct sha256 hash;
};

/* store_load_ask.c */
/* The ask's params, to be filled by the generated NAME_begin(). */
struct payload load_ask_params(struct ask *a);
extern const struct call_source load_ask_source;
/* Sends it; `then` runs once it has ended, with s->failed and s->why. Params' and results' capabilities live until then. */
void load_ask_send(struct ask *a, struct object *target, void (*then)(struct session *s)) REQUIRES(LOOP);

/* store_load_blob.c: blob number `blob`, 0 to BLOBS - 1 */
uint32_t load_blob_size(int blob);
/* Bytes from `at` (a multiple of 8) on. */
void load_blob_fill(int blob, uint64_t at, uint8_t *bytes, uint32_t size);
const uint8_t *load_blob_digest(int blob);
/* The blob of this digest; NO_BLOB: there is none such. */
int load_blob_of(struct capnp_data digest);

/* store_load_files.c: one operation on a file; as many keys as files have records; looks at the nth of them. */
void load_file_begin(struct session *s) REQUIRES(LOOP);
int load_file_keys(void);
void load_file_look(struct session *s, int n) REQUIRES(LOOP);

/* store_load_scrub.c: has the store look for damage, if it does not; says what was found. */
void load_scrub_begin(struct session *s) REQUIRES(LOOP);
/* Until it does not look any more; and has the catalog checked. */
void load_scrub_wait(struct session *s) REQUIRES(LOOP);

/* store_load_ops.c: begins one operation; it ends by load_op_ended(), or by load_session_lost(). */
void load_op_begin(struct session *s) REQUIRES(LOOP);
/* Looks up key s->key and reads what it means. */
void load_op_look(struct session *s) REQUIRES(LOOP);

/* Names blob s->blob by key s->key. */
void load_op_bind(struct session *s) REQUIRES(LOOP);
/* Gives the upload, source or file back. */
void load_op_drop(struct session *s) REQUIRES(LOOP);

/* store_load_put.c: puts a blob and names it; gives it up half-way; writes before it is given where to. */
void load_put(struct session *s) REQUIRES(LOOP);
void load_put_in_vain(struct session *s) REQUIRES(LOOP);
void load_put_ahead(struct session *s) REQUIRES(LOOP);

/* The call failed: true, and the operation is over. `effect`: the call might have changed something. */
bool load_op_gave_up(struct session *s, bool effect) REQUIRES(LOOP);

/* Reads blob s->blob, if the store has it. */
void load_op_read(struct session *s) REQUIRES(LOOP);

/* store_load_choice.c */
/* A number below n. */
unsigned load_choice(struct session *s, unsigned n) REQUIRES(LOOP);
/* One of `kinds` kinds, as often as it stands among the `count` of `weighted`. */
unsigned load_choice_weighted(struct session *s, const uint8_t *weighted, unsigned count, unsigned kinds)
    REQUIRES(LOOP);
/* With `chosen`: `begin` runs when the console has said what to choose. False: it does not have to. */
bool load_choices_awaited(void (*begin)(void)) REQUIRES(BOOT);
/* With `chosen`: a line for each choice that was made. */
void load_choices_say(void) REQUIRES(LOOP);

/* store_load.c */
uint64_t load_session_random(struct session *s);
void load_session_say(const struct session *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A promise was broken. */
void load_session_fail(const struct session *s, const char *what);
/* The store says that it cannot read what it has. */
void load_session_cannot_read(const struct session *s);
void load_op_ended(struct session *s) REQUIRES(LOOP);
/* Amid an operation, with no call out: goes on a while later. */
void load_session_pause(struct session *s, void (*then)(struct session *s)) REQUIRES(LOOP);
/* The connection is of no use any more; a new one is made. */
void load_session_lost(struct session *s) REQUIRES(LOOP);
