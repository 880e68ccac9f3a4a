/* SPDX-License-Identifier: MIT OR Apache-2.0
 * vat_support.h: what the vat's tests stand on: a loop that the test turns, a server of `Thing`, a caller, a raw peer.
 *
 * The raw peer speaks bytes: a test builds RPC messages by hand, also wrong ones, and looks at what comes back.
 */
#pragma once
#include "../vat_internal.h"
#include "core/mem.h"
#include "lib/stream/test/stream_pair.h"
#include "rpc/vat/test/vat_test.capnp.h"
#include "test.h"

/* ---- the machine ---- */

static struct list posted = {&posted, &posted};
static struct timer *timers[8];

static inline void *test_alloc(size_t size, size_t align)
{
    size = (size + align - 1) / align * align;
    void *p = aligned_alloc(align, size > 0 ? size : align);
    REQUIRE(p != NULL);
    return memset(p, 0, size);
}
void *boot_alloc(size_t size, size_t align)
{
    return test_alloc(size, align < 16 ? 16 : align);
}
void *boot_alloc_named(const char *what, size_t size, size_t align)
{
    return test_alloc(size, align < 16 ? 16 : align);
}
void work_init(struct work *work, void (*run)(struct work *work))
{
    work->run = run;
    list_init(&work->node);
}
void loop_post(struct work *work)
{
    if (list_empty(&work->node)) {
        list_push_back(&posted, &work->node);
    }
}
void timer_init(struct timer *timer, void (*fire)(struct timer *timer))
{
    *timer = (struct timer){.fire = fire};
}
void timer_set(struct timer *timer, uint64_t deadline_ns)
{
    timer->deadline_ns = deadline_ns;
    for (uint32_t i = 1; i < 8 && timer->heap_index == 0; i++) {
        if (timers[i] == NULL) {
            timers[i] = timer;
            timer->heap_index = i;
        }
    }
    REQUIRE(timer->heap_index != 0);
}
void timer_cancel(struct timer *timer)
{
    timers[timer->heap_index] = NULL;
    timer->heap_index = 0;
}
bool timer_armed(const struct timer *timer)
{
    return timer->heap_index != 0;
}

/* Posted work once; true when there was some. */
static inline bool turn_work(void)
{
    struct list now;
    bool any = !list_empty(&posted);

    list_init(&now);
    for (struct list *node = list_pop_front(&posted); node != NULL; node = list_pop_front(&posted)) {
        list_push_back(&now, node);
    }
    for (struct list *node = list_pop_front(&now); node != NULL; node = list_pop_front(&now)) {
        struct work *work = CONTAINER_OF(node, struct work, node);
        work->run(work);
    }
    return any;
}
static inline void time_passes(uint64_t ns)
{
    test_clock_ns += ns;
    for (unsigned i = 1; i < 8; i++) {
        struct timer *timer = timers[i];
        if (timer != NULL && timer->deadline_ns <= test_clock_ns) {
            timer_cancel(timer);
            timer->fire(timer);
        }
    }
}

/* ---- a server ---- */

struct thing {
    struct object object;
    struct object *kept;
    struct list held; /* calls of hold and giveLater */
    struct object *promise;
    uint32_t number;
    unsigned cancelled;
};
static unsigned things_alive;
static struct thing *last_promiser; /* on which `promise` was called last */
static struct thing *last_made;

static void thing_call(struct object *self, struct call *call);
static void thing_dead(struct object *self);
static const struct object_ops thing_object_ops = {.call = thing_call, .dead = thing_dead};

static inline struct thing *thing_new(void)
{
    struct thing *t = calloc(1, sizeof(*t));
    object_init(&t->object, &thing_object_ops);
    list_init(&t->held);
    things_alive++;
    last_made = t;
    return t;
}
static inline struct thing *thing_of(struct object *self)
{
    return CONTAINER_OF(self, struct thing, object);
}
static void thing_dead(struct object *self)
{
    struct thing *t = thing_of(self);
    CHECK(list_empty(&t->held));
    object_put(t->kept);
    if (t->promise != NULL) {
        vat_promise_break(t->promise, EXCEPTION_FAILED, "forgotten");
        object_put(t->promise);
    }
    things_alive--;
    free(t);
}

