/* SPDX-License-Identifier: MIT OR Apache-2.0
 * trap.h: exceptions and interrupts: vectors, stacks, what is saved. vectors.S includes it too.
 */
#pragma once

#define TRAP_STACK_FAULT 1
#define TRAP_STACK_DOUBLE 2
#define TRAP_STACK_NMI 3
#define TRAP_EXCEPTIONS 32
#define TRAP_FIRST_DEVICE 0x30 /* + the vector that core knows */
#define TRAP_TIMER 0xf0
#define TRAP_SPURIOUS 0xff
#define TRAP_STUB_BYTES 16

#ifndef __ASSEMBLER__
#include <stdint.h>

/* As vectors.S pushes it, lowest address first. */
struct trap_frame {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8;
    uint64_t rdi, rsi, rbp, rdx, rcx, rbx, rax;
    uint64_t vector, error;
    uint64_t rip, cs, rflags, rsp, ss;
};
_Static_assert(sizeof(struct trap_frame) == 22 * 8, "vectors.S");

void trap_init(void);
/* From vectors.S. */
_Noreturn void trap_fatal(const struct trap_frame *frame);
void trap_interrupt(uint32_t vector);
#endif
