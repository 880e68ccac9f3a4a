/* SPDX-License-Identifier: MIT OR Apache-2.0
 * fmt.h: bounded text formatting. Pure; any room.
 *
 * %d %i %u %x %X %p %s %c %% with l, ll, z, width, precision (strings), '-' and '0'. Nothing else: anything else asserts.
 */
#pragma once
#include <stdarg.h>
#include <stddef.h>

/* Always NUL-terminates when size > 0. Returns the length that the whole text has, as C's snprintf does. */
size_t fmt_text(char *text, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));
size_t fmt_textv(char *text, size_t size, const char *format, va_list args);