static void serve_echo(struct object *self, struct call *call, struct thing_echo_params_reader params)
{
    struct capnp_text text = thing_echo_params_get_text(params);
    thing_echo_results_set_text(thing_echo_results(call, text.size / 8 + 4), text);
    call_return(call);
}
static void held_cancelled(struct call *call)
{
    list_remove(&call->node);
    ((struct thing *)call->server)->cancelled++;
    call_fail(call, EXCEPTION_FAILED, "cancelled");
}
static void hold(struct object *self, struct call *call)
{
    call->server = thing_of(self);
    call->cancelled = held_cancelled;
    list_push_back(&thing_of(self)->held, &call->node);
}
static void serve_hold(struct object *self, struct call *call, struct thing_hold_params_reader params)
{
    hold(self, call);
}
static void serve_give_later(struct object *self, struct call *call, struct thing_give_later_params_reader params)
{
    hold(self, call);
}
/* The oldest call that `t` holds returns. */
static inline void thing_let_go(struct thing *t)
{
    struct call *call = CONTAINER_OF(list_pop_front(&t->held), struct call, node);
    if (call->method_id == 8) {
        struct thing_give_later_params_reader params = thing_give_later_params_read(call->params);
        thing_give_later_results_set_thing(thing_give_later_results(call, 8),
                                           thing_give_later_params_get_thing(params));
    }
    call_return(call);
}
static void serve_make(struct object *self, struct call *call, struct thing_make_params_reader params)
{
    struct thing *made = thing_new();
    thing_make_results_set_thing(thing_make_results(call, 4), &made->object);
    object_put(&made->object);
    call_return(call);
}

