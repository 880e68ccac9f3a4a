/* SPDX-License-Identifier: MIT OR Apache-2.0
 * support.c: what a host unit test finds in place of a machine: checks, panic, log, rooms, a clock that the test sets.
 *
 * All that core also defines is weak here, so a test that pulls the real thing in gets it.
 */
#include "test.h"
#include <stdarg.h>
#include "core/assert.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/mem.h"
#include "core/room.h"

#define WEAK __attribute__((weak))

jmp_buf *volatile test_panic_jump;
char test_panic_text[256];
uint64_t test_clock_ns;
unsigned test_log_count;
char test_log_last[512];
int test_room = ROOM_BOOT;

static unsigned checks;
static unsigned failures;

void test_counted(void)
{
    checks++;
}

void test_failed(const char *file, int line, const char *format, ...)
{
    va_list args;

    failures++;
    fprintf(stderr, "%s:%d: ", file, line);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\n");
}

void test_run(const char *name, void (*run)(void))
{
    unsigned before = failures;

    test_room = ROOM_BOOT;
    run();
    printf("%s %s\n", failures == before ? "ok  " : "FAIL", name);
    fflush(stdout);
}

int test_end(void)
{
    printf("%u checks, %u failed\n", checks, failures);
    return failures == 0 && checks > 0 ? 0 : 1;
}

uint64_t test_random(void)
{
    static uint64_t state;

    if (state == 0) {
        const char *seed = getenv("TEST_SEED");
        state = (seed != NULL ? strtoull(seed, NULL, 0) : 1) * 0x9E3779B97F4A7C15ull + 1;
    }
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static _Noreturn void stop(void)
{
    jmp_buf *jump = test_panic_jump;

    if (jump != NULL) {
        longjmp(*jump, 1);
    }
    fprintf(stderr, "PANIC %s\n", test_panic_text);
    abort();
}

WEAK _Noreturn void panic(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(test_panic_text, sizeof test_panic_text, format, args);
    va_end(args);
    stop();
}

WEAK _Noreturn void panic_assert(const char *file, int line, const char *what)
{
    snprintf(test_panic_text, sizeof test_panic_text, "%s:%d: %s", file, line, what);
    stop();
}

WEAK void log_line(enum log_level level, const char *tag, const char *format, ...)
{
    va_list args;

    test_log_count++;
    va_start(args, format);
    vsnprintf(test_log_last, sizeof test_log_last, format, args);
    va_end(args);
    if (getenv("TEST_VERBOSE") != NULL) {
        fprintf(stderr, "log %d %s: %s\n", (int)level, tag, test_log_last);
    }
}

WEAK uint64_t clock_ns(void)
{
    return test_clock_ns;
}

WEAK enum room_id room_current(void)
{
    return (enum room_id)test_room;
}

static void room_check(enum room_id want)
{
    if (test_room != -1 && test_room != (int)want) {
        panic("room %d, not %d", test_room, (int)want);
    }
}

WEAK void room_assert_boot(void)
{
    room_check(ROOM_BOOT);
}

WEAK void room_assert_loop(void)
{
    room_check(ROOM_LOOP);
}

WEAK void room_assert_trap(void)
{
    room_check(ROOM_TRAP);
}

WEAK void room_assert_thread(void)
{
    room_check(ROOM_THREAD);
}

/* Memory of the boot arena: the host's, never given back. Found by the leak checker, so tests that care free nothing. */
WEAK void *boot_alloc_named(const char *what, size_t size, size_t align)
{
    (void)what;
    align = align < 16 ? 16 : align;
    void *p = aligned_alloc(align, (size + align - 1) / align * align + (size == 0 ? align : 0));
    return p != NULL ? memset(p, 0, size) : NULL;
}

WEAK void *boot_alloc(size_t size, size_t align)
{
    return boot_alloc_named("test", size, align);
}
