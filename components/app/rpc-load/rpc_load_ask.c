/* SPDX-License-Identifier: MIT OR Apache-2.0
 * rpc_load_ask.c: the calls of a session, each with its own memory.
 */
#include "app/rpc-load/rpc_load.capnp.h"
#include "core/list.h"
#include "rpc_load.h"

uint64_t rpc_load_random(struct session *s)
{
    uint64_t z = s->random += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    return (z ^ z >> 27) >> 8;
}

static struct ask *ask_of(struct call *call)
{
    return CONTAINER_OF(call, struct ask, call);
}

static struct payload results(struct call *call, uint32_t words)
{
    struct ask *a = ask_of(call);

    (void)words;
    room_assert_loop();
    capnp_message_build(&a->results, &a->results_segment, a->results_words, ASK_WORDS, a->results_caps, 1);
    return capnp_root(&a->results);
}

static void ended(struct ask *a, bool failed) REQUIRES(LOOP)
{
    struct session *s = a->session;

    if (a->then != NULL) {
        a->then(a, failed);
    }
    message_release_caps(&a->params);
    message_release_caps(&a->results);
    a->used = false;
    s->out--;
    rpc_load_round_look(s);
}

static void returned(struct call *call)
{
    struct ask *a = ask_of(call);

    room_assert_loop();
    if (a->number != 0) {
        if (load_target_hit_results_get_number(load_target_hit_answer(call)) != a->number) {
            rpc_load_fail(a->session, "a call returned what another asked for");
        }
        rpc_load_say('=', a->session->tag, a->session->line, a->number);
    }
    ended(a, false);
}

static void failed(struct call *call, enum exception type, const char *reason)
{
    struct ask *a = ask_of(call);

    (void)reason;
    room_assert_loop();
    if (a->number != 0) {
        rpc_load_say_failed(a->session->tag, a->session->line, a->number, type);
    }
    a->session->given_up |= type == EXCEPTION_DISCONNECTED;
    ended(a, true);
}

const struct call_source rpc_load_ask_source = {.results = results, .returned = returned, .failed = failed};

struct ask *rpc_load_ask_new(struct session *s)
{
    for (unsigned i = 0; i < ASKS; i++) {
        struct ask *a = &s->ask[i];
        if (!a->used) {
            a->session = s;
            a->used = true;
            a->cancelled = false;
            a->number = 0;
            a->then = NULL;
            s->out++;
            return a;
        }
    }
    return NULL;
}

struct payload rpc_load_ask_params(struct ask *a)
{
    capnp_message_build(&a->params, &a->params_segment, a->params_words, ASK_WORDS, a->params_caps, 1);
    a->results = (struct message){0};
    return capnp_root(&a->params);
}

void rpc_load_ask_send(struct ask *a, struct object *target)
{
    object_call(target, &a->call);
}

void rpc_load_ask_cancel(struct ask *a)
{
    if (!a->used || a->cancelled) {
        return;
    }
    a->cancelled = true;
    if (a->number != 0) {
        rpc_load_say('x', a->session->tag, a->session->line, a->number);
    }
    call_cancel(&a->call);
}

void rpc_load_hit(struct session *s)
{
    struct ask *a = s->hits < LINE_CALLS_MAX && s->out < HITS ? rpc_load_ask_new(s) : NULL;

    if (a == NULL) {
        return;
    }
    struct load_target_hit_params_builder p =
        load_target_hit_begin(&a->call, s->line_end, rpc_load_ask_params(a), &rpc_load_ask_source);
    a->number = ++s->hits;
    load_target_hit_params_set_tag(p, s->tag);
    load_target_hit_params_set_line(p, s->line);
    load_target_hit_params_set_number(p, a->number);
    load_target_hit_params_set_wait(p, rpc_load_random(s) % 4 == 0 ? (uint32_t)(rpc_load_random(s) % 20) : 0);
    rpc_load_say('>', s->tag, s->line, a->number);
    rpc_load_ask_send(a, s->line_end);
}
