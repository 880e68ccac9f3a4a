/* SPDX-License-Identifier: MIT OR Apache-2.0
 * fmt_test.c: the formatter against the host's snprintf, its bounds, and what it refuses; status names.
 */
#include "../base/fmt.c"
#include "../base/status.c"
#include <limits.h>
#include "test.h"

#define AGREE(...)                                                                                                     \
    do {                                                                                                               \
        char ours[128];                                                                                                \
        char theirs[128];                                                                                              \
        size_t length = fmt_text(ours, sizeof ours, __VA_ARGS__);                                                      \
        CHECK_EQ(length, snprintf(theirs, sizeof theirs, __VA_ARGS__));                                                \
        CHECK_STR(ours, theirs);                                                                                       \
    } while (0)

static void test_like_printf(void)
{
    AGREE("plain");
    AGREE("%d %i %u", -5, 7, 4000000000u);
    AGREE("%x %X %p", 0xbeefu, 0xbeefu, (void *)0x1234);
    AGREE("%5d|%-5d|%05d|%5d", 42, 42, -42, -42);
    AGREE("%ld %lu %lld %llu %zu", LONG_MIN, ULONG_MAX, LLONG_MIN, ULLONG_MAX, (size_t)SIZE_MAX);
    AGREE("%lx %016lx %8lx|", 0x123456789abcdeful, 0xffful, 0xful);
    AGREE("%s|%10s|%-10s|%.2s|%10.1s|", "abc", "abc", "abc", "abc", "abc");
    AGREE("%.*s|%*d|", 2, "xyz", 6, 9);
    AGREE("%c%c%3c|%-3c|", 'a', 'b', 'c', 'd');
    AGREE("%.3d %.1d %8.3d", 5, 12345, 7);
    AGREE("100%% of %s", "it");
    AGREE("%d %d", INT_MIN, INT_MAX);
}

static void test_random_numbers(void)
{
    for (int i = 0; i < 20000; i++) {
        uint64_t v = test_random() >> (test_random() % 64);
        int width = (int)(test_random() % 24);

        AGREE("%*ld|%-*lu|%0*lx", width, (long)v, width, (unsigned long)v, width, (unsigned long)v);
    }
}

static void test_bounds(void)
{
    char text[8];
    const char *volatile none = NULL;

    for (size_t size = 0; size <= sizeof text; size++) {
        memset(text, '#', sizeof text);
        CHECK_EQ(fmt_text(text, size, "%s", "0123456789"), 10);
        for (size_t i = 0; i < sizeof text; i++) {
            CHECK_EQ(text[i], i + 1 < size ? (char)('0' + i) : i + 1 == size ? '\0' : '#');
        }
    }
    CHECK_EQ(fmt_text(NULL, 0, "%d", 12), 2);
    CHECK_EQ(fmt_text(text, sizeof text, "%s", none), 6);
    CHECK_STR(text, "(null)");
    char not_terminated[3] = {'x', 'y', 'z'};
    fmt_text(text, sizeof text, "%.3s", not_terminated);
    CHECK_STR(text, "xyz");
}

static void test_refuses(void)
{
    char text[8];
    const char *bad[] = {"%f", "%q", "%", "%l", "%+d", "%#x"};

    for (volatile unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CHECK_PANICS(fmt_text(text, sizeof text, bad[i], 1));
    }
}

static void test_status_names(void)
{
    CHECK_STR(status_name(ST_OK), "OK");
    CHECK_STR(status_name(ST_STALE), "STALE");
    CHECK_STR(status_name(ST_PROTO), "PROTO");
    CHECK_STR(status_name(ST_UNSUPPORTED), "UNSUPPORTED");
    CHECK_STR(status_name((status_t)-13), "?");
    CHECK_STR(status_name((status_t)1), "?");
}

int main(void)
{
    RUN(test_like_printf);
    RUN(test_random_numbers);
    RUN(test_bounds);
    RUN(test_refuses);
    RUN(test_status_names);
    return test_end();
}
