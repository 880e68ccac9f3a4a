/* SPDX-License-Identifier: MIT OR Apache-2.0
 * stdlib.h: the part of C's <stdlib.h> that an image has. No malloc: third-party code gets an arena (core/mem.h).
 */
#pragma once
#include <stddef.h>

int abs(int value);
int atoi(const char *text);
long strtol(const char *restrict text, char **restrict end, int base);
unsigned long strtoul(const char *restrict text, char **restrict end, int base);
_Noreturn void abort(void);
