/* SPDX-License-Identifier: MIT OR Apache-2.0
 * random.h: the CPU's randomness, and what boot makes of it.
 */
#pragma once
#include <stdint.h>

/* Boot only, before any other: mixes what differs from one start to the next. */
void x86_random_init(void);
/* Boot only: for places and the canary. Unpredictable as far as RDRAND is there; else only as the TSC is (CAVEATS). */
uint64_t x86_random_early(void);
