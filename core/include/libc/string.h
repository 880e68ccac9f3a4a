/* SPDX-License-Identifier: MIT OR Apache-2.0
 * string.h: the part of C's <string.h> that an image has (core/freestanding/string.c). A simulated image uses the host's.
 */
#pragma once
#include <stddef.h>

void *memcpy(void *restrict target, const void *restrict source, size_t size);
void *memmove(void *target, const void *source, size_t size);
void *memset(void *target, int value, size_t size);
int memcmp(const void *a, const void *b, size_t size);
void *memchr(const void *bytes, int value, size_t size);
size_t strlen(const char *text);
size_t strnlen(const char *text, size_t most);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t most);
char *strchr(const char *text, int c);
char *strrchr(const char *text, int c);
size_t strspn(const char *text, const char *accepted);
size_t strcspn(const char *text, const char *rejected);
char *strstr(const char *text, const char *wanted);
char *strncpy(char *restrict target, const char *restrict source, size_t size);

/* What the compiler knows these to mean. Without a C library (-ffreestanding) it does not assume so on its own, and would call a
 * function to copy four bytes. Not for the file that defines them. */
#ifndef STRING_IS_DEFINED_HERE
#define memcpy(...) __builtin_memcpy(__VA_ARGS__)
#define memmove(...) __builtin_memmove(__VA_ARGS__)
#define memset(...) __builtin_memset(__VA_ARGS__)
#define memcmp(...) __builtin_memcmp(__VA_ARGS__)
#define strlen(...) __builtin_strlen(__VA_ARGS__)
#define strcmp(...) __builtin_strcmp(__VA_ARGS__)
#endif
