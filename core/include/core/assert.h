/* SPDX-License-Identifier: MIT OR Apache-2.0
 * assert.h: our own mistakes. ASSERT stays on in every build; it never reads memory that a device or a peer can write.
 */
#pragma once

_Noreturn void panic_assert(const char *file, int line, const char *what);

/* Stops this machine with a reason. printf-like (core/fmt.h). Any room. */
_Noreturn void panic(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define ASSERT(x)                                                                                                      \
    do {                                                                                                               \
        if (__builtin_expect(!(x), 0)) {                                                                               \
            panic_assert(__FILE_NAME__, __LINE__, #x);                                                                 \
        }                                                                                                              \
    } while (0)
#define UNREACHABLE() panic_assert(__FILE_NAME__, __LINE__, "unreachable")

/* Costly checks: always compiled, run where CONFIG_ASSERT_SLOW is 1 (sim and tests). */
#ifndef CONFIG_ASSERT_SLOW
#define CONFIG_ASSERT_SLOW 0
#endif
#define ASSERT_SLOW(x)                                                                                                 \
    do {                                                                                                               \
        if (CONFIG_ASSERT_SLOW) {                                                                                      \
            ASSERT(x);                                                                                                 \
        }                                                                                                              \
    } while (0)

#ifndef __FILE_NAME__
#define __FILE_NAME__ __FILE__
#endif