/* `call`: passes echo on. */
struct onward {
    struct call call;
    struct call *asked;
    struct message message;
    struct message_segment segment;
    uint64_t words[64];
    struct message results;
    struct message_segment results_segment;
    uint64_t results_words[64];
};
static struct payload onward_results(struct call *call, uint32_t words)
{
    struct onward *o = CONTAINER_OF(call, struct onward, call);
    capnp_message_build(&o->results, &o->results_segment, o->results_words, 64, NULL, 0);
    o->results.read_limit_words = 4096;
    return capnp_root(&o->results);
}
static void onward_returned(struct call *call)
{
    struct onward *o = CONTAINER_OF(call, struct onward, call);
    struct capnp_text text = thing_echo_results_get_text(thing_echo_answer(call));
    thing_call_results_set_text(thing_call_results(o->asked, 16), text);
    call_return(o->asked);
    free(o);
}
static void onward_failed(struct call *call, enum exception type, const char *reason)
{
    struct onward *o = CONTAINER_OF(call, struct onward, call);
    call_fail(o->asked, type, "onward: %s", reason);
    free(o);
}
static const struct call_source onward_source = {onward_results, onward_returned, onward_failed};
static void serve_call(struct object *self, struct call *call, struct thing_call_params_reader params)
{
    struct object *thing = thing_call_params_get_thing(params);
    if (thing == NULL) {
        call_fail(call, EXCEPTION_FAILED, "no thing");
        return;
    }
    struct onward *o = calloc(1, sizeof(*o));
    o->asked = call;
    capnp_message_build(&o->message, &o->segment, o->words, 64, NULL, 0);
    o->message.read_limit_words = 4096;
    struct thing_echo_params_builder echo = thing_echo_begin(&o->call, thing, capnp_root(&o->message), &onward_source);
    thing_echo_params_set_text(echo, thing_call_params_get_text(params));
    object_call(thing, &o->call);
}
static void serve_keep(struct object *self, struct call *call, struct thing_keep_params_reader params)
{
    struct object *thing = thing_keep_params_get_thing(params);
    object_put(thing_of(self)->kept);
    thing_of(self)->kept = thing != NULL ? object_get(thing) : NULL;
    call_return(call);
}
static void serve_drop(struct object *self, struct call *call, struct thing_drop_params_reader params)
{
    object_put(thing_of(self)->kept);
    thing_of(self)->kept = NULL;
    call_return(call);
}
static void serve_next(struct object *self, struct call *call, struct thing_next_params_reader params)
{
    thing_next_results_set_number(thing_next_results(call, 4), thing_of(self)->number++);
    call_return(call);
}
static void serve_give(struct object *self, struct call *call, struct thing_give_params_reader params)
{
    thing_give_results_set_thing(thing_give_results(call, 4), thing_give_params_get_thing(params));
    call_return(call);
}
static struct vat *promise_vat;
static void serve_promise(struct object *self, struct call *call, struct thing_promise_params_reader params)
{
    struct thing *t = thing_of(self);
    t->promise = t->promise == NULL ? vat_promise_new(promise_vat) : t->promise;
    last_promiser = t;
    thing_promise_results_set_thing(thing_promise_results(call, 4), t->promise);
    call_return(call);
}
static void serve_fail(struct object *self, struct call *call, struct thing_fail_params_reader params)
{
    call_fail(call, EXCEPTION_FAILED, "%s", thing_fail_params_get_reason(params).text);
}
static void serve_bytes(struct object *self, struct call *call, struct thing_bytes_params_reader params)
{
    uint32_t size = thing_bytes_params_get_size(params);
    struct capnp_data data = thing_bytes_params_get_data(params);
    struct thing_bytes_results_builder results = thing_bytes_results(call, size / 8 + 8);
    struct capnp_bytes bytes = thing_bytes_results_init_data(results, size);
    for (uint32_t i = 0; i < bytes.size; i++) {
        bytes.bytes[i] = (uint8_t)(i * 7);
    }
    bool whole = true;
    for (uint32_t i = 0; i < data.size; i++) {
        whole = whole && data.bytes[i] == (uint8_t)(i * 7);
    }
    thing_bytes_results_set_got(results, whole ? data.size : UINT32_MAX);
    call_return(call);
}
static void serve_many(struct object *self, struct call *call, struct thing_many_params_reader params)
{
    uint32_t count = thing_many_params_get_count(params);
    struct capnp_list_builder list = thing_many_results_init_things(thing_many_results(call, 200), count);
    for (uint32_t i = 0; i < count; i++) {
        struct thing *made = thing_new();
        capnp_set_cap(capnp_list_slot(list, i), &made->object);
        object_put(&made->object);
    }
    call_return(call);
}
static void serve_deep(struct object *self, struct call *call, struct thing_deep_params_reader params)
{
    struct thing_inner_builder inner = thing_deep_results_init_inner(thing_deep_results(call, 16));
    thing_inner_set_thing(thing_inner_init_inner(inner), self);
    thing_inner_set_text(inner, capnp_text("not a capability"));
    call_return(call);
}
static void serve_empty(struct object *self, struct call *call, struct thing_empty_params_reader params)
{
    call_return(call);
}
static void thing_call(struct object *self, struct call *call)
{
    static const struct thing_server_ops ops = {
        .echo = serve_echo,
        .hold = serve_hold,
        .make = serve_make,
        .call = serve_call,
        .keep = serve_keep,
        .drop = serve_drop,
        .next = serve_next,
        .give = serve_give,
        .give_later = serve_give_later,
        .promise = serve_promise,
        .fail = serve_fail,
        .bytes = serve_bytes,
        .many = serve_many,
        .deep = serve_deep,
        .empty = serve_empty,
    };
    room_assert_loop();
    thing_dispatch(&ops, self, call);
}

/* ---- a caller ---- */

#define ASK_WORDS 20000u
struct ask {
    struct call call;
    struct message params, results;
    struct message_segment params_segment, results_segment;
    struct object *params_caps[8], *results_caps[64];
    uint64_t *params_words, *results_words;
    bool done, failed;
    enum exception type;
    char reason[CALL_REASON_MAX];
};
static struct payload ask_results(struct call *call, uint32_t words)
{
    struct ask *a = CONTAINER_OF(call, struct ask, call);
    capnp_message_build(&a->results, &a->results_segment, a->results_words, ASK_WORDS, a->results_caps, 64);
    a->results.read_limit_words = 1000000;
    return capnp_root(&a->results);
}
static void ask_returned(struct call *call)
{
    struct ask *a = CONTAINER_OF(call, struct ask, call);
    CHECK(!a->done);
    a->done = true;
}
static void ask_failed(struct call *call, enum exception type, const char *reason)
{
    struct ask *a = CONTAINER_OF(call, struct ask, call);
    CHECK(!a->done);
    a->done = true;
    a->failed = true;
    a->type = type;
    snprintf(a->reason, sizeof(a->reason), "%s", reason);
}
static const struct call_source ask_source = {ask_results, ask_returned, ask_failed};

