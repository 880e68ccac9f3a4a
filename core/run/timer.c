/* SPDX-License-Identifier: MIT OR Apache-2.0
 * timer.c: timers in a bounded binary heap, the earliest at 1.
 *
 *  (1) at[i]->heap_index == i for 1 <= i <= count; a timer outside has heap_index 0.
 *  (2) at[i / 2]->deadline_ns <= at[i]->deadline_ns.
 *  (3) A timer that is set while timers fire is due after the stage's `now`, so a stage ends.
 */
#include "core/assert.h"
#include "run_private.h"

void timers_init(struct timer_heap *heap)
{
    heap->count = 0;
    heap->now_ns = 0;
}

static void place(struct timer_heap *heap, uint32_t i, struct timer *timer)
{
    heap->at[i] = timer;
    timer->heap_index = i;
}

/* Finds the place for `timer`, beginning at the hole `i`, towards the root. */
static void sift_up(struct timer_heap *heap, uint32_t i, struct timer *timer)
{
    while (i > 1 && heap->at[i / 2]->deadline_ns > timer->deadline_ns) {
        place(heap, i, heap->at[i / 2]);
        i /= 2;
    }
    place(heap, i, timer);
}

static void sift_down(struct timer_heap *heap, uint32_t i, struct timer *timer)
{
    for (;;) {
        uint32_t child = 2 * i;

        if (child > heap->count) {
            break;
        }
        if (child < heap->count && heap->at[child + 1]->deadline_ns < heap->at[child]->deadline_ns) {
            child++;
        }
        if (heap->at[child]->deadline_ns >= timer->deadline_ns) {
            break;
        }
        place(heap, i, heap->at[child]);
        i = child;
    }
    place(heap, i, timer);
}

/* The hole `i` gets `timer`, up or down. */
static void sift(struct timer_heap *heap, uint32_t i, struct timer *timer)
{
    if (i > 1 && heap->at[i / 2]->deadline_ns > timer->deadline_ns) {
        sift_up(heap, i, timer);
    } else {
        sift_down(heap, i, timer);
    }
}

static void heap_remove(struct timer_heap *heap, struct timer *timer)
{
    uint32_t i = timer->heap_index;

    ASSERT(i >= 1 && i <= heap->count && heap->at[i] == timer); /* (1) */
    struct timer *last = heap->at[heap->count--];
    timer->heap_index = 0;
    if (last != timer) {
        sift(heap, i, last);
    }
}

static void heap_set(struct timer_heap *heap, struct timer *timer, uint64_t deadline_ns)
{
    timer->deadline_ns = deadline_ns > heap->now_ns ? deadline_ns : heap->now_ns + 1; /* (3) */
    if (timer->heap_index != 0) {
        ASSERT(heap->at[timer->heap_index] == timer); /* (1) */
        sift(heap, timer->heap_index, timer);
        return;
    }
    ASSERT(heap->count < TIMERS_MAX);
    heap->count++;
    sift_up(heap, heap->count, timer);
}

void timer_init(struct timer *timer, void (*fire)(struct timer *timer))
{
    *timer = (struct timer){.fire = fire};
}

void timer_set(struct timer *timer, uint64_t deadline_ns)
{
    ASSERT(timer->fire != NULL);
    heap_set(&cpu_this()->timers, timer, deadline_ns);
}

void timer_set_boot(struct timer *timer, uint64_t deadline_ns)
{
    ASSERT(timer->fire != NULL);
    heap_set(&cpu_this()->timers, timer, deadline_ns);
}

void timer_cancel(struct timer *timer)
{
    if (timer->heap_index != 0) {
        heap_remove(&cpu_this()->timers, timer);
    }
}

bool timer_armed(const struct timer *timer)
{
    return timer->heap_index != 0;
}

void timers_run(struct timer_heap *heap, uint64_t now_ns, unsigned most)
{
    heap->now_ns = now_ns;
    for (unsigned i = 0; i < most && timers_next(heap) <= now_ns; i++) {
        struct timer *timer = heap->at[1];
        heap_remove(heap, timer);
        timer->fire(timer);
    }
}
