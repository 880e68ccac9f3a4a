/* SPDX-License-Identifier: MIT OR Apache-2.0
 * math.h: for third-party code of components with `fpu yes`: what the compiler makes one instruction of.
 */
#pragma once
#define fabs(x) __builtin_fabs(x)
