/* SPDX-License-Identifier: MIT OR Apache-2.0
 * log.h: what the image says of itself. Lines go to the console and into a ring that `logs` shows.
 *
 * Define LOG_TAG at the top of the .c file, before the include. BOOT, LOOP or THREAD; never TRAP.
 * Below LOG_MAX a line is type-checked and dropped.
 */
#pragma once

enum log_level { LOG_ERR, LOG_WARN, LOG_INFO, LOG_DEBUG };

#ifndef LOG_MAX
#define LOG_MAX LOG_INFO
#endif

void log_line(enum log_level level, const char *tag, const char *format, ...) __attribute__((format(printf, 3, 4)));

#define LOG_AT(level, ...)                                                                                             \
    do {                                                                                                               \
        if ((level) <= LOG_MAX) {                                                                                      \
            log_line((level), LOG_TAG, __VA_ARGS__);                                                                   \
        }                                                                                                              \
    } while (0)
#define log_err(...) LOG_AT(LOG_ERR, __VA_ARGS__)
#define log_warn(...) LOG_AT(LOG_WARN, __VA_ARGS__)
#define log_info(...) LOG_AT(LOG_INFO, __VA_ARGS__)
#define log_debug(...) LOG_AT(LOG_DEBUG, __VA_ARGS__)

/* Copies lines from number `since` on into `text` as NUL-terminated strings, oldest first, whole lines only.
 * Returns the number of lines copied; *next is what to ask for next time. LOOP. */
unsigned log_copy(unsigned long since, char *text, unsigned size, unsigned long *next);
