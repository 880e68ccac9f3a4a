/* SPDX-License-Identifier: MIT OR Apache-2.0
 * svc_echo.c: the Echo service: one static object.
 */
#include "config.h"
#include "core/assert.h"
#include "core/loop.h"
#include "core/mem.h"
#include "svc/echo/echo.capnp.h"

#define BYTES_MAX (64u * 1024u)

/* A call of delay() that waits. Keys: [L] the loop only */
struct delay {
    struct timer timer; /* [L] armed for as long as the call is out */
    struct call *call;  /* [L] */
};

static struct svc_echo_state {
    struct object object;
    struct pool delays;
    bool ready; /* [I] */
} self;

static void echo_text(struct object *object, struct call *call, struct echo_echo_params_reader params)
{
    room_assert_loop();
    struct capnp_text text = echo_echo_params_get_text(params);

    echo_echo_results_set_text(echo_echo_results(call, text.size / 8 + 4), text);
    call_return(call);
}

static void echo_bytes(struct object *object, struct call *call, struct echo_bytes_params_reader params)
{
    room_assert_loop();
    struct capnp_data data = echo_bytes_params_get_data(params);

    if (data.size > BYTES_MAX) {
        call_fail(call, EXCEPTION_FAILED, "at most %u bytes at a time", BYTES_MAX);
        return;
    }
    echo_bytes_results_set_data(echo_bytes_results(call, data.size / 8 + 4), data);
    call_return(call);
}

REQUIRES(LOOP)
static struct call *delay_end(struct delay *delay)
{
    struct call *call = delay->call;

    pool_put(&self.delays, delay);
    return call;
}

static void delay_over(struct timer *timer)
{
    room_assert_loop();
    call_return(delay_end(CONTAINER_OF(timer, struct delay, timer)));
}

static void delay_cancelled(struct call *call)
{
    room_assert_loop();
    struct delay *delay = call->server;

    ASSERT(delay->call == call);
    timer_cancel(&delay->timer);
    call_fail(delay_end(delay), EXCEPTION_FAILED, "cancelled");
}

static void echo_delay(struct object *object, struct call *call, struct echo_delay_params_reader params)
{
    room_assert_loop();
    struct delay *delay = pool_get(&self.delays);

    if (delay == NULL) {
        call_fail(call, EXCEPTION_OVERLOADED, "%u delays wait already", self.delays.count);
        return;
    }
    delay->call = call;
    call->server = delay;
    call->cancelled = delay_cancelled;
    timer_init(&delay->timer, delay_over);
    timer_set(&delay->timer, clock_ns() + echo_delay_params_get_milliseconds(params) * NS_PER_MS);
}

static void echo_self(struct object *object, struct call *call, struct echo_self_params_reader params)
{
    room_assert_loop();
    echo_self_results_set_echo(echo_self_results(call, 4), object);
    call_return(call);
}

static void echo_fail(struct object *object, struct call *call, struct echo_fail_params_reader params)
{
    room_assert_loop();
    call_fail(call, EXCEPTION_FAILED, "%s", echo_fail_params_get_reason(params).text);
}

static void dispatch(struct object *object, struct call *call)
{
    static const struct echo_server_ops ops = {
        .echo = echo_text,
        .bytes = echo_bytes,
        .delay = echo_delay,
        .self = echo_self,
        .fail = echo_fail,
    };

    room_assert_loop();
    echo_dispatch(&ops, object, call);
}

struct object *svc_echo_provide_echo(void) REQUIRES(BOOT);
struct object *svc_echo_provide_echo(void)
{
    static const struct object_ops object_ops = {.call = dispatch};

    if (!self.ready) {
        object_init(&self.object, &object_ops);
        pool_init(&self.delays, "echo delays", sizeof(struct delay), SVC_ECHO_DELAYS);
        self.ready = true;
    }
    return &self.object;
}

status_t svc_echo_start(void) REQUIRES(BOOT);
status_t svc_echo_start(void)
{
    (void)svc_echo_provide_echo(); /* an image may have it without exposing it */
    return ST_OK;
}
