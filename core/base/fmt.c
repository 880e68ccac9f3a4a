/* SPDX-License-Identifier: MIT OR Apache-2.0
 * fmt.c: bounded text formatting. Pure.
 *
 *  (1) Never writes beyond text[size - 1]; what does not fit is counted only.
 *  (2) A format that fmt.h does not list is our mistake: it asserts.
 */
#include "core/fmt.h"
#include <stdbool.h>
#include <stdint.h>
#include "core/assert.h"

struct output {
    char *text;
    size_t size;
    size_t length; /* of the whole text, written or not */
};

struct spec { /* what stands between '%' and the conversion */
    bool left;
    bool zero;
    size_t width;
    size_t precision; /* SIZE_MAX: none */
    unsigned longs;   /* number of 'l'; 'z' counts as one: size_t is a long here */
};
_Static_assert(sizeof(size_t) == sizeof(long) && sizeof(long long) == sizeof(long), "LP64");

#define DIGITS_MAX 20u /* of 2^64 in decimal */

static void put(struct output *out, char c)
{
    if (out->length + 1 < out->size) { /* (1) */
        out->text[out->length] = c;
    }
    out->length++;
}

static void put_repeated(struct output *out, char c, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        put(out, c);
    }
}

static void put_text(struct output *out, const struct spec *spec, const char *text)
{
    size_t length = 0;

    if (text == NULL) {
        text = "(null)";
    }
    while (length < spec->precision && text[length] != '\0') {
        length++;
    }
    size_t padding = spec->width > length ? spec->width - length : 0;
    put_repeated(out, ' ', spec->left ? 0 : padding);
    for (size_t i = 0; i < length; i++) {
        put(out, text[i]);
    }
    put_repeated(out, ' ', spec->left ? padding : 0);
}

/* `sign` is '\0' or '-'. */
static void put_number(struct output *out, const struct spec *spec, uint64_t value, unsigned base, const char *digits,
                       char sign)
{
    char reversed[DIGITS_MAX];
    size_t count = 0;

    do {
        reversed[count++] = digits[value % base];
        value /= base;
    } while (value != 0);
    size_t zeros = spec->precision != SIZE_MAX && spec->precision > count ? spec->precision - count : 0;
    size_t length = (sign != '\0' ? 1 : 0) + zeros + count;
    size_t padding = spec->width > length ? spec->width - length : 0;
    if (spec->zero && !spec->left) {
        zeros += padding;
        padding = 0;
    }
    put_repeated(out, ' ', spec->left ? 0 : padding);
    put_repeated(out, sign, sign != '\0' ? 1 : 0);
    put_repeated(out, '0', zeros);
    while (count > 0) {
        put(out, reversed[--count]);
    }
    put_repeated(out, ' ', spec->left ? padding : 0);
}

static void put_signed(struct output *out, const struct spec *spec, int64_t value)
{
    /* Negated as unsigned: the most negative number has no positive. */
    uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

    put_number(out, spec, magnitude, 10, "0123456789", value < 0 ? '-' : '\0');
}

/* The argument list travels in a struct, so that a callee's va_arg advances the caller's list on every ABI. */
struct arguments {
    va_list list;
};

static const char *parse_size(const char *p, struct arguments *args, size_t *value)
{
    if (*p == '*') {
        int given = va_arg(args->list, int);
        ASSERT(given >= 0);
        *value = (size_t)given;
        return p + 1;
    }
    *value = 0;
    while (*p >= '0' && *p <= '9') {
        *value = *value * 10 + (size_t)(*p++ - '0');
    }
    return p;
}

static const char *parse_spec(const char *p, struct arguments *args, struct spec *spec)
{
    *spec = (struct spec){.precision = SIZE_MAX};
    while (*p == '-' || *p == '0') {
        spec->left = spec->left || *p == '-';
        spec->zero = spec->zero || *p == '0';
        p++;
    }
    p = parse_size(p, args, &spec->width);
    if (*p == '.') {
        p = parse_size(p + 1, args, &spec->precision);
    }
    while (*p == 'l' || *p == 'z') {
        spec->longs++;
        p++;
    }
    return p;
}

static uint64_t unsigned_argument(const struct spec *spec, struct arguments *args)
{
    return spec->longs > 0 ? va_arg(args->list, unsigned long) : va_arg(args->list, unsigned);
}

static int64_t signed_argument(const struct spec *spec, struct arguments *args)
{
    return spec->longs > 0 ? va_arg(args->list, long) : va_arg(args->list, int);
}

static void put_conversion(struct output *out, char conversion, struct spec *spec, struct arguments *args)
{
    static const char lower[] = "0123456789abcdef";

    switch (conversion) {
    case 'd':
    case 'i':
        put_signed(out, spec, signed_argument(spec, args));
        return;
    case 'u':
        put_number(out, spec, unsigned_argument(spec, args), 10, lower, '\0');
        return;
    case 'x':
        put_number(out, spec, unsigned_argument(spec, args), 16, lower, '\0');
        return;
    case 'X':
        put_number(out, spec, unsigned_argument(spec, args), 16, "0123456789ABCDEF", '\0');
        return;
    case 'p':
        put(out, '0');
        put(out, 'x');
        put_number(out, spec, (uintptr_t)va_arg(args->list, void *), 16, lower, '\0');
        return;
    case 's':
        put_text(out, spec, va_arg(args->list, const char *));
        return;
    case 'c':
        spec->precision = 1;
        put_text(out, spec, (char[]){(char)va_arg(args->list, int), '\0'});
        return;
    case '%':
        put(out, '%');
        return;
    default:
        UNREACHABLE(); /* (2) */
    }
}

size_t fmt_textv(char *text, size_t size, const char *format, va_list args)
{
    struct output out = {.text = text, .size = size};
    struct arguments rest;

    va_copy(rest.list, args);
    for (const char *p = format; *p != '\0'; p++) {
        struct spec spec;

        if (*p != '%') {
            put(&out, *p);
            continue;
        }
        p = parse_spec(p + 1, &rest, &spec);
        put_conversion(&out, *p, &spec, &rest);
    }
    va_end(rest.list);
    if (size > 0) {
        text[out.length < size ? out.length : size - 1] = '\0';
    }
    return out.length;
}

size_t fmt_text(char *text, size_t size, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    size_t length = fmt_textv(text, size, format, args);
    va_end(args);
    return length;
}
