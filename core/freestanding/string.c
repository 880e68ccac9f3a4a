/* SPDX-License-Identifier: MIT OR Apache-2.0
 * string.c: memory and text functions for an image without a C library. The compiler calls the first four on its own.
 *
 *  (1) This file is built with -fno-builtin and -fno-tree-loop-distribute-patterns: else the compiler would see a memset in
 *      memset's loop and call it.
 *  (2) Large copies use the string instructions, which every 64-bit CPU moves in blocks; small ones would lose more on their
 *      start than they win.
 */
#define STRING_IS_DEFINED_HERE
#include <string.h>
#include <stdbool.h>
#include <stdint.h>

#define STRING_MIN 64u /* bytes from where `rep movs` pays */

typedef uint64_t __attribute__((may_alias, aligned(1))) word_t; /* any 8 bytes of anything */

static void copy_block(unsigned char *target, const unsigned char *source, size_t size)
{
    size_t words = size / 8;

    __asm__ volatile("rep movsq" : "+D"(target), "+S"(source), "+c"(words) : : "memory");
    for (size &= 7; size > 0; size--) {
        *target++ = *source++;
    }
}

static void copy_small(unsigned char *target, const unsigned char *source, size_t size)
{
    for (; size >= 8; size -= 8) {
        *(word_t *)(void *)target = *(const word_t *)(const void *)source;
        target += 8;
        source += 8;
    }
    for (; size > 0; size--) {
        *target++ = *source++;
    }
}

/* Reads every byte before it or a later one is written, if the target is below the source. */
static void copy_forwards(void *target, const void *source, size_t size)
{
    if (size >= STRING_MIN) {
        copy_block(target, source, size);
    } else {
        copy_small(target, source, size);
    }
}

void *memcpy(void *restrict target, const void *restrict source, size_t size)
{
    copy_forwards(target, source, size);
    return target;
}

static void copy_backwards(unsigned char *target, const unsigned char *source, size_t size)
{
    for (; size >= 8; size -= 8) {
        *(word_t *)(void *)(target + size - 8) = *(const word_t *)(const void *)(source + size - 8);
    }
    for (; size > 0; size--) {
        target[size - 1] = source[size - 1];
    }
}

void *memmove(void *target, const void *source, size_t size)
{
    /* As unsigned distance: a target below the source is as far as one beyond its end. */
    if ((uintptr_t)target - (uintptr_t)source >= size) {
        copy_forwards(target, source, size);
    } else {
        copy_backwards(target, source, size);
    }
    return target;
}

void *memset(void *target, int value, size_t size)
{
    unsigned char *p = target;
    uint64_t pattern = (unsigned char)value * 0x0101010101010101ull;
    size_t words = size / 8;

    if (size >= STRING_MIN) {
        __asm__ volatile("rep stosq" : "+D"(p), "+c"(words) : "a"(pattern) : "memory");
        size &= 7;
    }
    for (; size >= 8; size -= 8) {
        *(word_t *)(void *)p = pattern;
        p += 8;
    }
    for (; size > 0; size--) {
        *p++ = (unsigned char)value;
    }
    return target;
}

int memcmp(const void *a, const void *b, size_t size)
{
    const unsigned char *p = a;
    const unsigned char *q = b;

    for (; size >= 8 && *(const word_t *)(const void *)p == *(const word_t *)(const void *)q; size -= 8) {
        p += 8;
        q += 8;
    }
    for (; size > 0; size--) {
        if (*p != *q) {
            return *p < *q ? -1 : 1;
        }
        p++;
        q++;
    }
    return 0;
}

void *memchr(const void *bytes, int value, size_t size)
{
    const unsigned char *p = bytes;

    for (; size > 0; size--) {
        if (*p == (unsigned char)value) {
            return (void *)(uintptr_t)p;
        }
        p++;
    }
    return NULL;
}

size_t strnlen(const char *text, size_t most)
{
    size_t length = 0;

    while (length < most && text[length] != '\0') {
        length++;
    }
    return length;
}

size_t strlen(const char *text)
{
    return strnlen(text, SIZE_MAX);
}

int strncmp(const char *a, const char *b, size_t most)
{
    for (; most > 0; most--) {
        unsigned char x = (unsigned char)*a++;
        unsigned char y = (unsigned char)*b++;
        if (x != y) {
            return x < y ? -1 : 1;
        }
        if (x == '\0') {
            return 0;
        }
    }
    return 0;
}

int strcmp(const char *a, const char *b)
{
    return strncmp(a, b, SIZE_MAX);
}

char *strchr(const char *text, int c)
{
    return memchr(text, c, strlen(text) + 1);
}

char *strrchr(const char *text, int c)
{
    for (size_t i = strlen(text) + 1; i > 0; i--) {
        if (text[i - 1] == (char)c) {
            return (char *)(uintptr_t)(text + i - 1);
        }
    }
    return NULL;
}

static bool is_one_of(char c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

size_t strspn(const char *text, const char *accepted)
{
    size_t length = 0;

    while (is_one_of(text[length], accepted)) {
        length++;
    }
    return length;
}

size_t strcspn(const char *text, const char *rejected)
{
    size_t length = 0;

    while (text[length] != '\0' && !is_one_of(text[length], rejected)) {
        length++;
    }
    return length;
}

char *strstr(const char *text, const char *wanted)
{
    size_t length = strlen(wanted);

    for (;; text++) {
        if (strncmp(text, wanted, length) == 0) {
            return (char *)(uintptr_t)text;
        }
        if (*text == '\0') {
            return NULL;
        }
    }
}

char *strncpy(char *restrict target, const char *restrict source, size_t size)
{
    size_t length = strnlen(source, size);

    memcpy(target, source, length);
    memset(target + length, 0, size - length);
    return target;
}