/* To fill in by the generated *_begin(&a->call, target, capnp_root(&a->params), &ask_source), and to free. */
static inline struct ask *ask_new(void)
{
    struct ask *a = calloc(1, sizeof(*a));
    a->params_words = calloc(ASK_WORDS, 8);
    a->results_words = calloc(ASK_WORDS, 8);
    capnp_message_build(&a->params, &a->params_segment, a->params_words, ASK_WORDS, a->params_caps, 8);
    a->params.read_limit_words = 1000000;
    return a;
}
static inline void ask_free(struct ask *a)
{
    CHECK(!a->call.out);
    message_release_caps(&a->params);
    message_release_caps(&a->results);
    free(a->params_words);
    free(a->results_words);
    free(a);
}
#define BEGIN(a, method, target) method##_begin(&(a)->call, (target), capnp_root(&(a)->params), &ask_source)

static inline struct ask *ask_echo(struct object *target, const char *text)
{
    struct ask *a = ask_new();
    thing_echo_params_set_text(BEGIN(a, thing_echo, target), capnp_text(text));
    object_call(target, &a->call);
    return a;
}
static inline struct ask *ask_next(struct object *target)
{
    struct ask *a = ask_new();
    BEGIN(a, thing_next, target);
    object_call(target, &a->call);
    return a;
}
static inline struct ask *ask_make(struct object *target)
{
    struct ask *a = ask_new();
    BEGIN(a, thing_make, target);
    object_call(target, &a->call);
    return a;
}
static inline struct ask *ask_hold(struct object *target)
{
    struct ask *a = ask_new();
    BEGIN(a, thing_hold, target);
    object_call(target, &a->call);
    return a;
}
static inline struct ask *ask_give(struct object *target, struct object *what)
{
    struct ask *a = ask_new();
    thing_give_params_set_thing(BEGIN(a, thing_give, target), what);
    object_call(target, &a->call);
    return a;
}
static inline struct ask *ask_give_later(struct object *target, struct object *what)
{
    struct ask *a = ask_new();
    thing_give_later_params_set_thing(BEGIN(a, thing_give_later, target), what);
    object_call(target, &a->call);
    return a;
}
static inline struct ask *ask_keep(struct object *target, struct object *what)
{
    struct ask *a = ask_new();
    thing_keep_params_set_thing(BEGIN(a, thing_keep, target), what);
    object_call(target, &a->call);
    return a;
}
static inline struct ask *ask_call(struct object *target, struct object *whom, const char *text)
{
    struct ask *a = ask_new();
    struct thing_call_params_builder params = BEGIN(a, thing_call, target);
    thing_call_params_set_thing(params, whom);
    thing_call_params_set_text(params, capnp_text(text));
    object_call(target, &a->call);
    return a;
}
static inline struct object *pipelined(struct ask *a, uint16_t field)
{
    struct object *p = vat_pipeline(&a->call, &field, 1);
    CHECK(p != NULL);
    return p;
}
static inline bool said(struct ask *a, const char *text)
{
    return a->done && !a->failed &&
           capnp_text_equal(thing_echo_results_get_text(thing_echo_answer(&a->call)), capnp_text(text));
}
static inline bool numbered(struct ask *a, uint32_t number)
{
    return a->done && !a->failed && thing_next_results_get_number(thing_next_answer(&a->call)) == number;
}
static inline bool failed_as(struct ask *a, enum exception type)
{
    return a->done && a->failed && a->type == type;
}

/* ---- options ---- */

static const struct vat_options small_options = {
    .connections = 4,
    .answers = 64,
    .live = 16,
    .live_all = 64,
    .questions = 16,
    .exports = 32,
    .imports = 16,
    .promises = 32,
    .small = 96,
    .medium = 6,
    .large = 2,
    .window_bytes = 300 * 1024,
    .stall_seconds = 10,
};

/* For the leak checker: tests make many vats, and boot memory is never freed. */
static inline bool vat_empty(const struct vat *vat)
{
    struct vat_usage u;
    vat_usage(vat, &u);
    return u.connections + u.live + u.questions + u.exports + u.imports + u.promises + u.small + u.medium + u.large ==
           0;
}
