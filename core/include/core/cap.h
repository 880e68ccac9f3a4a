/* SPDX-License-Identifier: MIT OR Apache-2.0
 * cap.h: capability tables: from a number that a caller says to an object that it may use.
 *
 * A cap_t is an allegation: slot in the low 32 bits, generation in the high 32. The table is the only proof. Tables belong
 * to one domain (a component, a thread group, a session) and to one loop.
 *
 *  (1) A slot's generation changes when it is emptied and at no other time. Generation 0 is never issued: cap 0 is none.
 *  (2) A derived capability has a subset of its parent's rights and dies with the same or an earlier epoch.
 *  (3) A revoked capability stays in its slot and answers ST_STALE until it is dropped.
 */
#pragma once
#include <stdint.h>
#include "core/object.h"
#include "core/room.h"
#include "core/status.h"

typedef uint64_t cap_t;
#define CAP_NONE 0ull

enum cap_right {
    CAP_CALL = 1u << 0,                       /* call methods */
    CAP_COPY = 1u << 1,                       /* give a copy to another domain */
    CAP_MOVE = 1u << 2,                       /* give itself away */
    CAP_SERVE = 1u << 3,                      /* receive the calls of an endpoint (core/ring.h) */
    CAP_ALL = CAP_CALL | CAP_COPY | CAP_MOVE, /* what a client has; never CAP_SERVE */
};

/* Whoever hands out a capability and may want it back keeps one of these. Bumping `epoch` revokes all that was derived
 * through it, in one step. */
struct cap_revoker {
    uint32_t epoch; /* [L] */
};

/* Keys: [L] the owning loop only */
struct cap_slot {
    struct object *object;             /* [L] one reference; NULL: free */
    const struct cap_revoker *revoker; /* [L] or NULL: not revocable */
    uint32_t epoch;                    /* [L] of the revoker when it was derived */
    uint32_t generation;               /* [L] */
    uint32_t rights;                   /* [L] */
    uint32_t free_next;                /* [L] index + 1; 0: the last */
};

struct cap_table {
    const char *domain;    /* [I] "rpc/vat" */
    struct cap_slot *slot; /* [I] size entries */
    uint32_t size;         /* [I] */
    uint32_t used;         /* [L] */
    uint32_t free_head;    /* [L] index + 1 of the slot that is taken next; 0: none */
    uint32_t free_tail;    /* [L] index + 1: emptied slots queue up, so that a number comes back as late as possible */
};

void cap_table_init(struct cap_table *table, const char *domain, struct cap_slot *slots, uint32_t size);
/* Puts an object (a reference is taken) with rights. ST_FULL. */
status_t cap_insert(struct cap_table *table, struct object *object, uint32_t rights, const struct cap_revoker *revoker,
                    cap_t *cap) REQUIRES(LOOP);
/* Borrowed until the loop's next call that could drop it. ST_STALE: never, no longer, revoked. ST_DENIED: a right lacks. */
status_t cap_lookup(struct cap_table *table, cap_t cap, uint32_t rights, struct object **object) REQUIRES(LOOP);
/* As cap_lookup, for a message, which carries objects only: whoever gets it will have CAP_ALL, for good. ST_DENIED: this one has
 * less, or hangs on a revoker, so (2) would not hold. */
status_t cap_pass(struct cap_table *table, cap_t cap, struct object **object) REQUIRES(LOOP);
/* Gives a copy with at most `rights` to another table. Needs CAP_COPY. The copy hangs on `revoker`, or, NULL, on what the
 * original hangs on; both at once is ST_UNSUPPORTED, since (2) would not hold. */
status_t cap_copy(struct cap_table *from, cap_t cap, struct cap_table *to, uint32_t rights,
                  const struct cap_revoker *revoker, cap_t *result) REQUIRES(LOOP);
/* Needs CAP_MOVE. Gone from here, there afterwards, or nothing changed. */
status_t cap_move(struct cap_table *from, cap_t cap, struct cap_table *to, cap_t *result) REQUIRES(LOOP);
status_t cap_drop(struct cap_table *table, cap_t cap) REQUIRES(LOOP);
void cap_revoke(struct cap_revoker *revoker) REQUIRES(LOOP);
/* Drops everything, a bounded number a call; true when empty. */
bool cap_table_clear(struct cap_table *table, unsigned most) REQUIRES(LOOP);

/* What the profile grants; generated as caps.c. */
struct initial_cap {
    const char *domain;              /* component that holds it */
    const char *name;                /* its name for it */
    const char *provider;            /* "svc/echo.echo" */
    struct object *(*provide)(void); /* BOOT; NULL for grants that are not Cap'n Proto objects (C contracts) */
};
extern const struct initial_cap initial_caps[];
extern const unsigned initial_caps_count;

/* Room that a domain's table has for capabilities that it gets while it runs. */
#define DOMAIN_CAPS_SPARE 64u
