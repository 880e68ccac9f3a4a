/* SPDX-License-Identifier: MIT OR Apache-2.0
 * rpc_load_target.c: objects that say what reaches them, and calls that wait.
 */
#include "app/rpc-load/rpc_load.capnp.h"
#include "core/diag.h"
#include "core/mem.h"
#include "rpc_load.h"

struct target {
    struct object object;
    uint32_t tag, line; /* for which it was made */
};

static struct {
    struct target target[RPC_LOAD_TARGETS]; /* [L] no reference: free */
    struct pool waits;
} self;

uint32_t rpc_load_tag;

void rpc_load_say(char mark, uint32_t tag, uint32_t line, uint32_t call)
{
    diag_print("@ rpc %c %x %u %u\n", mark, tag, line, call);
}

void rpc_load_say_failed(uint32_t tag, uint32_t line, uint32_t call, enum exception why)
{
    diag_print("@ rpc ! %x %u %u %u\n", tag, line, call, why);
}

/* --- waiting --------------------------------------------------------------------------------------------------------- */

static void fire(struct timer *timer)
{
    struct wait *w = CONTAINER_OF(timer, struct wait, timer);

    room_assert_loop();
    w->over(w);
}

static void cancelled(struct call *call)
{
    struct wait *w = call->server;

    room_assert_loop();
    rpc_load_wait_free(w);
    call_fail(call, EXCEPTION_FAILED, "cancelled");
}

struct wait *rpc_load_wait_new(struct call *call, void (*over)(struct wait *w))
{
    struct wait *w = pool_get(&self.waits);

    if (w == NULL) {
        call_fail(call, EXCEPTION_OVERLOADED, "%u calls wait already", RPC_LOAD_WAITS);
        return NULL;
    }
    w->over = over;
    w->call = call;
    timer_init(&w->timer, fire);
    return w;
}

void rpc_load_wait_begin(struct wait *w, uint32_t wait_ms)
{
    if (wait_ms == 0) {
        w->over(w);
        return;
    }
    if (w->call != NULL) {
        w->call->server = w;
        w->call->cancelled = cancelled;
    }
    timer_set(&w->timer, clock_ns() + wait_ms * NS_PER_MS);
}

void rpc_load_wait_free(struct wait *w)
{
    struct object *object = w->object;
    struct object *promise = w->promise;

    timer_cancel(&w->timer);
    if (w->call != NULL) {
        w->call->cancelled = NULL;
    }
    pool_put(&self.waits, w);
    object_put(object);
    object_put(promise);
}

/* --- targets --------------------------------------------------------------------------------------------------------- */

static void hit_over(struct wait *w)
{
    struct call *call = w->call;
    uint32_t number = w->number;

    room_assert_loop();
    rpc_load_wait_free(w);
    load_target_hit_results_set_number(load_target_hit_results(call, 2), number);
    call_return(call);
}

static void hit(struct object *object, struct call *call, struct load_target_hit_params_reader params)
{
    (void)object;
    room_assert_loop();
    uint32_t number = load_target_hit_params_get_number(params);
    struct wait *w = rpc_load_wait_new(call, hit_over);

    if (w == NULL) {
        return;
    }
    rpc_load_say('<', load_target_hit_params_get_tag(params), load_target_hit_params_get_line(params), number);
    w->number = number;
    rpc_load_wait_begin(w, load_target_hit_params_get_wait(params));
}

static void dispatch(struct object *object, struct call *call)
{
    static const struct load_target_server_ops ops = {.hit = hit};

    room_assert_loop();
    load_target_dispatch(&ops, object, call);
}

/* Its place is free: it has no reference. */
static void dead(struct object *object)
{
    (void)object;
    room_assert_loop();
}

struct object *rpc_load_target_new(uint32_t tag, uint32_t line)
{
    static const struct object_ops ops = {.call = dispatch, .dead = dead};

    for (unsigned i = 0; i < RPC_LOAD_TARGETS; i++) {
        struct target *t = &self.target[i];
        if (t->object.references == 0) {
            object_init(&t->object, &ops);
            t->tag = tag;
            t->line = line;
            return &t->object;
        }
    }
    return NULL;
}

unsigned rpc_load_targets_held(uint32_t tag, uint32_t line)
{
    unsigned count = 0;

    for (unsigned i = 0; i < RPC_LOAD_TARGETS; i++) {
        const struct target *t = &self.target[i];
        count += t->object.references > 0 && t->tag == tag && t->line == line;
    }
    return count;
}

bool rpc_load_targets_any(void)
{
    bool any = false;

    for (unsigned i = 0; i < RPC_LOAD_TARGETS; i++) {
        any |= self.target[i].object.references > 0;
    }
    return any;
}

void rpc_load_targets_init(void)
{
    pool_init(&self.waits, "calls that wait", sizeof(struct wait), RPC_LOAD_WAITS);
}
