/* SPDX-License-Identifier: MIT OR Apache-2.0
 * vectors.S: entries of exceptions and interrupts, and the switch between contexts.
 *
 *  (1) An interrupt's entry is a frame like a function's: rbp stands below the interrupted rip, so that a backtrace runs
 *      through it without knowing.
 *  (2) Only general registers are saved: TRAP code is built without any other, and whoever switches away in
 *      core_trap_return() saves the rest.
 */
#include "trap.h"

    .text
    .code64

/* One entry of TRAP_STUB_BYTES a vector. Exceptions 8, 10-14, 17, 21, 29, 30 come with an error code. */
    .balign TRAP_STUB_BYTES
    .globl trap_stubs
    .hidden trap_stubs
trap_stubs:
    .set vector, 0
    .rept 256
    .balign TRAP_STUB_BYTES
    .if vector < TRAP_EXCEPTIONS
    .if (0x60227d00 >> vector) & 1
    .else
    pushq $0
    .endif
    pushq $vector
    jmp exception
    .else
    pushq $vector
    jmp interrupt
    .endif
    .set vector, vector + 1
    .endr

    .type exception, @function
exception:
    cld
    pushq %rax
    pushq %rbx
    pushq %rcx
    pushq %rdx
    pushq %rbp
    pushq %rsi
    pushq %rdi
    pushq %r8
    pushq %r9
    pushq %r10
    pushq %r11
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, %rdi
    andq $-16, %rsp
    xorl %ebp, %ebp
    call trap_fatal
    ud2
    .size exception, . - exception

    .type interrupt, @function
interrupt:
    cld
    xchgq %rbp, (%rsp) /* the vector's place becomes the frame's saved rbp */
    pushq %rdi
    movl %ebp, %edi
    leaq 8(%rsp), %rbp
    pushq %rsi
    pushq %rdx
    pushq %rcx
    pushq %rax
    pushq %r8
    pushq %r9
    pushq %r10
    pushq %r11
    subq $8, %rsp /* five words by the CPU, one here, nine above: a call wants 16-byte alignment */
    call trap_interrupt
    addq $8, %rsp
    popq %r11
    popq %r10
    popq %r9
    popq %r8
    popq %rax
    popq %rcx
    popq %rdx
    popq %rsi
    popq %rdi
    popq %rbp
    iretq
    .size interrupt, . - interrupt

/* void plat_context_switch(struct plat_context *from, struct plat_context *to): all that a function must keep goes to the
 * stack, and the stack pointer into word[0]. */
    .globl plat_context_switch
    .hidden plat_context_switch
    .type plat_context_switch, @function
plat_context_switch:
    pushq %rbp
    movq %rsp, %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq (%rsi), %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
    .size plat_context_switch, . - plat_context_switch

/* Where a new context begins: rbx is its function, r12 the argument. The FPU as the ABI has it at a function's entry. */
    .globl x86_context_begin
    .hidden x86_context_begin
    .type x86_context_begin, @function
x86_context_begin:
    fninit
    pushq $0x1f80 /* MXCSR: all exceptions masked */
    ldmxcsr (%rsp)
    addq $8, %rsp
    xorl %ebp, %ebp
    movq %r12, %rdi
    sti
    call *%rbx
    ud2
    .size x86_context_begin, . - x86_context_begin

    .section .note.GNU-stack, "", @progbits
