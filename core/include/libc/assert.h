/* SPDX-License-Identifier: MIT OR Apache-2.0
 * assert.h: C's assert for third-party code, answered by ours. Our own code says ASSERT (core/assert.h).
 */
#pragma once
#include "core/assert.h"

#define assert(x) ASSERT(x)
#define static_assert _Static_assert
