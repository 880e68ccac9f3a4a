/* SPDX-License-Identifier: MIT OR Apache-2.0
 * util.c: what the simulator's programs share.
 */
#include "util.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void *sim_alloc(size_t size)
{
    void *memory = calloc(1, size > 0 ? size : 1);

    if (memory == NULL) {
        sim_fail("no memory for %zu bytes", size);
    }
    return memory;
}

void sim_fail(const char *format, ...)
{
    va_list args;

    fprintf(stderr, "sim: ");
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\n");
    exit(3);
}
