/* SPDX-License-Identifier: MIT OR Apache-2.0
 * cap_load.h: a workload on core's threads, rings and capability tables, for the simulator's fleets.
 *
 * What it says, for a checker that stands outside (test/sim/check_caps.c), a line each. T a thread, N its operation, D a domain,
 * C a number in its table, K an object, R rights, V a revoker (0: none), S a status, numbers all:
 *
 *      @ cap born D C K R            the loop put K into D's table
 *      @ cap copy D C D2 C2 R V S    the loop copied, with at most R, under V     these four at the moment when it is done
 *      @ cap move D C D2 C2 S        the loop moved
 *      @ cap revoke V                the loop revoked all that hangs on V
 *      @ cap ? T N call D C M X P    it will call method M with X, passing P (0: nothing)
 *      @ cap ? T N drop D C          it will release C
 *      @ cap ? T N ask               it will ask the broker, which says itself what it does
 *      @ cap x T N                   it will cancel N
 *      @ cap = T N S E X C           N has completed: E 1: with an exception; X what came back, C a capability that came (0: none)
 *      @ cap got T D C D2 C2         it received C with a call that was passed D2's C2
 *      @ cap leave T M               it ends; M operations that it has under way will not complete
 *      @ cap careless N M            they counted to M together, without care, and came to N: fewer, if stopped amid it
 *      @ cap rest NAME N M           when all is over: of NAME there are N, where M should be
 *      @ audit, @ done, @ fail TEXT  as every workload (test/sim/check.c)
 *
 * An object's answer to X is X * 16 + K: whoever called it can tell which it was.
 */
#pragma once
#include "config.h"
#include "core/loop.h"
#include "core/mem.h"
#include "core/object.h"
#include "core/thread.h"

#define INTERFACE 0xb5d19c0f2e3a4d61ull
#define DOMAINS (CAP_LOAD_THREADS / 2)
#define CELLS 3u          /* objects 0.. of the loop */
#define ENDPOINT_FIRST 8u /* and these are threads' */
#define REVOKERS 3u
#define KNOWN 12u    /* numbers that a domain's threads try */
#define CARELESS 32u /* counts an operation */
#define SLOTS 4u     /* entries that a thread has under way */

enum method {
    METHOD_ADD,   /* answers at once */
    METHOD_LATER, /* X us later */
    METHOD_NEVER, /* when it is cancelled */
    METHOD_FAIL,  /* an exception */
    METHOD_GIVE,  /* answers with a capability: the object's own; an endpoint's: what it was passed, or none */
    METHODS,
    /* of the broker */
    METHOD_BORN = 16,
    METHOD_COPY,
    METHOD_MOVE,
    METHOD_REVOKE,
    METHOD_DONE,
};

/* A message is a struct of four data words. */
enum { ROOT_WORD, VALUE_WORD, DOMAIN_WORD, CAP_WORD, MORE_WORD, WORDS };
#define ROOT 0x0000000400000000ull

/* --- shared by the threads of all domains; the loop writes here too ------------------------------------------------------ */

struct known {
    cap_t cap[KNOWN]; /* [a] a number that means something, or once did; each entry stands for itself */
};
extern struct known cap_load_known[DOMAINS];
/* Puts it where there is room, or for another: gives that one, CAP_NONE. */
cap_t cap_load_know(unsigned domain, cap_t cap, uint64_t random);
/* One of them; one in sixteen is none, and only looks like one. */
cap_t cap_load_pick(unsigned domain, uint64_t random);
/* It is not to be tried again, if it is still there. */
void cap_load_forget(unsigned domain, cap_t cap);
/* Counts one, by reading and writing with a branch between: what a thread does meanwhile that it is stopped for is lost. That is
 * how test/sim/edges.sh sees that threads are stopped where no point of the source stands. */
void cap_load_count_carelessly(uint64_t number);
/* What was counted, and what would have been with care. */
uint32_t cap_load_careless(void);
/* All threads are done but for serving. Any room. */
bool cap_load_over(void);

/* --- a thread ------------------------------------------------------------------------------------------------------------ */

enum what { WHAT_CALL, WHAT_DROP, WHAT_ASK, WHAT_RECV, WHAT_RETURN };

struct slot {
    bool out;
    bool cancelled;
    bool ends; /* by itself: it may be waited for without end */
    enum what what;
    uint64_t number; /* its user_data */
    unsigned target; /* domain of a number that an ASK gives */
};

/* Keys: [I] fixed after BOOT; the rest is the thread's own */
struct runner {
    unsigned number; /* [I] */
    unsigned domain; /* [I] */
    cap_t broker;    /* [I] */
    cap_t serves;    /* [I] its endpoint; CAP_NONE */
    uint64_t random;
    struct ring_shared *ring;
    struct slot slot[SLOTS]; /* the last receives, where it serves */
    uint64_t next;           /* operation's number */
    unsigned left;           /* operations to come */
    bool done;               /* told the broker */
    cap_t displaced;         /* to be dropped: no entry is left for it */
};
/* THREAD: what a thread does, a struct runner its context. */
void cap_load_run(struct ring_shared *ring, void *context);
uint64_t cap_load_random(struct runner *r);

/* cap_load_ops.c: begins one in a free slot. */
void cap_load_begin(struct runner *r, struct slot *slot) REQUIRES(THREAD);
void cap_load_receive(struct runner *r) REQUIRES(THREAD);
void cap_load_tell_done(struct runner *r, struct slot *slot) REQUIRES(THREAD);
void cap_load_cancel(struct runner *r, struct slot *slot) REQUIRES(THREAD);
/* A completion came. */
void cap_load_ended(struct runner *r, const struct ring_cqe *cqe) REQUIRES(THREAD);

/* --- the loop ------------------------------------------------------------------------------------------------------------ */

status_t cap_load_start(void) REQUIRES(BOOT);
/* cap_load_broker.c */
status_t cap_load_objects_start(void) REQUIRES(BOOT);
struct cap_table *cap_load_table(unsigned domain);
/* What a runner's domain begins with; fills broker, and serves for those that do. */
status_t cap_load_endow(struct runner *r) REQUIRES(BOOT);
