/* SPDX-License-Identifier: MIT OR Apache-2.0
 * asker.h: one who calls an object, for the tests of servers.
 *
 *     echo_echo_params_set_text(echo_echo_begin(&ask.call, echo, asker_params(&ask), &asker_source), capnp_text("hi"));
 *     object_call(echo, &ask.call);
 *     CHECK_EQ(ask.returned, 1);
 *
 * An asker has one call at a time; asker_params() forgets the last one, which must be back, and what it answered.
 */
#pragma once
#include <stdio.h>
#include <string.h>
#include "core/object.h"
#include "core/room.h"
#include "lib/capnp/capnp.h"
#include "test.h"

#define ASKER_WORDS 10000u
#define ASKER_CAPS 4u

struct asker {
    struct call call;
    struct message params, results;
    struct message_segment params_segment, results_segment;
    struct object *params_caps[ASKER_CAPS], *results_caps[ASKER_CAPS];
    uint64_t params_words[ASKER_WORDS], results_words[ASKER_WORDS];
    unsigned returned, failed;
    enum exception type;
    char reason[CALL_REASON_MAX];
};

static inline struct asker *asker_of(struct call *call)
{
    return CONTAINER_OF(call, struct asker, call);
}

static inline struct payload asker_results(struct call *call, uint32_t words)
{
    struct asker *a = asker_of(call);

    (void)words;
    capnp_message_build(&a->results, &a->results_segment, a->results_words, ASKER_WORDS, a->results_caps, ASKER_CAPS);
    a->results.read_limit_words = 10 * ASKER_WORDS;
    return capnp_root(&a->results);
}

static inline void asker_returned(struct call *call)
{
    asker_of(call)->returned++;
}

static inline void asker_failed(struct call *call, enum exception type, const char *reason)
{
    struct asker *a = asker_of(call);

    a->failed++;
    a->type = type;
    (void)snprintf(a->reason, sizeof a->reason, "%s", reason);
}

static const struct call_source asker_source = {asker_results, asker_returned, asker_failed};

static inline void asker_forget(struct asker *a)
{
    REQUIRE(!a->call.out);
    message_release_caps(&a->params);
    message_release_caps(&a->results);
    memset(a, 0, sizeof *a);
}

static inline struct payload asker_params(struct asker *a)
{
    test_room = ROOM_LOOP;
    asker_forget(a);
    capnp_message_build(&a->params, &a->params_segment, a->params_words, ASKER_WORDS, a->params_caps, ASKER_CAPS);
    a->params.read_limit_words = 10 * ASKER_WORDS;
    return capnp_root(&a->params);
}
