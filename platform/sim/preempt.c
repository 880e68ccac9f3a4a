/* SPDX-License-Identifier: MIT OR Apache-2.0
 * preempt.c: where a THREAD is stopped. At each point that it passes, a stream that the coordinator gave says whether it is
 * stopped there, and for how long it computes before.
 *
 *  (1) A point is a call into the machine or a POINT() of core (core/point.h). In an image of --enable-edge-preemption each edge of
 *      the control flow of core and components is one too, with a stream and a chance of its own: edges are the compiler's,
 *      so what is drawn at them says the same again in the same binary only.
 *  (2) Only a THREAD with interrupts on passes points. The loop and TRAP run with interrupts off, but for the loop's window,
 *      where there is nobody to give way to.
 *  (3) It is stopped by what stops it on a machine: the timer fires, on time when its slice or a deadline ends while it computes,
 *      else early, and the interrupt's tail (core_trap_return) gives the CPU to the loop. Nothing is scheduled here.
 *  (4) A THREAD that passes a point has computed for a while: time moves by a fixed cost, so one that does nothing but use its ring
 *      does not stand still in time. An edge costs nothing: an image that has points at edges lives as long as one that has none.
 */
#include "preempt.h"
#include "core/point.h"
#include "sim_private.h"
#include "splitmix.h"

#define COST_POINT_NS 10u /* some dozens of instructions: what core does between two points */
#define CHANCE_ALL 1000000u
#define LONG_ONE_IN 16u       /* the others are stopped on the spot */
#define LONG_NS_MAX 20000000u /* two slices of core/run/thread.c */

/* What is drawn from at a kind of point. */
struct draw {
    uint64_t random;
    uint64_t chance; /* of CHANCE_ALL; 0: no thread is stopped */
    uint32_t count;  /* that were stopped */
};

static struct {
    struct draw point, edge;
} self;

void preempt_begin(uint64_t random, uint64_t at_points, uint64_t at_edges)
{
    self.point = (struct draw){random, at_points, self.point.count};
    self.edge = (struct draw){~random, at_edges, self.edge.count};
}

uint32_t preempt_counts(void)
{
    uint32_t counts = (self.point.count & 0xffff) | self.edge.count << 16;

    self.point.count = self.edge.count = 0;
    return counts;
}

/* How long the thread computes before it is stopped. */
static uint64_t computes_ns(uint64_t drawn)
{
    return drawn % LONG_ONE_IN != 0 ? 0 : drawn / LONG_ONE_IN % LONG_NS_MAX;
}

static void pass(struct draw *draw)
{
    if (draw->chance == 0 || !plat_irq_enabled() || !sim_context_is_thread()) { /* (2) */
        return;
    }
    if (splitmix_next(&draw->random) % CHANCE_ALL < draw->chance) {
        draw->count++;
        sim_timer_early(sim_clock_ns() + computes_ns(splitmix_next(&draw->random))); /* (3) */
    }
}

void point_reached(void)
{
    sim_cost(sim_context_is_thread() ? COST_POINT_NS : 0); /* (4) */
    pass(&self.point);
}

/* What -fsanitize-coverage=trace-pc calls at each edge; nobody does in other images. */
void __sanitizer_cov_trace_pc(void);
void __sanitizer_cov_trace_pc(void)
{
    pass(&self.edge);
}
