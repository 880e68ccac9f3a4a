/* SPDX-License-Identifier: MIT OR Apache-2.0
 * late.h: Late (late.capnp) served by C, for both programs: a client hands such objects out too.
 */
#pragma once
#include "late.capnp.h"
#include "vat_host.h"

struct late {
    struct object object;
    struct object *promise; /* given out and not known yet */
    struct list giving;     /* calls of giveLater */
    uint32_t number, cancelled;
};
static unsigned lates_alive;
static struct vat *late_vat;

static void late_call(struct object *self, struct call *call);
static void late_dead(struct object *self);
static const struct object_ops late_ops = {.call = late_call, .dead = late_dead};

static inline struct late *late_of(struct object *self)
{
    return CONTAINER_OF(self, struct late, object);
}
static inline struct object *late_new(void)
{
    struct late *l = calloc(1, sizeof(*l));

    REQUIRE(l != NULL);
    object_init(&l->object, &late_ops);
    list_init(&l->giving);
    lates_alive++;
    return &l->object;
}
static void late_dead(struct object *self)
{
    struct late *l = late_of(self);

    CHECK(l->promise == NULL && list_empty(&l->giving));
    lates_alive--;
    free(l);
}

static void serve_next(struct object *self, struct call *call, struct late_next_params_reader params)
{
    late_next_results_set_number(late_next_results(call, 2), late_of(self)->number++);
    call_return(call);
}
static void serve_promise(struct object *self, struct call *call, struct late_promise_params_reader params)
{
    struct late *l = late_of(self);

    REQUIRE(l->promise == NULL);
    l->promise = vat_promise_new(late_vat);
    late_promise_results_set_late(late_promise_results(call, 4), l->promise);
    call_return(call);
}
static void serve_give(struct object *self, struct call *call, struct late_give_params_reader params)
{
    late_give_results_set_late(late_give_results(call, 4), late_give_params_get_late(params));
    call_return(call);
}
static void giving_cancelled(struct call *call)
{
    list_remove(&call->node);
    call_fail(call, EXCEPTION_FAILED, "cancelled");
}
static void serve_give_later(struct object *self, struct call *call, struct late_give_later_params_reader params)
{
    call->cancelled = giving_cancelled;
    list_push_back(&late_of(self)->giving, &call->node);
}
static void serve_fulfill(struct object *self, struct call *call, struct late_fulfill_params_reader params)
{
    struct late *l = late_of(self);
    struct object *promise = l->promise;

    l->promise = NULL;
    if (promise != NULL) {
        vat_promise_resolve(promise, late_fulfill_params_get_late(params));
        object_put(promise);
    }
    for (struct list *node = list_pop_front(&l->giving); node != NULL; node = list_pop_front(&l->giving)) {
        struct call *given = CONTAINER_OF(node, struct call, node);
        given->cancelled = NULL;
        late_give_later_results_set_late(late_give_later_results(given, 4),
                                         late_give_later_params_get_late(late_give_later_params_read(given->params)));
        call_return(given);
    }
    call_return(call);
}
static void serve_refuse(struct object *self, struct call *call, struct late_refuse_params_reader params)
{
    struct late *l = late_of(self);

    vat_promise_break(l->promise, EXCEPTION_FAILED, late_refuse_params_get_reason(params).text);
    object_put(l->promise);
    l->promise = NULL;
    call_return(call);
}

/* ask: next() of another object, whose results become ours. */
struct asking {
    struct call call;
    struct call *asked;
    struct message params, results;
    struct message_segment params_segment, results_segment;
    uint64_t params_words[16], results_words[16];
};
static struct payload asking_results(struct call *call, uint32_t words)
{
    struct asking *a = CONTAINER_OF(call, struct asking, call);

    capnp_message_build(&a->results, &a->results_segment, a->results_words, 16, NULL, 0);
    a->results.read_limit_words = 1000;
    return capnp_root(&a->results);
}
static void asking_returned(struct call *call)
{
    struct asking *a = CONTAINER_OF(call, struct asking, call);

    late_ask_results_set_number(late_ask_results(a->asked, 2),
                                late_next_results_get_number(late_next_answer(&a->call)));
    call_return(a->asked);
    free(a);
}
static void asking_failed(struct call *call, enum exception type, const char *reason)
{
    struct asking *a = CONTAINER_OF(call, struct asking, call);

    call_fail(a->asked, type, "%s", reason);
    free(a);
}
static void serve_ask(struct object *self, struct call *call, struct late_ask_params_reader params)
{
    static const struct call_source source = {asking_results, asking_returned, asking_failed};
    struct object *whom = late_ask_params_get_late(params);
    struct asking *a = calloc(1, sizeof(*a));

    REQUIRE(a != NULL && whom != NULL);
    a->asked = call;
    capnp_message_build(&a->params, &a->params_segment, a->params_words, 16, NULL, 0);
    a->params.read_limit_words = 1000;
    late_next_begin(&a->call, whom, capnp_root(&a->params), &source);
    object_call(whom, &a->call);
}

static void hold_cancelled(struct call *call)
{
    late_of(call->server)->cancelled++;
    call_fail(call, EXCEPTION_FAILED, "cancelled");
}
static void serve_hold(struct object *self, struct call *call, struct late_hold_params_reader params)
{
    call->server = self;
    call->cancelled = hold_cancelled;
}
static void serve_cancelled(struct object *self, struct call *call, struct late_cancelled_params_reader params)
{
    late_cancelled_results_set_count(late_cancelled_results(call, 2), late_of(self)->cancelled);
    call_return(call);
}
static void serve_fail(struct object *self, struct call *call, struct late_fail_params_reader params)
{
    call_fail(call, (enum exception)late_fail_params_get_type(params), "%s", late_fail_params_get_reason(params).text);
}
static void serve_swallow(struct object *self, struct call *call, struct late_swallow_params_reader params)
{
    late_swallow_results_set_size(late_swallow_results(call, 2), late_swallow_params_get_data(params).size);
    call_return(call);
}
static void serve_flood(struct object *self, struct call *call, struct late_flood_params_reader params)
{
    uint32_t size = late_flood_params_get_size(params);

    late_flood_results_init_data(late_flood_results(call, size / 8 + 4), size);
    call_return(call);
}
static void serve_make(struct object *self, struct call *call, struct late_make_params_reader params)
{
    struct object *made = late_new();

    late_make_results_set_late(late_make_results(call, 4), made);
    object_put(made);
    call_return(call);
}
/* What the vat holds but for the bootstrap object and the call that asks. */
static inline uint32_t late_left(void)
{
    struct vat_usage u;

    vat_usage(late_vat, &u);
    return u.live + u.questions + u.exports + u.imports + u.promises + lates_alive;
}
static void serve_left(struct object *self, struct call *call, struct late_left_params_reader params)
{
    late_left_results_set_entries(late_left_results(call, 2), late_left() - 3); /* the call, the export, the object */
    call_return(call);
}

static void late_call(struct object *self, struct call *call)
{
    static const struct late_server_ops ops = {
        .next = serve_next,
        .promise = serve_promise,
        .give_later = serve_give_later,
        .give = serve_give,
        .fulfill = serve_fulfill,
        .refuse = serve_refuse,
        .ask = serve_ask,
        .hold = serve_hold,
        .cancelled = serve_cancelled,
        .fail = serve_fail,
        .swallow = serve_swallow,
        .flood = serve_flood,
        .make = serve_make,
        .left = serve_left,
    };
    late_dispatch(&ops, self, call);
}
