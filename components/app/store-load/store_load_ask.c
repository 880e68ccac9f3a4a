/* SPDX-License-Identifier: MIT OR Apache-2.0
 * store_load_ask.c: calls, each with its own memory; an ask has one at a time.
 */
#include <string.h>
#include "core/list.h"
#include "store_load.h"

static struct ask *ask_of(struct call *call)
{
    return CONTAINER_OF(call, struct ask, call);
}

static struct payload results(struct call *call, uint32_t words)
{
    struct ask *a = ask_of(call);

    (void)words;
    room_assert_loop();
    capnp_message_build(&a->results, &a->results_segment, a->results_words, ASK_WORDS, a->results_caps, ASK_CAPS);
    return capnp_root(&a->results);
}

/* The ask may be used again by what comes then, so its capabilities go only if it was not. */
static void ended(struct ask *a) REQUIRES(LOOP)
{
    void (*then)(struct session *) = a->then;

    a->then = NULL;
    message_release_caps(&a->params);
    then(a->session);
}

static void returned(struct call *call)
{
    struct session *s = ask_of(call)->session;

    room_assert_loop();
    s->failed = false;
    ended(ask_of(call));
}

static void failed(struct call *call, enum exception type, const char *reason)
{
    struct session *s = ask_of(call)->session;

    room_assert_loop();
    s->failed = true;
    s->why = type;
    s->missing = strncmp(reason, "not-found:", 10) == 0;
    s->odd = type == EXCEPTION_FAILED && strstr(reason, ": the disk ") == NULL && strncmp(reason, "full:", 5) != 0;
    s->beside = strncmp(reason, "corrupt:", 8) != 0;
    ended(ask_of(call));
}

const struct call_source load_ask_source = {.results = results, .returned = returned, .failed = failed};

struct payload load_ask_params(struct ask *a)
{
    ASSERT(a->then == NULL);
    message_release_caps(&a->results);
    capnp_message_build(&a->params, &a->params_segment, a->params_words, ASK_WORDS, a->params_caps, ASK_CAPS);
    a->results = (struct message){0};
    return capnp_root(&a->params);
}

void load_ask_send(struct ask *a, struct object *target, void (*then)(struct session *s))
{
    a->then = then;
    object_call(target, &a->call);
}
