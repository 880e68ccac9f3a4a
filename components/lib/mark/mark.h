/* SPDX-License-Identifier: MIT OR Apache-2.0
 * mark.h: MARK_BEGIN() and MARK_END(): instructions that do nothing, around what a counter outside the machine shall measure
 * (test/bench/plugin). Any room.
 *
 * They are `nopl 0x4d4b00NN(%rax)`, bytes 0f 1f 80 NN 00 4b 4d: NN is 0 where a section begins, 1 where it ends. Which section
 * it was, its program says elsewhere, in the same order.  An asm without outputs is never moved or left out.
 */
#pragma once

#define MARK(number) __asm__(".byte 0x0f, 0x1f, 0x80, " #number ", 0x00, 0x4b, 0x4d" : : : "memory")
#define MARK_BEGIN() MARK(0)
#define MARK_END() MARK(1)
