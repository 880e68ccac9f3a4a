/* SPDX-License-Identifier: MIT OR Apache-2.0
 * rpc_load_round.c: a round of a session.
 *
 *      begin: an object here or at home -> sent through the home up to three times (a reference to what is not known yet)
 *      steps: calls by that reference, one cancelled, the reference lent to the home, which calls it too
 *      wait:  until all is over here; the reference is dropped before or after
 *      settle: nobody may hold the object any more, here or there
 */
#include "app/rpc-load/rpc_load.capnp.h"
#include "core/mem.h"
#include "rpc_load.h"

#define HOPS_MAX 3u
#define STEPS_MAX 10u
#define PACES 6u
#define LOOK_NS (20 * NS_PER_MS)
#define LOOKS_MAX 100u /* calls of the other side that wait are over long before */
#define DEADLINE_NS (RPC_LOAD_DEADLINE_MS * NS_PER_MS)

static uint32_t below(struct session *s, uint32_t bound)
{
    return (uint32_t)(rpc_load_random(s) % bound);
}

static uint32_t draw_wait(struct session *s)
{
    return below(s, 2) == 0 ? 0 : below(s, 30);
}

/* --- begin ----------------------------------------------------------------------------------------------------------- */

static void fresh_begin(struct session *s, struct ask *a, uint32_t wait_ms) REQUIRES(LOOP)
{
    struct load_home_fresh_params_builder p =
        load_home_fresh_begin(&a->call, s->home, rpc_load_ask_params(a), &rpc_load_ask_source);

    load_home_fresh_params_set_tag(p, s->tag);
    load_home_fresh_params_set_line(p, s->line);
    load_home_fresh_params_set_wait(p, wait_ms);
}

/* Sends what is filled in, and takes the place of `from` (given) by what its results will have. NULL: a bound is reached. */
static struct object *hop_send(struct session *s, struct ask *a, struct object *from) REQUIRES(LOOP)
{
    static const uint16_t path[] = {0};

    rpc_load_ask_send(a, s->home);
    object_put(from);
    return vat_pipeline(&a->call, path, 1);
}

static struct object *hop_fresh(struct session *s) REQUIRES(LOOP)
{
    struct ask *a = rpc_load_ask_new(s);

    fresh_begin(s, a, draw_wait(s));
    return hop_send(s, a, NULL);
}

static struct object *hop_echo(struct session *s, struct object *from) REQUIRES(LOOP)
{
    struct ask *a = rpc_load_ask_new(s);
    struct load_home_echo_params_builder p =
        load_home_echo_begin(&a->call, s->home, rpc_load_ask_params(a), &rpc_load_ask_source);

    load_home_echo_params_set_target(p, from);
    load_home_echo_params_set_wait(p, draw_wait(s));
    return hop_send(s, a, from);
}

static struct object *hop_late(struct session *s, struct object *from) REQUIRES(LOOP)
{
    struct ask *a = rpc_load_ask_new(s);
    struct load_home_late_params_builder p =
        load_home_late_begin(&a->call, s->home, rpc_load_ask_params(a), &rpc_load_ask_source);
    bool broken = !s->audit && below(s, 8) == 0;

    load_home_late_params_set_target(p, from);
    load_home_late_params_set_wait(p, draw_wait(s));
    load_home_late_params_set_broken(p, broken);
    if (broken) {
        s->broken = true;
        rpc_load_say('b', s->tag, s->line, 0);
    }
    return hop_send(s, a, from);
}

/* The object, and the way to it. */
static void line_make(struct session *s) REQUIRES(LOOP)
{
    bool here = below(s, 3) != 0;
    struct object *end = here ? rpc_load_target_new(s->tag, s->line) : hop_fresh(s);

    for (uint32_t hops = below(s, HOPS_MAX) + here; hops > 0 && end != NULL; hops--) {
        end = below(s, 2) == 0 ? hop_echo(s, end) : hop_late(s, end);
    }
    s->line_end = end;
}

/* --- steps ----------------------------------------------------------------------------------------------------------- */

