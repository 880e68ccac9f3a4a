/* SPDX-License-Identifier: MIT OR Apache-2.0
 * stdio.h: the part of C's <stdio.h> that an image has: text into memory, by core/fmt.h. No files.
 */
#pragma once
#include <stdarg.h>
#include <stddef.h>

int snprintf(char *restrict text, size_t size, const char *restrict format, ...) __attribute__((format(printf, 3, 4)));
int vsnprintf(char *restrict text, size_t size, const char *restrict format, va_list args);
