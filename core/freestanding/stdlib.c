/* SPDX-License-Identifier: MIT OR Apache-2.0
 * stdlib.c: numbers from text, text from numbers, for third-party code in an image without a C library.
 */
#include <stdlib.h>
#include <ctype.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include "core/assert.h"
#include "core/fmt.h"

int abs(int value)
{
    return value < 0 ? -value : value;
}

/* Digit values up to 35; 36: not a digit. */
static int digit_of(char c)
{
    if (isdigit(c)) {
        return c - '0';
    }
    return isalpha(c) ? tolower(c) - 'a' + 10 : 36;
}

struct number {
    unsigned long magnitude;
    bool negative;
    bool overflow;
};

static const char *parse_prefix(const char *p, int *base)
{
    bool hex = p[0] == '0' && (p[1] == 'x' || p[1] == 'X') && digit_of(p[2]) < 16;

    if ((*base == 0 || *base == 16) && hex) {
        *base = 16;
        return p + 2;
    }
    if (*base == 0) {
        *base = p[0] == '0' ? 8 : 10;
    }
    return p;
}

static struct number parse(const char *text, char **end, int base)
{
    struct number n = {0};
    const char *p = text;

    while (isspace(*p)) {
        p++;
    }
    if (*p == '-' || *p == '+') {
        n.negative = *p++ == '-';
    }
    p = parse_prefix(p, &base);
    const char *first = p;
    for (; digit_of(*p) < base; p++) {
        unsigned long digit = (unsigned long)digit_of(*p);
        n.overflow = n.overflow || n.magnitude > (ULONG_MAX - digit) / (unsigned long)base;
        n.magnitude = n.magnitude * (unsigned long)base + digit;
    }
    if (end != NULL) {
        *end = (char *)(size_t)(p == first ? text : p);
    }
    return n;
}

unsigned long strtoul(const char *restrict text, char **restrict end, int base)
{
    struct number n = parse(text, end, base);

    if (n.overflow) {
        return ULONG_MAX;
    }
    return n.negative ? 0 - n.magnitude : n.magnitude;
}

long strtol(const char *restrict text, char **restrict end, int base)
{
    struct number n = parse(text, end, base);
    unsigned long limit = n.negative ? (unsigned long)LONG_MAX + 1 : LONG_MAX;

    if (n.overflow || n.magnitude > limit) {
        n.magnitude = limit;
    }
    return (long)(n.negative ? 0 - n.magnitude : n.magnitude);
}

int atoi(const char *text)
{
    return (int)strtol(text, NULL, 10);
}

void abort(void)
{
    panic("abort() by third-party code");
}

int vsnprintf(char *restrict text, size_t size, const char *restrict format, va_list args)
{
    return (int)fmt_textv(text, size, format, args);
}

int snprintf(char *restrict text, size_t size, const char *restrict format, ...)
{
    va_list args;

    va_start(args, format);
    size_t length = fmt_textv(text, size, format, args);
    va_end(args);
    return (int)length;
}
