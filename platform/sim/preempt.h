/* SPDX-License-Identifier: MIT OR Apache-2.0
 * preempt.h: who may set where THREADs are stopped (preempt.c).
 */
#pragma once
#include <stdint.h>

/* From here on points draw from this stream; a THREAD is stopped at so many of a million points, and of a million edges. */
void preempt_begin(uint64_t random, uint64_t at_points, uint64_t at_edges);
/* How often one was stopped since this was asked last: at points in the low half, at edges in the high one. */
uint32_t preempt_counts(void);
