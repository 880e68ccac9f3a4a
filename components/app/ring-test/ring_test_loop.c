/* SPDX-License-Identifier: MIT OR Apache-2.0
 * ring_test_loop.c: what the loop has to do while threads spin, and what it does so that they have to wait.
 */
#include "core/loop.h"
#include "ring_test.h"

#define TICK_NS (2 * NS_PER_MS)
#define STEP_NS (NS_PER_MS / 5) /* one piece of busy work */

static struct {
    struct timer tick;
    uint64_t ticks;
    struct work busy;
    struct timer flood;
    struct call *busy_call;
    uint64_t busy_until_ns;
    uint64_t busy_runs;
} self;

static void tick(struct timer *timer)
{
    room_assert_loop();
    self.ticks++;
    timer_set(timer, clock_ns() + TICK_NS);
}

/* One piece; true while there is more to come. On purpose it never leaves the loop idle. */
static bool busy_piece(void) REQUIRES(LOOP)
{
    uint64_t end = clock_ns() + STEP_NS;

    while (clock_ns() < end) {
    }
    self.busy_runs++;
    if (clock_ns() < self.busy_until_ns) {
        return true;
    }
    ring_test_answer(self.busy_call, self.busy_runs);
    return false;
}

static void busy(struct work *work)
{
    room_assert_loop();
    if (busy_piece()) {
        loop_post(work);
    }
}

/* Due at once, again and again: the loop has nothing left when the turn ends, and is wanted before a thread has begun. */
static void flood(struct timer *timer)
{
    room_assert_loop();
    if (busy_piece()) {
        timer_set(timer, 0);
    }
}

void ring_test_loop_busy(struct call *call, uint64_t ms, bool by_timer)
{
    self.busy_call = call;
    self.busy_until_ns = clock_ns() + ms * NS_PER_MS;
    self.busy_runs = 0;
    if (by_timer) {
        timer_set(&self.flood, 0);
    } else {
        loop_post(&self.busy);
    }
}

uint64_t ring_test_loop_ticks(void)
{
    uint64_t ticks = self.ticks;

    self.ticks = 0;
    return ticks;
}

void ring_test_loop_start(void)
{
    work_init(&self.busy, busy);
    timer_init(&self.flood, flood);
    timer_init(&self.tick, tick);
    timer_set_boot(&self.tick, TICK_NS);
}
