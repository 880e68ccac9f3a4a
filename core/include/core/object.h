/* SPDX-License-Identifier: MIT OR Apache-2.0
 * object.h: what a capability designates, and a call on it.
 *
 * The caller cannot tell where the object lives: on this loop, behind a ring, in another image. All of it runs in LOOP.
 *
 *  A call's life:   asker                       server (object_ops.call)
 *    object_call(target, call) ------------->   reads params, now or later; builds results in place
 *    source->returned(call) <----------------   call_return(call)      exactly one of the two,
 *    source->failed(call, type, reason) <----   call_fail(call, ...)   exactly once
 *    call_cancel(call) --------------------->   server->cancelled(call), if it set one: return soon; results are dropped
 *
 *  (1) Every call is returned exactly once, cancelled or not. The asker's memory is the server's until then.
 *  (2) The target is referenced for as long as the call is out.
 *  (3) Params are borrowed from the asker until the return. They are an allegation: bounds are checked by the readers,
 *      and `malformed` on the message is looked at by the generated dispatch before the handler's effects (see capnp.h).
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "core/assert.h"
#include "core/list.h"
#include "core/message.h"
#include "core/room.h"
#include "core/status.h"

struct object;
struct call;

struct object_ops {
    void (*call)(struct object *self, struct call *call); /* LOOP; never blocks; returns the call now or later */
    void (*dead)(struct object *self);                    /* LOOP; the last reference is gone. NULL: static object */
};

/* Keys: [I] fixed after init  [L] the owning loop only */
struct object {
    const struct object_ops *ops; /* [I] */
    uint32_t references;          /* [L] */
};

/* Starts with one reference, the maker's. */
static inline void object_init(struct object *object, const struct object_ops *ops)
{
    object->ops = ops;
    object->references = 1;
}
static inline struct object *object_get(struct object *object)
{
    ASSERT(object->references > 0 && object->references < UINT32_MAX);
    object->references++;
    return object;
}
/* NULL is nothing. May call ops->dead. LOOP. */
void object_put(struct object *object) REQUIRES(LOOP);

/* As rpc.capnp's Exception.Type: chosen by what the caller does next. */
enum exception {
    EXCEPTION_FAILED = 0,        /* it did not work; asking again the same way will not help */
    EXCEPTION_OVERLOADED = 1,    /* a bound is reached; try again later */
    EXCEPTION_DISCONNECTED = 2,  /* the object's home is gone; get a new capability */
    EXCEPTION_UNIMPLEMENTED = 3, /* no such method here */
};

#define CALL_REASON_MAX 160u /* bytes of an exception's reason, NUL included */

struct call_source { /* the asker's side */
    /* Where the results' content pointer shall stand; room for about `words` (a hint). Called at most once a call.
     * On exhaustion gives a payload whose message is marked failed. */
    struct payload (*results)(struct call *call, uint32_t words);
    void (*returned)(struct call *call);
    void (*failed)(struct call *call, enum exception type, const char *reason); /* reason borrowed for the call */
};

/* Keys: [I] fixed while out  [L] the owning loop only */
struct call {
    struct object *target;                /* [I] referenced while out */
    uint64_t interface_id;                /* [I] */
    uint16_t method_id;                   /* [I] */
    bool out;                             /* [L] between object_call and the return */
    bool cancel_wanted;                   /* [L] the asker no longer cares */
    bool results_begun;                   /* [L] */
    struct payload params;                /* [I] */
    struct payload results;               /* [L] valid when results_begun */
    const struct call_source *source;     /* [I] */
    void (*cancelled)(struct call *call); /* [L] the server's, or NULL */
    void *server;                         /* [L] the server's own while it has the call */
    struct list node;                     /* [L] the server's own: to queue the call */
};

/* Sends it. The asker has filled target (borrowed: a reference is taken), ids, params, source. May return before this
 * function does. */
void object_call(struct object *target, struct call *call) REQUIRES(LOOP);
/* Hands a call that this server has on to another object, as if it had been sent there; this server is done with it. The
 * server's results must not have begun. A call whose asker cancelled it meanwhile is passed on cancelled. */
void call_pass(struct call *call, struct object *target) REQUIRES(LOOP);
struct payload call_results(struct call *call, uint32_t words) REQUIRES(LOOP);
/* With results not begun, core begins them (a null content pointer, which reads as an empty struct), so `returned` always
 * finds results. Results that failed to fit become an `overloaded` exception: after `failed` the source drops what was
 * begun. The call is in no list of the server's any more (asserted). */
void call_return(struct call *call) REQUIRES(LOOP);
/* printf-like reason, cut at CALL_REASON_MAX. */
void call_fail(struct call *call, enum exception type, const char *format, ...) REQUIRES(LOOP)
    __attribute__((format(printf, 3, 4)));
/* call_fail with the exception and words that belong to a status. */
void call_fail_status(struct call *call, status_t status, const char *what) REQUIRES(LOOP);
void call_cancel(struct call *call) REQUIRES(LOOP);
