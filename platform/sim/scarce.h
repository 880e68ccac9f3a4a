/* SPDX-License-Identifier: MIT OR Apache-2.0
 * scarce.h: who may make memory scarce (scarce.c).
 */
#pragma once
#include <stdint.h>

/* From here on requests draw from this stream; so many of a million are refused. */
void scarce_begin(uint64_t random, uint64_t chance);
