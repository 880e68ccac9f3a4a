/* SPDX-License-Identifier: MIT OR Apache-2.0
 * run_private.h: what a CPU has, and what the parts of core/run know of each other.
 */
#pragma once
#include "core/device.h"
#include "core/loop.h"
#include "core/room.h"
#include "core/thread.h"
#include "plat/plat.h"

#define VECTOR_WORDS (PLAT_VECTORS_MAX / 64u)
_Static_assert(PLAT_VECTORS_MAX % 64u == 0, "whole words");

struct timer_heap {
    struct timer *at[TIMERS_MAX + 1]; /* [L] 1..count; at[i]->heap_index == i; no parent is later than its child */
    uint32_t count;                   /* [L] */
    uint64_t now_ns; /* [L] of the last stage with a timer due: whatever is set from it fires in a later one */
};

struct cpu_counts { /* for the console; [L] but interrupts, which is [a] */
    uint64_t turns;
    uint64_t sleeps;
    uint64_t interrupts;
    uint64_t spurious;
    uint64_t busy_ns;   /* in turns */
    uint64_t thread_ns; /* in threads */
    uint64_t turn_ns_max;
    uint64_t preempted;
    uint64_t held; /* times that threads ran although the loop had work */
};

/* All that belongs to one CPU. Found by cpu_this(). Keys: [I] after cpu_boot  [L] its loop only  [a] its TRAP and its loop */
struct cpu {
    unsigned index;                     /* [I] */
    enum room_id room;                  /* [a] where this CPU is now */
    bool wanted;                        /* [a] TRAP saw something for the loop */
    bool held;                          /* [a] a thread runs out of the loop's excess share: interrupts do not switch */
    uint64_t irq_pending[VECTOR_WORDS]; /* [a] by vector */
    uint64_t timer_armed_ns;            /* [a] what the hardware was told; UINT64_MAX: nothing */
    struct list posted;                 /* [L] struct work */
    uint32_t posted_count;              /* [L] */
    struct list turn_end;               /* [L] struct work */
    struct timer_heap timers;           /* [L] */
    struct list threads_ready;          /* [L] struct thread */
    struct list threads_entered;        /* [L] struct thread */
    struct thread *thread;              /* [a] runs now, or was interrupted by this loop's turn */
    struct plat_context loop_context;   /* [L] */
    uint64_t share_start_ns; /* [L] of the time in which the loop's share is counted; 0: begins with the next turn */
    uint64_t share_given_ns; /* [L] of it, what threads had */
    struct cpu_counts counts;
};

/* Gives the boot CPU its struct. */
void cpu_boot(void) REQUIRES(BOOT);
struct cpu *cpu_this(void); /* NULL before cpu_boot */
/* Of every CPU that has a struct, for the console. */
struct cpu *cpu_at(unsigned index);

/* Leaves BOOT for good and runs the loop. */
_Noreturn void loop_run(void);

void timers_init(struct timer_heap *heap);
static inline uint64_t timers_next(const struct timer_heap *heap) /* UINT64_MAX: none */
{
    return heap->count == 0 ? UINT64_MAX : heap->at[1]->deadline_ns;
}
/* Fires what is due, at most `most`. */
void timers_run(struct timer_heap *heap, uint64_t now_ns, unsigned most) REQUIRES(LOOP);

/* Handles every interrupt that is marked; true if there was one. */
bool irqs_run(struct cpu *cpu) REQUIRES(LOOP);
/* For core's own interrupts: a vector that the platform has opened. */
void irq_attach(struct irq *irq, const char *name, void (*handle)(struct irq *irq), uint32_t vector, bool level)
    REQUIRES(BOOT);
void irq_each(void (*each)(const struct irq *irq, void *context), void *context);
/* All that were opened for this device: masked, and nobody's. */
void irqs_close(struct device_grant *grant);
void device_grant_each(void (*each)(const struct device_grant *grant, void *context), void *context);
void device_note_each(void (*each)(const struct device_note *note, void *context), void *context);

/* Serves the rings of the threads that entered; true if some is not done. */
bool threads_serve(struct cpu *cpu) REQUIRES(LOOP);
struct thread *thread_next(struct cpu *cpu) REQUIRES(LOOP);
/* From now_ns until it enters, ends, or the loop is wanted; with `held_until_ns`, until then, whatever comes. Returns what the
 * clock says then. */
uint64_t thread_run(struct cpu *cpu, struct thread *thread, uint64_t now_ns, uint64_t held_until_ns) REQUIRES(LOOP);

struct thread_usage {
    const char *name;
    const char *state;
    uint64_t ran_ns;
    size_t stack_bytes;
};
void thread_each(void (*each)(const struct thread_usage *usage, void *context), void *context);
/* True: the hardware was told; it had another deadline. */
bool cpu_timer_arm(struct cpu *cpu, uint64_t deadline_ns);
