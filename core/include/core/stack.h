/* SPDX-License-Identifier: MIT OR Apache-2.0
 * stack.h: UNINITIALIZED: a large array on the stack that its function writes as far as it is read. The compiler's hardening would
 * zero all of it each time (-ftrivial-auto-var-init=zero). Each use says why nothing else of it is read.
 */
#pragma once

#define UNINITIALIZED __attribute__((uninitialized))
