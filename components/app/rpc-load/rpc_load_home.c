/* SPDX-License-Identifier: MIT OR Apache-2.0
 * rpc_load_home.c: the home: gives objects, gives back what it is given, sooner or later, and calls it.
 */
#include "app/rpc-load/rpc_load.capnp.h"
#include "core/mem.h"
#include "rpc_load.h"

#define DRIVE_MAX 4u
#define DRIVES 32u
#define HEAVY_BYTES 20000u

struct drive;

struct drive_call {
    struct drive *drive;
    struct call call;
    struct message params, results;
    struct message_segment params_segment, results_segment;
    uint64_t params_words[ASK_WORDS], results_words[ASK_WORDS];
    uint32_t number;
};

/* Keys: all [L] */
struct drive {
    struct call *asker;
    uint32_t line;
    unsigned out; /* and one for who begins it */
    struct drive_call call[DRIVE_MAX];
};

static struct {
    struct object object;
    struct vat *vat; /* [I] */
    struct pool drives;
    uint32_t line;
} self;

/* --- what it gives --------------------------------------------------------------------------------------------------- */

/* The three methods that give one have their result at the same place. */
static void give(struct call *call, struct object *target) REQUIRES(LOOP)
{
    load_home_fresh_results_set_target(load_home_fresh_results(call, 2), target);
    call_return(call);
}

static void give_over(struct wait *w)
{
    struct call *call = w->call;
    struct object *object = w->object;

    room_assert_loop();
    w->object = NULL;
    rpc_load_wait_free(w);
    give(call, object);
    object_put(object);
}

static void fresh(struct object *object, struct call *call, struct load_home_fresh_params_reader params)
{
    (void)object;
    room_assert_loop();
    struct wait *w = rpc_load_wait_new(call, give_over);

    if (w == NULL) {
        return;
    }
    w->object = rpc_load_target_new(load_home_fresh_params_get_tag(params), load_home_fresh_params_get_line(params));
    if (w->object == NULL) {
        rpc_load_wait_free(w);
        call_fail(call, EXCEPTION_OVERLOADED, "%u objects are held already", RPC_LOAD_TARGETS);
        return;
    }
    rpc_load_wait_begin(w, load_home_fresh_params_get_wait(params));
}

static void heavy(struct object *object, struct call *call, struct load_home_heavy_params_reader params)
{
    (void)object;
    (void)params;
    room_assert_loop();
    struct object *target = rpc_load_target_new(0, 0);
    if (target == NULL) {
        call_fail(call, EXCEPTION_OVERLOADED, "%u objects are held already", RPC_LOAD_TARGETS);
        return;
    }
    struct load_home_heavy_results_builder results = load_home_heavy_results(call, HEAVY_BYTES / 8 + 8);
    load_home_heavy_results_set_target(results, target);
    (void)load_home_heavy_results_init_data(results, HEAVY_BYTES);
    object_put(target);
    call_return(call);
}

static struct object *reference(struct object *object)
{
    return object != NULL ? object_get(object) : NULL;
}

static void echo(struct object *object, struct call *call, struct load_home_echo_params_reader params)
{
    (void)object;
    room_assert_loop();
    struct wait *w = rpc_load_wait_new(call, give_over);

    if (w != NULL) {
        w->object = reference(load_home_echo_params_get_target(params));
        rpc_load_wait_begin(w, load_home_echo_params_get_wait(params));
    }
}

static void late_over(struct wait *w)
{
    room_assert_loop();
    if (w->broken) {
        vat_promise_break(w->promise, EXCEPTION_FAILED, "broken, as was asked");
    } else {
        vat_promise_resolve(w->promise, w->object);
    }
    rpc_load_wait_free(w);
}

/* The wait is the promise's: the call returns at once. */
static void late(struct object *object, struct call *call, struct load_home_late_params_reader params)
{
    (void)object;
    room_assert_loop();
    struct wait *w = rpc_load_wait_new(call, late_over);

    if (w == NULL) {
        return;
    }
    w->promise = vat_promise_new(self.vat);
    if (w->promise == NULL) {
        rpc_load_wait_free(w);
        call_fail(call, EXCEPTION_OVERLOADED, "too many promises");
        return;
    }
    w->call = NULL;
    w->object = reference(load_home_late_params_get_target(params));
    w->broken = load_home_late_params_get_broken(params);
    uint32_t wait_ms = load_home_late_params_get_wait(params);
    give(call, w->promise);
    rpc_load_wait_begin(w, wait_ms);
}

