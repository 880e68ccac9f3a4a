/* SPDX-License-Identifier: MIT OR Apache-2.0
 * disk_machine.c: what the image's libraries want of core, from a Linux process: clocks, memory, rooms (there is one), an end.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "core/assert.h"
#include "core/loop.h"
#include "core/mem.h"

#define LINE_MAX 512u

static _Noreturn void stop(const char *why)
{
    (void)fprintf(stderr, "capos: failed: a mistake in capos itself: %s\n", why);
    abort();
}

void panic(const char *format, ...)
{
    char text[LINE_MAX];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    stop(text);
}

void panic_assert(const char *file, int line, const char *what)
{
    panic("%s:%d: %s", file, line, what);
}

static uint64_t now(clockid_t clock)
{
    struct timespec time;

    (void)clock_gettime(clock, &time);
    return (uint64_t)time.tv_sec * NS_PER_S + (uint64_t)time.tv_nsec;
}

uint64_t clock_ns(void)
{
    return now(CLOCK_MONOTONIC);
}

uint64_t clock_wall_ns(void)
{
    return now(CLOCK_REALTIME);
}

void *boot_alloc_named(const char *what, size_t size, size_t align)
{
    panic("%s: a program has no boot", what);
}

enum room_id room_current(void)
{
    return ROOM_THREAD;
}

void room_assert_thread(void)
{
}
