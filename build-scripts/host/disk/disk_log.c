/* SPDX-License-Identifier: MIT OR Apache-2.0
 * disk_log.c: the log that the image's libraries speak to, for whoever listens.
 */
#include <stdarg.h>
#include <stdio.h>
#include "disk_private.h"

#define LINE_MAX 512u

static struct {
    disk_hear_fn *hear;
    void *context;
} self;

void disk_hear(disk_hear_fn *hear, void *context)
{
    self.hear = hear;
    self.context = context;
}

void log_line(enum log_level level, const char *tag, const char *format, ...)
{
    char text[LINE_MAX];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (self.hear != NULL) {
        self.hear(self.context, level, text);
    }
}
