/* SPDX-License-Identifier: MIT OR Apache-2.0
 * ring_test.h: what the files of this component know of each other.
 */
#pragma once
#include "core/cap.h"
#include "core/object.h"
#include "core/ring.h"
#include "core/room.h"

#define RING_TEST_INTERFACE 0xe0c3a1b2d4f50617ull

/* Methods of the loop's object. Params and results are a struct of one data word. */
enum ring_test_method {
    RING_TEST_NEXT = 0,    /* value + 1, at once */
    RING_TEST_DELAY = 1,   /* value ms later, value */
    RING_TEST_FAIL = 2,    /* always: "as asked" */
    RING_TEST_NEVER = 3,   /* until it is cancelled */
    RING_TEST_SELF = 4,    /* gives the object itself */
    RING_TEST_BUSY = 5,    /* the loop posts work to itself for value ms, then returns how often it ran */
    RING_TEST_LATE = 6,    /* how often the 2-ms timer fired since the last time, value ms of it */
    RING_TEST_FLOOD = 8,   /* as BUSY, by a timer that is always due: an interrupt each time a thread begins to run */
    RING_TEST_VERDICT = 7, /* value: failures << 32 | checks. Halts. */
};

status_t ring_test_start(void) REQUIRES(BOOT);

struct object *ring_test_object(void) REQUIRES(BOOT);
/* Ticks of the timer that runs beside everything. */
void ring_test_loop_start(void) REQUIRES(BOOT);
void ring_test_loop_busy(struct call *call, uint64_t ms, bool by_timer) REQUIRES(LOOP);
uint64_t ring_test_loop_ticks(void) REQUIRES(LOOP);

/* A message of one struct with one data word. */
#define RING_TEST_WORDS 2u
void ring_test_encode(uint64_t *words, uint64_t value);
/* false: it is something else. */
bool ring_test_decode(const struct payload *payload, uint64_t *value);
void ring_test_answer(struct call *call, uint64_t value) REQUIRES(LOOP);
