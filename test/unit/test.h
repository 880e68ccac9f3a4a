/* SPDX-License-Identifier: MIT OR Apache-2.0
 * test.h: the checks of a host unit test.
 *
 * A test is a C file that includes the .c that it tests and has a main:
 *
 *     #include "test.h"
 *     #include "../ring.c"
 *     static void test_wraps(void) { CHECK_EQ(ring_next(7, 8), 0); }
 *     int main(void) { RUN(test_wraps); return test_end(); }
 *
 * It runs under ASan and UBSan with the core and the component's `needs` as archives: what the test (or a file that it
 * includes) defines itself wins. support.c stands in for what a machine would give: panic, log, rooms, clock.
 * A failed check is printed and counted, and the test goes on; REQUIRE ends it.
 */
#pragma once
#include <inttypes.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void test_failed(const char *file, int line, const char *format, ...) __attribute__((format(printf, 3, 4)));
void test_run(const char *name, void (*run)(void));
/* What main returns: 0 when every check held and at least one ran. */
int test_end(void);
void test_counted(void);

/* A panic that the test expects: see CHECK_PANICS. */
extern jmp_buf *volatile test_panic_jump;
extern char test_panic_text[256];

/* The clock that clock_ns() shows, unless the test links a real one. */
extern uint64_t test_clock_ns;
/* Lines that log_line() got since the start. TEST_VERBOSE=1 in the environment prints them. */
extern unsigned test_log_count;
extern char test_log_last[512];
/* The room that room_current() and room_assert_*() see (enum room_id); starts as BOOT, -1 lets all assertions pass. */
extern int test_room;

/* A repeatable random number: xorshift from TEST_SEED (default 1). */
uint64_t test_random(void);

static inline bool test_all_zero(const void *memory, size_t size)
{
    const uint8_t *bytes = (const uint8_t *)memory;

    while (size > 0 && *bytes == 0) {
        bytes++;
        size--;
    }
    return size == 0;
}

#define RUN(f) test_run(#f, f)

#define CHECK(x)                                                                                                       \
    do {                                                                                                               \
        test_counted();                                                                                                \
        if (!(x)) {                                                                                                    \
            test_failed(__FILE__, __LINE__, "CHECK(%s)", #x);                                                          \
        }                                                                                                              \
    } while (0)

#define REQUIRE(x)                                                                                                     \
    do {                                                                                                               \
        test_counted();                                                                                                \
        if (!(x)) {                                                                                                    \
            test_failed(__FILE__, __LINE__, "REQUIRE(%s)", #x);                                                        \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

#define CHECK_EQ(a, b)                                                                                                 \
    do {                                                                                                               \
        long long test_a = (long long)(a);                                                                             \
        long long test_b = (long long)(b);                                                                             \
        test_counted();                                                                                                \
        if (test_a != test_b) {                                                                                        \
            test_failed(__FILE__, __LINE__, "%s is %lld (0x%llx), not %s = %lld (0x%llx)", #a, test_a,                 \
                        (unsigned long long)test_a, #b, test_b, (unsigned long long)test_b);                           \
        }                                                                                                              \
    } while (0)

#define CHECK_STR(a, b)                                                                                                \
    do {                                                                                                               \
        const char *test_a = (a);                                                                                      \
        const char *test_b = (b);                                                                                      \
        test_counted();                                                                                                \
        if (test_a == NULL || strcmp(test_a, test_b) != 0) {                                                           \
            test_failed(__FILE__, __LINE__, "%s is \"%s\", not \"%s\"", #a, test_a == NULL ? "(null)" : test_a,        \
                        test_b);                                                                                       \
        }                                                                                                              \
    } while (0)

#define CHECK_BYTES(a, b, size)                                                                                        \
    do {                                                                                                               \
        test_counted();                                                                                                \
        if (memcmp((a), (b), (size)) != 0) {                                                                           \
            test_failed(__FILE__, __LINE__, "%s and %s differ in %zu bytes", #a, #b, (size_t)(size));                  \
        }                                                                                                              \
    } while (0)

/* The statement must panic or fail an ASSERT. Locals that it changes should be volatile. */
#define CHECK_PANICS(...)                                                                                              \
    do {                                                                                                               \
        jmp_buf test_jump;                                                                                             \
        test_counted();                                                                                                \
        test_panic_jump = &test_jump;                                                                                  \
        if (setjmp(test_jump) == 0) {                                                                                  \
            __VA_ARGS__;                                                                                               \
            test_panic_jump = NULL;                                                                                    \
            test_failed(__FILE__, __LINE__, "CHECK_PANICS(%s) did not panic", #__VA_ARGS__);                           \
        }                                                                                                              \
        test_panic_jump = NULL;                                                                                        \
    } while (0)
