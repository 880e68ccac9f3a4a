/* SPDX-License-Identifier: MIT OR Apache-2.0
 * node_clock.h: a machine's own clock against the run's: it began at its boot, and may run fast or slow.
 *
 *  (1) Rounding never lets a machine be early: the own time of a run's time is rounded down, the run's time of an own time
 *      up. So who is woken when its timer is due finds that it is.
 */
#pragma once
#include <stdint.h>

/* From run_ns on, when it said own_ns, it gains so many parts in a million; loses, if less than 0. */
struct node_clock {
    uint64_t run_ns, own_ns;
    int32_t drift_ppm;
};

#define CLOCK_MILLION 1000000 /* signed: a drift is added */

static inline uint64_t clock_own(const struct node_clock *clock, uint64_t run_ns)
{
    uint64_t passed = run_ns > clock->run_ns ? run_ns - clock->run_ns : 0;
    uint64_t rate = (uint64_t)(CLOCK_MILLION + clock->drift_ppm);

    return clock->own_ns + passed / CLOCK_MILLION * rate + passed % CLOCK_MILLION * rate / CLOCK_MILLION;
}

static inline uint64_t clock_run(const struct node_clock *clock, uint64_t own_ns)
{
    uint64_t passed = own_ns > clock->own_ns ? own_ns - clock->own_ns : 0;
    uint64_t rate = (uint64_t)(CLOCK_MILLION + clock->drift_ppm);

    return clock->run_ns + passed / rate * CLOCK_MILLION + (passed % rate * CLOCK_MILLION + rate - 1) / rate;
}

/* From this time of the run on it drifts so. */
static inline void clock_drift(struct node_clock *clock, uint64_t run_ns, int32_t drift_ppm)
{
    *clock = (struct node_clock){run_ns, clock_own(clock, run_ns), drift_ppm};
}
