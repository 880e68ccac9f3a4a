/* SPDX-License-Identifier: MIT OR Apache-2.0
 * rpc_load.h: a workload on remote calls, for simulated fleets: a home, and sessions that use it.
 *
 * A round of a session is a line of calls, all by one reference, which leads to an object here or at home through promises
 * that become known on the way. The calls of a line must arrive in order, whatever the reference has become meanwhile.
 *
 * What both sides say, for a checker that stands outside (test/sim/check_rpc.c), a line each; TAG and LINE are unique, N
 * counts from 1:
 *
 *      @ rpc > TAG LINE N       the call is sent
 *      @ rpc < TAG LINE N       it has reached its object
 *      @ rpc = TAG LINE N       it returned
 *      @ rpc ! TAG LINE N WHY   it failed: disconnected, overloaded, failed, unimplemented
 *      @ rpc x TAG LINE N       whoever sent it has cancelled it
 *      @ rpc b TAG LINE         a promise of this line will be broken
 *      @ rpc i TAG LINE         out of patience: something of this line did not return
 *      @ audit, @ done, @ fail  as of app/store-load
 */
#pragma once
#include "config.h"
#include "core/loop.h"
#include "core/object.h"
#include "lib/capnp/capnp.h"
#include "rpc/vat/vat.h"

#define ASK_WORDS 32u
#define ASKS 16u /* of a session at once */
#define HITS 10u /* of them, calls of its line */
#define LINE_CALLS_MAX 60u

struct session;
struct ask;

/* A call. Keys: all [L] */
struct ask {
    struct session *session;
    struct call call;
    struct message params, results;
    struct message_segment params_segment, results_segment;
    struct object *params_caps[1], *results_caps[1];
    uint64_t params_words[ASK_WORDS], results_words[ASK_WORDS];
    uint32_t number; /* of a hit, in the session's line; 0: it is none */
    bool used;       /* out, or being filled */
    bool cancelled;
    void (*then)(struct ask *a, bool failed); /* NULL: nothing hangs on it */
};

/* Keys: all [L] */
struct session {
    uint32_t tag;
    uint64_t random;
    struct vat_connection *connection; /* NULL: none */
    struct object *home;
    struct ask ask[ASKS];
    unsigned out;  /* of them */
    bool given_up; /* the connection is gone, or will be: this round asks for nothing more */
    struct timer timer, patience;
    void (*next)(struct session *s);
    unsigned round, rounds;
    bool audit;
    /* the round */
    struct object *line_end; /* what its calls go to */
    uint32_t line, hits;
    unsigned steps;
    uint32_t pace_ns; /* the longest pause between two of them */
    bool broken;      /* a promise of it will be */
    bool waiting;     /* nothing more is sent; when all is over here, it ends */
    unsigned looks;
};

/* rpc_load_ask.c */
uint64_t rpc_load_random(struct session *s);
/* NULL: all are out. */
struct ask *rpc_load_ask_new(struct session *s) REQUIRES(LOOP);
struct payload rpc_load_ask_params(struct ask *a);
extern const struct call_source rpc_load_ask_source;
/* What it was filled for goes out; it may be over when this returns. */
void rpc_load_ask_send(struct ask *a, struct object *target) REQUIRES(LOOP);
void rpc_load_ask_cancel(struct ask *a) REQUIRES(LOOP);
/* A hit of the session's line. */
void rpc_load_hit(struct session *s) REQUIRES(LOOP);

/* rpc_load_round.c */
void rpc_load_round_begin(struct session *s) REQUIRES(LOOP);
/* Something that was out has returned, or the connection is given up. */
void rpc_load_round_look(struct session *s) REQUIRES(LOOP);

/* rpc_load.c */
void rpc_load_later(struct session *s, void (*next)(struct session *s), uint64_t ns) REQUIRES(LOOP);
void rpc_load_round_ended(struct session *s) REQUIRES(LOOP);
/* The peer is gone: everything of its is given back. */
void rpc_load_disconnect(struct session *s) REQUIRES(LOOP);
void rpc_load_fail(const struct session *s, const char *what);

/* rpc_load_target.c */
/* To the console, not to the log: it is much, and a turn should be about calls. */
void rpc_load_say(char mark, uint32_t tag, uint32_t line, uint32_t call);
void rpc_load_say_failed(uint32_t tag, uint32_t line, uint32_t call, enum exception why);
void rpc_load_targets_init(void) REQUIRES(BOOT);
/* A new object for a line, with one reference. NULL: too many. */
struct object *rpc_load_target_new(uint32_t tag, uint32_t line) REQUIRES(LOOP);
unsigned rpc_load_targets_held(uint32_t tag, uint32_t line);
bool rpc_load_targets_any(void);
/* A number that no other image has, but for bad luck. */
extern uint32_t rpc_load_tag;

/* rpc_load_home.c */
void rpc_load_home_init(struct vat *vat) REQUIRES(BOOT);
struct object *rpc_load_home(void);

/* What waits, for a number of milliseconds. `over` gives it back. Keys: all [L] */
struct wait {
    struct timer timer;
    struct call *call;            /* that waits, or NULL */
    struct object *object;        /* a reference of its own, or NULL */
    struct object *promise;       /* the same */
    void (*over)(struct wait *w); /* the time is over */
    uint32_t number;
    bool broken;
};
/* NULL: too many; the call has failed `overloaded`. Cancelling the call ends it. */
struct wait *rpc_load_wait_new(struct call *call, void (*over)(struct wait *w)) REQUIRES(LOOP);
void rpc_load_wait_begin(struct wait *w, uint32_t wait_ms) REQUIRES(LOOP);
void rpc_load_wait_free(struct wait *w) REQUIRES(LOOP);
