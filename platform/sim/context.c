/* SPDX-License-Identifier: MIT OR Apache-2.0
 * context.c: switching stacks inside one process, so that AddressSanitizer follows.
 *
 *  (1) word[0] is the stack pointer of a context that is switched away; word[1] and [2] its stack's lowest address and
 *      size, word[3] the sanitizer's own. For the process's first stack, (1) and (2) are learned at the first switch.
 *      word[4] and [5] are a new context's function and argument: 0 of the first stack, which is the loop's.
 */
#include "core/point.h"
#include "lockstep.h"
#include "sim_private.h"
#include "sim_sanitizer.h"

enum { SP, BOTTOM, SIZE, FAKE, ENTRY, ARGUMENT };

static struct plat_context *left; /* the context that the last switch came from */
static struct plat_context *entered;

/* sim_switch(from, to): callee-saved registers onto the stack, its pointer into from->word[0], and back the other way.
 * SysV AMD64 ABI 3.2.1; the control words of x87 and SSE are the process's and never change. */
void sim_switch(struct plat_context *from, struct plat_context *to);
__asm__(".text\n"
        ".globl sim_switch\n"
        ".type sim_switch, @function\n"
        "sim_switch:\n"
        "    push %rbp\n    push %rbx\n    push %r12\n    push %r13\n    push %r14\n    push %r15\n"
        "    mov %rsp, (%rdi)\n"
        "    mov (%rsi), %rsp\n"
        "    pop %r15\n    pop %r14\n    pop %r13\n    pop %r12\n    pop %rbx\n    pop %rbp\n"
        "    ret\n"
        ".size sim_switch, . - sim_switch\n");

/* The first function of a new context. */
static _Noreturn void begin(void)
{
    struct plat_context *self = entered;
    const void *bottom = NULL;
    size_t size = 0;

    fiber_arrive(NULL, &bottom, &size);
    if (left->word[SIZE] == 0) { /* (1) */
        left->word[BOTTOM] = (uintptr_t)bottom;
        left->word[SIZE] = size;
    }
    sim_irq_set_on();
    ((void (*)(void *))self->word[ENTRY])((void *)self->word[ARGUMENT]);
    sim_die("a context returned");
}

void plat_context_init(struct plat_context *context, void *stack, size_t size, void (*entry)(void *), void *argument)
{
    uintptr_t *top = (uintptr_t *)(((uintptr_t)stack + size) & ~(uintptr_t)15);

    *context = (struct plat_context){0};
    *--top = 0; /* where begin() would return to; also keeps its stack as the ABI wants it */
    *--top = (uintptr_t)begin;
    top -= 6; /* the registers that sim_switch pops: zero */
    context->word[SP] = (uintptr_t)top;
    context->word[BOTTOM] = (uintptr_t)stack;
    context->word[SIZE] = size;
    context->word[ENTRY] = (uintptr_t)entry;
    context->word[ARGUMENT] = (uintptr_t)argument;
}

bool sim_context_is_thread(void)
{
    return entered != NULL && entered->word[ENTRY] != 0;
}

void plat_context_switch(struct plat_context *from, struct plat_context *to)
{
    POINT();
    lockstep_thread(to->word[ENTRY] != 0);
    left = from;
    entered = to;
    fiber_leave(&from->word[FAKE], to->word[BOTTOM], to->word[SIZE]);
    sim_switch(from, to);
    fiber_arrive(from->word[FAKE], NULL, NULL);
}

/* The process's FPU state goes with the compiler's calls: a context is only ever left inside a function call. */
void plat_fpu_save(void *area)
{
    (void)area;
}

void plat_fpu_restore(const void *area)
{
    (void)area;
}
