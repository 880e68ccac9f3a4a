/* SPDX-License-Identifier: MIT OR Apache-2.0
 * svc_echo_test.c: each method of Echo, and that a delay ends by time or by cancelling, once.
 */
#include "../svc_echo.c"
#include "asker.h"

static struct timer *armed;
void timer_init(struct timer *timer, void (*fire)(struct timer *timer))
{
    *timer = (struct timer){.fire = fire};
}
void timer_set(struct timer *timer, uint64_t deadline_ns)
{
    timer->deadline_ns = deadline_ns;
    armed = timer;
}
void timer_cancel(struct timer *timer)
{
    armed = NULL;
}

static struct asker ask;
static struct object *echo;

static void test_text(void)
{
    test_room = ROOM_LOOP;
    echo_echo_params_set_text(echo_echo_begin(&ask.call, echo, asker_params(&ask), &asker_source), capnp_text("hi"));
    object_call(echo, &ask.call);
    CHECK_EQ(ask.returned, 1);
    CHECK(capnp_text_equal(echo_echo_results_get_text(echo_echo_answer(&ask.call)), capnp_text("hi")));
}

static void test_bytes_are_bounded(void)
{
    test_room = ROOM_LOOP;
    echo_bytes_params_init_data(echo_bytes_begin(&ask.call, echo, asker_params(&ask), &asker_source), BYTES_MAX);
    object_call(echo, &ask.call);
    CHECK_EQ(ask.returned, 1);
    CHECK_EQ(echo_bytes_results_get_data(echo_bytes_answer(&ask.call)).size, BYTES_MAX);
    echo_bytes_params_init_data(echo_bytes_begin(&ask.call, echo, asker_params(&ask), &asker_source), BYTES_MAX + 1);
    object_call(echo, &ask.call);
    CHECK_EQ(ask.failed, 1);
}

static void test_delay(void)
{
    test_room = ROOM_LOOP;
    test_clock_ns = 5;
    echo_delay_params_set_milliseconds(echo_delay_begin(&ask.call, echo, asker_params(&ask), &asker_source), 3);
    object_call(echo, &ask.call);
    CHECK(ask.call.out && armed != NULL);
    CHECK_EQ(armed->deadline_ns, 3000005);
    armed->fire(armed);
    CHECK_EQ(ask.returned, 1);
    CHECK_EQ(self.delays.in_use, 0);
}

static void test_delay_is_cancelled(void)
{
    test_room = ROOM_LOOP;
    echo_delay_params_set_milliseconds(echo_delay_begin(&ask.call, echo, asker_params(&ask), &asker_source),
                                       UINT32_MAX);
    object_call(echo, &ask.call);
    call_cancel(&ask.call);
    CHECK_EQ(ask.failed, 1);
    CHECK(armed == NULL);
    CHECK_EQ(self.delays.in_use, 0);
}

static void test_self_and_fail(void)
{
    test_room = ROOM_LOOP;
    echo_self_begin(&ask.call, echo, asker_params(&ask), &asker_source);
    object_call(echo, &ask.call);
    CHECK(echo_self_results_get_echo(echo_self_answer(&ask.call)) == echo);
    echo_fail_params_set_reason(echo_fail_begin(&ask.call, echo, asker_params(&ask), &asker_source),
                                capnp_text("100% sure"));
    object_call(echo, &ask.call);
    CHECK_EQ(ask.failed, 1);
    CHECK(strcmp(ask.reason, "100% sure") == 0);
    asker_forget(&ask);
}

int main(void)
{
    echo = svc_echo_provide_echo();
    RUN(test_text);
    RUN(test_bytes_are_bounded);
    RUN(test_delay);
    RUN(test_delay_is_cancelled);
    RUN(test_self_and_fail);
    return test_end();
}
