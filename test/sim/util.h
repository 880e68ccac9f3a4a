/* SPDX-License-Identifier: MIT OR Apache-2.0
 * util.h: memory that is there, and the end when the simulator itself cannot go on.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Memory, cleared; ends the program where there is none. */
void *sim_alloc(size_t size);
/* What is in a file, and a NUL behind it; ends the program where it cannot be read. */
char *sim_read(const char *path, size_t *size);
/* A whole number as a command line has it: decimal, 0x or 0 for octal. False: it is none, or does not fit. */
bool sim_number(const char *text, uint64_t *value);
/* Says so and exits with 3. */
_Noreturn void sim_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
