/* SPDX-License-Identifier: MIT OR Apache-2.0
 * preempt_test.c: who is stopped at a point, how often, and that a stream says the same twice.
 */
#include "test.h"
#include "../preempt.c"

static struct {
    bool on, thread;
    unsigned stopped, late;
    uint64_t last_ns, cost_ns;
} saw;

bool plat_irq_enabled(void)
{
    return saw.on;
}

bool sim_context_is_thread(void)
{
    return saw.thread;
}

uint64_t sim_clock_ns(void)
{
    return 7;
}

void sim_cost(uint64_t ns)
{
    saw.cost_ns += ns;
}

void sim_timer_early(uint64_t deadline_ns)
{
    CHECK(deadline_ns >= 7 && deadline_ns < 7 + LONG_NS_MAX);
    saw.stopped++;
    saw.late += deadline_ns > 7;
    saw.last_ns = deadline_ns;
}

static void points(bool on, bool thread, unsigned count)
{
    saw.on = on;
    saw.thread = thread;
    for (unsigned i = 0; i < count; i++) {
        point_reached();
    }
}

static void test_who(void)
{
    points(true, true, 100);
    CHECK_EQ(saw.stopped, 0); /* nobody said so */
    preempt_begin(5, CHANCE_ALL, 0);
    points(false, true, 100);
    points(true, false, 100);
    CHECK_EQ(saw.stopped, 0); /* interrupts are off; it is the loop */
    points(true, true, 100);
    CHECK_EQ(saw.stopped, 100);
    __sanitizer_cov_trace_pc(); /* an edge, of which nobody spoke */
    CHECK_EQ(preempt_counts(), 100);
    preempt_begin(5, 0, CHANCE_ALL);
    points(true, true, 100);
    CHECK_EQ(preempt_counts(), 0);
    __sanitizer_cov_trace_pc();
    CHECK_EQ(preempt_counts(), 1u << 16);
    CHECK_EQ(preempt_counts(), 0);
}

static void test_each_takes_time(void)
{
    uint64_t before = saw.cost_ns;

    points(true, true, 10);
    points(false, true, 10); /* in cap_enter */
    CHECK_EQ(saw.cost_ns - before, 20 * COST_POINT_NS);
    points(true, false, 10); /* the loop: its turn is what it asks of the machine */
    __sanitizer_cov_trace_pc();
    CHECK_EQ(saw.cost_ns - before, 20 * COST_POINT_NS);
}

static void test_how_often(void)
{
    saw.stopped = saw.late = 0;
    preempt_begin(5, CHANCE_ALL / 4, 0);
    points(true, true, 4000);
    CHECK(saw.stopped > 800 && saw.stopped < 1200);
    CHECK(saw.late > 20 && saw.late < saw.stopped / 8);
    preempt_begin(5, 0, 0);
    unsigned before = saw.stopped;
    points(true, true, 100);
    CHECK_EQ(saw.stopped, before);
}

static void test_again(void)
{
    preempt_begin(9, CHANCE_ALL / 2, 0);
    points(true, true, 1000);
    uint64_t last = saw.last_ns;
    uint32_t count =
        (preempt_counts(), preempt_begin(9, CHANCE_ALL / 2, 0), points(true, true, 1000), preempt_counts());
    CHECK_EQ(saw.last_ns, last);
    preempt_begin(9, CHANCE_ALL / 2, 0);
    points(true, true, 1000);
    CHECK_EQ(preempt_counts(), count);
}

int main(void)
{
    RUN(test_who);
    RUN(test_each_takes_time);
    RUN(test_how_often);
    RUN(test_again);
    return test_end();
}