static void drive(struct session *s) REQUIRES(LOOP)
{
    struct ask *a = rpc_load_ask_new(s);

    if (a == NULL) {
        return;
    }
    struct load_home_drive_params_builder p =
        load_home_drive_begin(&a->call, s->home, rpc_load_ask_params(a), &rpc_load_ask_source);
    load_home_drive_params_set_target(p, s->line_end);
    load_home_drive_params_set_count(p, 1 + below(s, 4));
    load_home_drive_params_set_broken(p, s->broken);
    rpc_load_ask_send(a, s->home);
}

/* Asks for an object, and takes the question back at once: the results that come have no taker. */
static void in_vain(struct session *s) REQUIRES(LOOP)
{
    struct ask *a = rpc_load_ask_new(s);

    if (a == NULL) {
        return;
    }
    fresh_begin(s, a, draw_wait(s));
    rpc_load_ask_send(a, s->home);
    rpc_load_ask_cancel(a);
}

static void drop(struct session *s) REQUIRES(LOOP)
{
    struct object *end = s->line_end;

    s->line_end = NULL;
    object_put(end);
}

static void step(struct session *s)
{
    room_assert_loop();
    if (s->given_up || s->steps == 0 || s->line_end == NULL) {
        s->waiting = true;
        if (below(s, 4) == 0) {
            drop(s);
        }
        rpc_load_round_look(s);
        return;
    }
    s->steps--;
    switch (below(s, 8)) {
    case 0:
        drive(s);
        break;
    case 1:
        rpc_load_ask_cancel(&s->ask[below(s, ASKS)]);
        break;
    case 2:
        in_vain(s);
        break;
    default:
        for (uint32_t hits = 1 + below(s, 3); hits > 0 && s->line_end != NULL; hits--) {
            rpc_load_hit(s);
        }
    }
    rpc_load_later(s, step, below(s, s->pace_ns));
}

/* --- settle ---------------------------------------------------------------------------------------------------------- */

static void settle(struct session *s);

static void settled(struct session *s) REQUIRES(LOOP)
{
    timer_cancel(&s->patience);
    s->waiting = false;
    rpc_load_round_ended(s);
}

static void look_again(struct session *s, bool held_there) REQUIRES(LOOP)
{
    if (!held_there && rpc_load_targets_held(s->tag, s->line) == 0) {
        settled(s);
    } else if (s->looks++ == LOOKS_MAX) {
        rpc_load_fail(s, held_there ? "home holds an object that nobody uses" : "an object is held that nobody uses");
    } else {
        rpc_load_later(s, settle, LOOK_NS);
    }
}

static void held_told(struct ask *a, bool failed) REQUIRES(LOOP)
{
    look_again(a->session, failed || load_home_held_results_get_count(load_home_held_answer(&a->call)) != 0);
}

/* Called again when what it asked has been told. */
static void settle(struct session *s)
{
    room_assert_loop();
    if (s->given_up) { /* what was sent may be held for a while yet, by the connection that ends */
        rpc_load_disconnect(s);
        settled(s);
        return;
    }
    struct ask *a = rpc_load_ask_new(s);
    struct load_home_held_params_builder p =
        load_home_held_begin(&a->call, s->home, rpc_load_ask_params(a), &rpc_load_ask_source);
    a->then = held_told;
    load_home_held_params_set_tag(p, s->tag);
    load_home_held_params_set_line(p, s->line);
    rpc_load_ask_send(a, s->home);
}

void rpc_load_round_look(struct session *s)
{
    if (s->waiting && s->out == 0) {
        s->waiting = false;
        drop(s);
        settle(s);
    }
}

static void patience_over(struct timer *timer)
{
    struct session *s = CONTAINER_OF(timer, struct session, patience);

    room_assert_loop();
    rpc_load_say('i', s->tag, s->line, 0);
    s->given_up = true;
    if (s->connection != NULL) {
        vat_close(s->connection);
        s->connection = NULL;
    }
}

void rpc_load_round_begin(struct session *s)
{
    if (s->patience.fire == NULL) {
        timer_init(&s->patience, patience_over);
    }
    timer_set(&s->patience, clock_ns() + DEADLINE_NS);
    s->line++;
    s->hits = 0;
    s->looks = 0;
    s->broken = false;
    s->waiting = false;
    s->pace_ns = (uint32_t)NS_PER_MS << below(s, PACES);
    s->steps = 2 + below(s, STEPS_MAX - 1);
    line_make(s);
    step(s);
}
