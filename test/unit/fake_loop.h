/* SPDX-License-Identifier: MIT OR Apache-2.0
 * fake_loop.h: for unit tests of drivers: a loop that the test turns by hand, memory that devices see at the CPU's own addresses,
 * and a device's grant, of which core/run/grant.c is the real one. Include once, after test.h.
 */
#pragma once
#include <stdlib.h>
#include <string.h>
#include "core/device.h"
#include "core/loop.h"
#include "core/mem.h"
#include "core/raw.h"

/* --- a loop ----------------------------------------------------------------------------------------------------------- */

static struct list fake_posted = {&fake_posted, &fake_posted};
static struct list fake_ending = {&fake_ending, &fake_ending};
static struct timer *fake_timer[4]; /* that are armed */

void work_init(struct work *work, void (*run)(struct work *work))
{
    work->run = run;
    list_init(&work->node);
}

static void queue_once(struct list *list, struct work *work)
{
    if (list_empty(&work->node)) {
        list_push_back(list, &work->node);
    }
}

void loop_post(struct work *work)
{
    queue_once(&fake_posted, work);
}

void loop_post_boot(struct work *work)
{
    queue_once(&fake_posted, work);
}

void loop_at_turn_end(struct work *work)
{
    queue_once(&fake_ending, work);
}

void timer_init(struct timer *timer, void (*fire)(struct timer *timer))
{
    *timer = (struct timer){.fire = fire};
}

static inline struct timer **fake_timer_place(const struct timer *timer)
{
    for (unsigned i = 0; i < sizeof fake_timer / sizeof fake_timer[0]; i++) {
        if (fake_timer[i] == timer) {
            return &fake_timer[i];
        }
    }
    return NULL;
}

bool timer_armed(const struct timer *timer)
{
    return fake_timer_place(timer) != NULL;
}

void timer_set(struct timer *timer, uint64_t deadline_ns)
{
    struct timer **place = fake_timer_place(timer_armed(timer) ? timer : NULL);

    REQUIRE(place != NULL);
    *place = timer;
    timer->deadline_ns = deadline_ns;
}

void timer_set_boot(struct timer *timer, uint64_t deadline_ns)
{
    timer_set(timer, deadline_ns);
}

static inline void run_all(struct list *list)
{
    struct list now;
    struct list *node;

    list_init(&now);
    while ((node = list_pop_front(list)) != NULL) {
        list_push_back(&now, node);
    }
    while ((node = list_pop_front(&now)) != NULL) {
        struct work *work = CONTAINER_OF(node, struct work, node);
        work->run(work);
    }
}

/* One turn: what was posted before it, timers that are due, then the doorbells. */
static inline void fake_turn(void)
{
    test_room = ROOM_LOOP;
    run_all(&fake_posted);
    for (unsigned i = 0; i < sizeof fake_timer / sizeof fake_timer[0]; i++) {
        struct timer *timer = fake_timer[i];
        if (timer != NULL && timer->deadline_ns <= test_clock_ns) {
            fake_timer[i] = NULL;
            timer->fire(timer);
        }
    }
    run_all(&fake_ending);
}

/* In BOOT, at time 0, with nothing posted and no timer armed. */
static inline void fake_loop_begin(void)
{
    list_init(&fake_posted);
    list_init(&fake_ending);
    memset(fake_timer, 0, sizeof fake_timer);
    test_clock_ns = 0;
    test_room = ROOM_BOOT;
}

/* --- memory ----------------------------------------------------------------------------------------------------------- */

void *boot_alloc(size_t size, size_t align)
{
    void *p = aligned_alloc(align < 16 ? 16 : align, (size + 4095) & ~(size_t)4095);

    memset(p, 0, size);
    return p; /* never freed: boot memory is for life (the sanitizer's leak check is off for these tests) */
}

void *boot_alloc_named(const char *what, size_t size, size_t align)
{
    (void)what;
    return boot_alloc(size, align);
}

/* --- a grant ---------------------------------------------------------------------------------------------------------- */

static struct ledger fake_ledger; /* the driver's: as much as it likes, unless the test says otherwise */
static unsigned fake_silenced;    /* times that the bus was told to cut it off */

uint64_t plat_dma_of(const void *p);
uint64_t plat_dma_of(const void *p)
{
    return (uint64_t)(uintptr_t)p;
}

const struct ledger *ledger_selected(void);
const struct ledger *ledger_selected(void)
{
    return &fake_ledger;
}

void irqs_close(struct device_grant *grant);
void irqs_close(struct device_grant *grant)
{
    grant->interrupts = 0;
}

static void fake_off(struct device_grant *grant)
{
    (void)grant;
    fake_silenced++;
}

/* A device that nobody has. */
static inline void fake_grant_begin(struct device_grant *grant)
{
    fake_ledger = (struct ledger){.name = "drv/fake", .dma_bytes = SIZE_MAX / 2, .interrupts = 64};
    fake_silenced = 0;
    raw_grant_init(grant, "fake", fake_off);
}

/* Whether all that the device could reach was zeroed and taken back. */
static inline bool fake_scrubbed(const struct device_grant *grant)
{
    return grant->state == DEVICE_GONE && grant->dma_bytes == 0 && grant->interrupts == 0 && grant->generation == 2;
}

void device_note_add(struct device_note *note)
{
    (void)note;
}

const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}
