/* SPDX-License-Identifier: MIT OR Apache-2.0
 * ring_test_object.c: an object served by the loop, with methods that return at once, later, never, or fail.
 */
#include <string.h>
#include "core/assert.h"
#include "core/loop.h"
#include "ring_test.h"
#define LOG_TAG "ring-test"
#include "core/log.h"

/* Cap'n Proto encoding: a struct pointer at distance 0 with one data word and no pointers. */
#define ONE_WORD_STRUCT 0x0000000100000000ull

static struct {
    struct object object;
    struct timer delay;
    struct call *delayed; /* one at a time: the test asks for no more */
    uint64_t delayed_value;
} self;

void ring_test_encode(uint64_t *words, uint64_t value)
{
    words[0] = ONE_WORD_STRUCT;
    words[1] = value;
}

bool ring_test_decode(const struct payload *payload, uint64_t *value)
{
    const struct message_segment *segment = &payload->message->segment[payload->segment];

    if (payload->word + RING_TEST_WORDS > segment->used || segment->words[payload->word] != ONE_WORD_STRUCT) {
        return false;
    }
    *value = segment->words[payload->word + 1];
    return true;
}

void ring_test_answer(struct call *call, uint64_t value)
{
    struct payload results = call_results(call, 1);
    struct message_segment *segment = &results.message->segment[results.segment];

    if (segment->size - segment->used < 1) {
        results.message->failed = true;
    } else {
        ring_test_encode(&segment->words[results.word], value);
        segment->used++;
    }
    call_return(call);
}

static void answer_self(struct call *call) REQUIRES(LOOP)
{
    struct payload results = call_results(call, 1);

    ASSERT(results.message->cap_count < results.message->cap_max);
    results.message->caps[results.message->cap_count++] = object_get(&self.object);
    call_return(call);
}

static void delay_over(struct timer *timer)
{
    room_assert_loop();
    struct call *call = self.delayed;

    (void)timer;
    self.delayed = NULL;
    ring_test_answer(call, self.delayed_value);
}

static void delay_cancelled(struct call *call)
{
    room_assert_loop();
    timer_cancel(&self.delay);
    self.delayed = NULL;
    call_fail(call, EXCEPTION_FAILED, "cancelled");
}

static void never_cancelled(struct call *call)
{
    room_assert_loop();
    call_fail(call, EXCEPTION_FAILED, "cancelled");
}

static void delay_begin(struct call *call, uint64_t ms) REQUIRES(LOOP)
{
    if (self.delayed != NULL) {
        call_fail(call, EXCEPTION_OVERLOADED, "one delay at a time");
        return;
    }
    self.delayed = call;
    self.delayed_value = ms;
    call->cancelled = delay_cancelled;
    timer_set(&self.delay, clock_ns() + ms * NS_PER_MS);
}

static void verdict(struct call *call, uint64_t value) REQUIRES(LOOP)
{
    uint32_t failures = (uint32_t)(value >> 32);

    log_info("%s %u checks, %u failed", failures == 0 ? "PASS" : "FAIL", (uint32_t)value, failures);
    ring_test_answer(call, 0);
    loop_halt(failures == 0 ? 0 : 1);
}

static void object_called(struct object *object, struct call *call)
{
    room_assert_loop();
    uint64_t value;

    (void)object;
    if (call->interface_id != RING_TEST_INTERFACE || !ring_test_decode(&call->params, &value)) {
        call_fail(call, EXCEPTION_UNIMPLEMENTED, "not this interface, or not its message");
        return;
    }
    switch (call->method_id) {
    case RING_TEST_NEXT:
        ring_test_answer(call, value + 1);
        return;
    case RING_TEST_DELAY:
        delay_begin(call, value);
        return;
    case RING_TEST_FAIL:
        call_fail(call, EXCEPTION_FAILED, "as asked, %lu", value);
        return;
    case RING_TEST_NEVER:
        call->cancelled = never_cancelled;
        return;
    case RING_TEST_SELF:
        answer_self(call);
        return;
    case RING_TEST_BUSY:
    case RING_TEST_FLOOD:
        ring_test_loop_busy(call, value, call->method_id == RING_TEST_FLOOD);
        return;
    case RING_TEST_LATE:
        ring_test_answer(call, ring_test_loop_ticks());
        return;
    case RING_TEST_VERDICT:
        verdict(call, value);
        return;
    default:
        call_fail(call, EXCEPTION_UNIMPLEMENTED, "method %u", call->method_id);
    }
}

static const struct object_ops ops = {.call = object_called};

struct object *ring_test_object(void)
{
    object_init(&self.object, &ops);
    timer_init(&self.delay, delay_over);
    return &self.object;
}
