/* SPDX-License-Identifier: MIT OR Apache-2.0
 * timer_test.c: the timer heap under random use, against a plain array of deadlines.
 */
#include "../run/timer.c"
#include "test.h"

enum { TIMERS = 200 };

static struct cpu cpu;
struct cpu *cpu_this(void)
{
    return &cpu;
}

static struct timer timers[TIMERS];
static uint64_t want[TIMERS]; /* deadline, 0: not armed */
static uint64_t last_fired_ns;
static unsigned fired_count;
static bool rearm;

static void fired(struct timer *timer)
{
    size_t i = (size_t)(timer - timers);

    CHECK(want[i] != 0 && want[i] <= cpu.timers.now_ns); /* armed, and due */
    CHECK(want[i] >= last_fired_ns);                     /* in order */
    CHECK(!timer_armed(timer));
    last_fired_ns = want[i];
    want[i] = 0;
    fired_count++;
    if (rearm && test_random() % 4 == 0) {
        timer_set(timer, cpu.timers.now_ns - test_random() % 10); /* the past: a later stage's */
        want[i] = cpu.timers.now_ns + 1;
        CHECK_EQ(timer->deadline_ns, want[i]);
    }
}

static void check_heap(void)
{
    unsigned armed = 0;
    uint64_t earliest = UINT64_MAX;

    for (unsigned i = 0; i < TIMERS; i++) {
        CHECK_EQ(timer_armed(&timers[i]), want[i] != 0);
        armed += want[i] != 0;
        earliest = want[i] != 0 && want[i] < earliest ? want[i] : earliest;
    }
    CHECK_EQ(cpu.timers.count, armed);
    CHECK(timers_next(&cpu.timers) == earliest);
    for (uint32_t i = 1; i <= cpu.timers.count; i++) {
        CHECK_EQ(cpu.timers.at[i]->heap_index, i);                                           /* (1) */
        CHECK(i == 1 || cpu.timers.at[i / 2]->deadline_ns <= cpu.timers.at[i]->deadline_ns); /* (2) */
    }
}

static void start(void)
{
    timers_init(&cpu.timers);
    last_fired_ns = 0;
    fired_count = 0;
    for (unsigned i = 0; i < TIMERS; i++) {
        timer_init(&timers[i], fired);
        want[i] = 0;
    }
}

static void test_random_use(void)
{
    uint64_t now = 1000;

    start();
    rearm = true;
    for (int step = 0; step < 20000; step++) {
        size_t i = test_random() % TIMERS;
        uint64_t dice = test_random() % 8;
        if (dice < 4) {
            uint64_t deadline = now - 20 + test_random() % 500;
            timer_set(&timers[i], deadline);
            want[i] = deadline > cpu.timers.now_ns ? deadline : cpu.timers.now_ns + 1;
        } else if (dice < 6) {
            timer_cancel(&timers[i]);
            want[i] = 0;
        } else {
            now += test_random() % 50;
            last_fired_ns = 0;
            timers_run(&cpu.timers, now, TIMERS);
            for (unsigned j = 0; j < TIMERS; j++) {
                CHECK(want[j] == 0 || want[j] > now); /* nothing due was left */
            }
        }
        if (step % 8 == 0) {
            check_heap();
        }
    }
    CHECK(fired_count > 1000);
}

static void test_bounds(void)
{
    static struct timer many[TIMERS_MAX + 1];

    start();
    rearm = false;
    for (unsigned i = 0; i < TIMERS; i++) {
        timer_set(&timers[i], 10);
        want[i] = 10;
    }
    timers_run(&cpu.timers, 10, 5); /* a stage takes no more than it is told */
    CHECK_EQ(fired_count, 5);
    CHECK_EQ(cpu.timers.count, TIMERS - 5);
    timers_init(&cpu.timers);
    for (unsigned i = 0; i <= TIMERS_MAX; i++) {
        timer_init(&many[i], fired);
    }
    for (unsigned i = 0; i < TIMERS_MAX; i++) {
        timer_set(&many[i], 1 + i);
    }
    CHECK_PANICS(timer_set(&many[TIMERS_MAX], 5));
    struct timer none;
    timer_init(&none, NULL);
    CHECK_PANICS(timer_set(&none, 5));
}

int main(void)
{
    RUN(test_random_use);
    RUN(test_bounds);
    return test_end();
}
