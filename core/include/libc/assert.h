/* SPDX-License-Identifier: MIT OR Apache-2.0
 * assert.h: C's assert for third-party code, answered by ours. Our own code says ASSERT (core/assert.h).
 * NDEBUG drops it, as in C: for a library whose asserts are checks of its makers' own debug build (SQLite).
 */
#pragma once
#include "core/assert.h"

#ifdef NDEBUG
#define assert(x) ((void)0)
#else
#define assert(x) ASSERT(x)
#endif
#define static_assert _Static_assert
