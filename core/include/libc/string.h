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
char *strstr(const char *text, const char *wanted);
char *strncpy(char *restrict target, const char *restrict source, size_t size);