static void held(struct object *object, struct call *call, struct load_home_held_params_reader params)
{
    (void)object;
    room_assert_loop();
    load_home_held_results_set_count(
        load_home_held_results(call, 2),
        rpc_load_targets_held(load_home_held_params_get_tag(params), load_home_held_params_get_line(params)));
    call_return(call);
}

/* --- what it calls --------------------------------------------------------------------------------------------------- */

static void drive_put(struct drive *d) REQUIRES(LOOP)
{
    struct call *asker = d->asker;

    if (--d->out == 0) {
        pool_put(&self.drives, d);
        call_return(asker);
    }
}

static struct drive_call *drive_of(struct call *call)
{
    return CONTAINER_OF(call, struct drive_call, call);
}

static struct payload drive_results(struct call *call, uint32_t words)
{
    struct drive_call *c = drive_of(call);

    (void)words;
    room_assert_loop();
    capnp_message_build(&c->results, &c->results_segment, c->results_words, ASK_WORDS, NULL, 0);
    return capnp_root(&c->results);
}

static void drive_returned(struct call *call)
{
    struct drive_call *c = drive_of(call);

    room_assert_loop();
    rpc_load_say('=', rpc_load_tag, c->drive->line, c->number);
    drive_put(c->drive);
}

static void drive_failed(struct call *call, enum exception type, const char *reason)
{
    struct drive_call *c = drive_of(call);

    (void)reason;
    room_assert_loop();
    rpc_load_say_failed(rpc_load_tag, c->drive->line, c->number, type);
    drive_put(c->drive);
}

static void drive_hit(struct drive *d, struct object *target, uint32_t number) REQUIRES(LOOP)
{
    static const struct call_source source = {drive_results, drive_returned, drive_failed};
    struct drive_call *c = &d->call[number - 1];

    c->drive = d;
    c->number = number;
    capnp_message_build(&c->params, &c->params_segment, c->params_words, ASK_WORDS, NULL, 0);
    struct load_target_hit_params_builder p = load_target_hit_begin(&c->call, target, capnp_root(&c->params), &source);
    load_target_hit_params_set_tag(p, rpc_load_tag);
    load_target_hit_params_set_line(p, d->line);
    load_target_hit_params_set_number(p, number);
    rpc_load_say('>', rpc_load_tag, d->line, number);
    d->out++;
    object_call(target, &c->call);
}

static void drive(struct object *object, struct call *call, struct load_home_drive_params_reader params)
{
    (void)object;
    room_assert_loop();
    struct object *target = load_home_drive_params_get_target(params);
    uint32_t count = load_home_drive_params_get_count(params);
    struct drive *d = target != NULL && count <= DRIVE_MAX ? pool_get(&self.drives) : NULL;

    if (d == NULL) {
        call_fail(call, EXCEPTION_OVERLOADED, "%u targets are driven already", DRIVES);
        return;
    }
    d->asker = call;
    d->line = ++self.line;
    d->out = 1;
    if (load_home_drive_params_get_broken(params)) {
        rpc_load_say('b', rpc_load_tag, d->line, 0);
    }
    for (uint32_t i = 1; i <= count; i++) {
        drive_hit(d, target, i);
    }
    drive_put(d);
}

/* --- begin ----------------------------------------------------------------------------------------------------------- */

static void dispatch(struct object *object, struct call *call)
{
    static const struct load_home_server_ops ops = {
        .fresh = fresh, .echo = echo, .late = late, .drive = drive, .held = held, .heavy = heavy};

    room_assert_loop();
    load_home_dispatch(&ops, object, call);
}

struct object *rpc_load_home(void)
{
    return &self.object;
}

void rpc_load_home_init(struct vat *vat)
{
    static const struct object_ops ops = {.call = dispatch};

    self.vat = vat;
    object_init(&self.object, &ops);
    pool_init(&self.drives, "driven targets", sizeof(struct drive), DRIVES);
}
