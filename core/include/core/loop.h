/* SPDX-License-Identifier: MIT OR Apache-2.0
 * loop.h: one loop a CPU; turns, posted work, timers, time.
 *
 * A turn: interrupts that were marked, posted work, due timers, ring submissions; then a thread or sleep. Each stage is
 * bounded, and what is left goes to the next turn. There is no periodic tick. A `struct work` or `struct timer` is the
 * owner's memory and stands in at most one queue at a time.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "core/list.h"
#include "core/room.h"
#include "core/status.h"

#define NS_PER_MS ((uint64_t)1000000)
#define NS_PER_S ((uint64_t)1000000000)

/* Monotonic nanoseconds since boot. Any room. */
uint64_t clock_ns(void);
/* Nanoseconds since 1970 by the machine's RTC, 0 when unknown. Any room. */
uint64_t clock_wall_ns(void);

/* Work for this CPU's loop in a later stage or turn. */
struct work {
    void (*run)(struct work *work); /* [I] LOOP; begins with room_assert_loop() */
    struct list node;               /* [L] queued when not empty */
};
void work_init(struct work *work, void (*run)(struct work *work));
/* Queues it; already queued is fine and queues it once. */
void loop_post(struct work *work) REQUIRES(LOOP);
void loop_post_boot(struct work *work) REQUIRES(BOOT); /* runs in the first turn */

/* Runs once at the end of each turn, after all work and before the CPU sleeps: for doorbells and flushes, so that a
 * turn's worth of submissions rings once. Armed by loop_at_turn_end(), one-shot, idempotent. */
void loop_at_turn_end(struct work *work) REQUIRES(LOOP);

/* Armed at a time, a CPU. More than the upper ends of all options that let a peer arm some: 1,024 connections of rpc/vat, as
 * many delayed calls of svc/echo, 64 sessions of app/store-load. */
#define TIMERS_MAX 4096u

struct timer {
    void (*fire)(struct timer *timer); /* [I] LOOP; begins with room_assert_loop() */
    uint64_t deadline_ns;              /* [L] */
    uint32_t heap_index;               /* [L] 0: not armed */
};
void timer_init(struct timer *timer, void (*fire)(struct timer *timer));
/* (Re)arms. A deadline in the past fires in the next turn. More than TIMERS_MAX armed is our mistake (asserted). */
void timer_set(struct timer *timer, uint64_t deadline_ns) REQUIRES(LOOP);
void timer_set_boot(struct timer *timer, uint64_t deadline_ns) REQUIRES(BOOT);
void timer_cancel(struct timer *timer) REQUIRES(LOOP);
bool timer_armed(const struct timer *timer);

/* Asks for a clean stop of the machine after this turn: exit status 0 clean, 1 test failed. */
void loop_halt(int status) REQUIRES(LOOP);
void loop_reboot(void) REQUIRES(LOOP);

/* The image is ready to serve: prints `ready PROFILE in N.NNN s` when every holder has released. Components that must
 * reach a state first (an address, a mounted disk) hold it during start and release it from the loop. */
struct ready { /* embedded in its holder */
    bool held;
};
void ready_hold(struct ready *ready) REQUIRES(BOOT);
/* Counts the first time only: what a holder waited for may come and go before the others are there. */
void ready_release(struct ready *ready) REQUIRES(LOOP);
bool ready_reached(void);
