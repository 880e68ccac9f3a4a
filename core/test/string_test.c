/* SPDX-License-Identifier: MIT OR Apache-2.0
 * string_test.c: the freestanding string functions against the host's, by renaming ours.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "test.h"

static void *(*volatile host_memmove)(void *, const void *, size_t) = memmove;
static int (*volatile host_memcmp)(const void *, const void *, size_t) = memcmp;
static void *(*volatile host_memset)(void *, int, size_t) = memset;
static long (*volatile host_strtol)(const char *, char **, int) = strtol;
static unsigned long (*volatile host_strtoul)(const char *, char **, int) = strtoul;

#define STRING_IS_DEFINED_HERE
#define memcpy our_memcpy
#define memmove our_memmove
#define memset our_memset
#define memcmp our_memcmp
#define memchr our_memchr
#define strlen our_strlen
#define strnlen our_strnlen
#define strcmp our_strcmp
#define strncmp our_strncmp
#define strchr our_strchr
#define strrchr our_strrchr
#define strspn our_strspn
#define strcspn our_strcspn
#define strstr our_strstr
#define strncpy our_strncpy
#define abs our_abs
#define atoi our_atoi
#define strtol our_strtol
#define strtoul our_strtoul
#define abort our_abort
#define snprintf our_snprintf
#define vsnprintf our_vsnprintf
#include "../include/libc/string.h"
#include "../include/libc/stdlib.h"
#include "../include/libc/stdio.h"
#include "../freestanding/string.c"
#include "../freestanding/stdlib.c"

enum { SIZE = 300 };
static unsigned char ours[SIZE];
static unsigned char theirs[SIZE];

static int sign(int x)
{
    return (x > 0) - (x < 0);
}

static void test_moves(void)
{
    for (int i = 0; i < 20000; i++) {
        size_t size = test_random() % 140;
        size_t from = test_random() % (SIZE - size);
        size_t to = i % 2 == 0 ? test_random() % (SIZE - size) : from + test_random() % 17 - 8;
        if (to > SIZE - size) {
            continue;
        }
        for (size_t j = 0; j < SIZE; j++) {
            ours[j] = theirs[j] = (unsigned char)test_random();
        }
        CHECK(our_memmove(ours + to, ours + from, size) == ours + to);
        host_memmove(theirs + to, theirs + from, size);
        CHECK(host_memcmp(ours, theirs, SIZE) == 0);
        if (to + size <= from || from + size <= to) {
            our_memcpy(ours + to, ours + from, size);
            CHECK(host_memcmp(ours, theirs, SIZE) == 0);
        }
        int value = (int)test_random();
        our_memset(ours + to, value, size);
        host_memset(theirs + to, value, size);
        CHECK(host_memcmp(ours, theirs, SIZE) == 0);
    }
}

static void test_compares(void)
{
    for (int i = 0; i < 20000; i++) {
        size_t size = test_random() % 40;
        for (size_t j = 0; j < size; j++) {
            ours[j] = theirs[j] = (unsigned char)test_random();
        }
        if (size > 0 && test_random() % 2 == 0) {
            theirs[test_random() % size] = (unsigned char)test_random();
        }
        CHECK_EQ(sign(our_memcmp(ours, theirs, size)), sign(host_memcmp(ours, theirs, size)));
        unsigned char value = (unsigned char)test_random();
        size_t at = 0;
        while (at < size && ours[at] != value) {
            at++;
        }
        CHECK(our_memchr(ours, value, size) == (at == size ? NULL : ours + at));
    }
}

static void test_text(void)
{
    char text[8];

    CHECK_EQ(our_strlen(""), 0);
    CHECK_EQ(our_strlen("abc"), 3);
    CHECK_EQ(our_strnlen("abc", 2), 2);
    CHECK_EQ(our_strcmp("abc", "abc"), 0);
    CHECK(our_strcmp("abc", "abd") < 0 && our_strcmp("abc", "ab") > 0 && our_strcmp("\xff", "a") > 0);
    CHECK_EQ(our_strncmp("abcx", "abcy", 3), 0);
    CHECK(our_strncmp("abcx", "abcy", 4) < 0);
    const char *s = "hello";
    CHECK(our_strchr(s, 'l') == s + 2 && our_strchr(s, 'z') == NULL && our_strchr(s, '\0') == s + 5);
    CHECK(our_strrchr(s, 'l') == s + 3 && our_strrchr(s, 'z') == NULL);
    CHECK(our_strstr(s, "lo") == s + 3 && our_strstr(s, "lx") == NULL && our_strstr(s, "") == s);
    CHECK(our_strstr(s, "hello!") == NULL);
    CHECK_EQ(our_strspn("aabbc", "ab"), 4);
    CHECK_EQ(our_strspn("abc", ""), 0);
    CHECK_EQ(our_strspn("ab", "abc"), 2); /* the end of the text is in no set */
    CHECK_EQ(our_strcspn("hello", "xl"), 2);
    CHECK_EQ(our_strcspn("hello", "x"), 5);
    CHECK_EQ(our_strcspn("hello", ""), 5);
    CHECK_EQ(our_strcspn("", "a"), 0);
    our_memset(text, 'x', sizeof text);
    our_strncpy(text, "ab", 4);
    CHECK(host_memcmp(text, "ab\0\0xxxx", 8) == 0);
    our_strncpy(text, "abcdef", 3);
    CHECK(host_memcmp(text, "abc\0xxxx", 8) == 0);
}

static void test_numbers(void)
{
    static const char *const texts[] = {"0",
                                        "42",
                                        " -17x",
                                        "+5",
                                        "0x1F",
                                        "0x",
                                        "0xg",
                                        "017",
                                        "zz",
                                        "",
                                        "-",
                                        "9223372036854775807",
                                        "9223372036854775808",
                                        "-9223372036854775808",
                                        "-9223372036854775809",
                                        "18446744073709551615",
                                        "18446744073709551616",
                                        "99999999999999999999999",
                                        "7fffffff"};
    static const int bases[] = {0, 8, 10, 16, 36};

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        for (size_t j = 0; j < sizeof bases / sizeof bases[0]; j++) {
            char *end_ours;
            char *end_theirs;
            CHECK_EQ(our_strtol(texts[i], &end_ours, bases[j]), host_strtol(texts[i], &end_theirs, bases[j]));
            CHECK(end_ours == end_theirs || end_ours == texts[i]); /* "0x" ends after 0 at the host */
            CHECK_EQ(our_strtoul(texts[i], NULL, bases[j]), host_strtoul(texts[i], NULL, bases[j]));
        }
    }
    CHECK_EQ(our_atoi("-12"), -12);
    CHECK_EQ(our_abs(-3), 3);
    char text[16];
    CHECK_EQ(our_snprintf(text, sizeof text, "%d-%s", 7, "x"), 3);
    CHECK_EQ(our_strcmp(text, "7-x"), 0);
}

int main(void)
{
    RUN(test_moves);
    RUN(test_compares);
    RUN(test_text);
    RUN(test_numbers);
    return test_end();
}
