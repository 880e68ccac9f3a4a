/* SPDX-License-Identifier: MIT OR Apache-2.0
 * preempt.h: who may set where THREADs are stopped (preempt.c).
 */
#pragma once
#include <stdint.h>

/* From here on points draw from this stream; a THREAD is stopped at so many of a million. */
void preempt_begin(uint64_t random, uint64_t chance);
/* How often one was stopped since this was asked last. */
uint32_t preempt_count(void);
