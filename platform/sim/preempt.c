/* SPDX-License-Identifier: MIT OR Apache-2.0
 * preempt.c: where a THREAD is stopped. At each point that it passes, a stream that the coordinator gave says whether it is
 * stopped there, and for how long it computes before.
 *
 *  (1) A point is a call into the machine, a POINT() of core (core/point.h), and, in an image of --enable-edge-preemption, each
 *      edge of the control flow of core and components.
 *  (2) Only a THREAD with interrupts on passes points. The loop and TRAP run with interrupts off, but for the loop's window,
 *      where there is nobody to give way to.
 *  (3) It is stopped by what stops it on a machine: the timer fires, on time when its slice or a deadline ends while it computes,
 *      else early, and the interrupt's tail (core_trap_return) gives the CPU to the loop. Nothing is scheduled here.
 */
#include "preempt.h"
#include "core/point.h"
#include "sim_private.h"
#include "splitmix.h"

#define CHANCE_ALL 1000000u
#define LONG_ONE_IN 16u       /* the others are stopped on the spot */
#define LONG_NS_MAX 20000000u /* two slices of core/run/thread.c */

static struct {
    uint64_t random;
    uint64_t chance; /* of CHANCE_ALL; 0: no thread is stopped */
    uint32_t count;
} self;

void preempt_begin(uint64_t random, uint64_t chance)
{
    self.random = random;
    self.chance = chance;
}

uint32_t preempt_count(void)
{
    uint32_t count = self.count;

    self.count = 0;
    return count;
}

/* How long the thread computes before it is stopped. */
static uint64_t computes_ns(void)
{
    uint64_t draw = splitmix_next(&self.random);

    return draw % LONG_ONE_IN != 0 ? 0 : draw / LONG_ONE_IN % LONG_NS_MAX;
}

void point_reached(void)
{
    if (self.chance == 0 || !plat_irq_enabled() || !sim_context_is_thread()) { /* (2) */
        return;
    }
    if (splitmix_next(&self.random) % CHANCE_ALL < self.chance) {
        self.count++;
        sim_timer_early(sim_clock_ns() + computes_ns()); /* (3) */
    }
}

/* What -fsanitize-coverage=trace-pc calls at each edge; nobody does in other images. */
void __sanitizer_cov_trace_pc(void);
void __sanitizer_cov_trace_pc(void)
{
    point_reached();
}
