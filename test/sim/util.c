/* SPDX-License-Identifier: MIT OR Apache-2.0
 * util.c: what the simulator's programs share.
 */
#include "util.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

void *sim_alloc(size_t size)
{
    void *memory = calloc(1, size > 0 ? size : 1);

    if (memory == NULL) {
        sim_fail("no memory for %zu bytes", size);
    }
    return memory;
}

char *sim_read(const char *path, size_t *size)
{
    struct stat about;
    FILE *file = fopen(path, "r");

    if (file == NULL || fstat(fileno(file), &about) != 0 || !S_ISREG(about.st_mode)) {
        sim_fail("%s: %s", path, file == NULL ? strerror(errno) : "no file");
    }
    *size = (size_t)about.st_size;
    char *bytes = sim_alloc(*size + 1);
    if (fread(bytes, 1, *size, file) != *size) {
        sim_fail("%s: it cannot be read", path);
    }
    fclose(file);
    return bytes;
}

bool sim_number(const char *text, uint64_t *value)
{
    char *end;

    errno = 0;
    *value = strtoull(text, &end, 0);
    return *text >= '0' && *text <= '9' && *end == '\0' && errno == 0;
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
