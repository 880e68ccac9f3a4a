/* SPDX-License-Identifier: MIT OR Apache-2.0
 * trap.c: the interrupt table, and what is said of an exception before core's panic block.
 *
 *  (1) Every exception is fatal: nothing in an image recovers from one.
 *  (2) What is printed trusts no pointer: memory is looked at through the page tables first.
 */
#include "trap.h"
#include "core/fmt.h"
#include "early.h"
#include "hw.h"
#include "paging.h"
#include "plat/plat.h"
#include "serial.h"
#include <stddef.h>

#define GATE_INTERRUPT 0x8eull
#define CODE 0x08ull
#define DOUBLE_FAULT 8u
#define PAGE_FAULT 14u
#define NMI 2u
#define MACHINE_CHECK 18u
#define GATES 256u
#define FAULTS_MAX 3u /* a panic that faults is told by core once; then silence is better than a loop */
#define STACK_NEAR 65536u

/* vectors.S */
extern char trap_stubs[];
/* image.lds */
extern char image_text[], image_text_end[];

struct gate {
    uint64_t low;
    uint64_t high;
};
static struct gate gates[GATES];
static unsigned faults; /* [a] */
/* Stands in for the frame of a function that was called at an address which is no code: rbp, and where it was called. */
static uintptr_t call_frame[2];

static bool readable_words(uintptr_t at, unsigned words);

static const char *const exception_name[TRAP_EXCEPTIONS] = {
    [0] = "divide error",        [1] = "debug",          [2] = "NMI",
    [3] = "breakpoint",          [4] = "overflow",       [5] = "bound",
    [6] = "invalid opcode",      [7] = "no FPU",         [8] = "double fault",
    [10] = "invalid TSS",        [11] = "no segment",    [12] = "stack fault",
    [13] = "general protection", [14] = "page fault",    [16] = "x87 error",
    [17] = "alignment check",    [18] = "machine check", [19] = "SIMD error",
    [21] = "control protection",
};

static unsigned stack_for(unsigned vector)
{
    if (vector >= TRAP_EXCEPTIONS) {
        return 0; /* the stack of whom it interrupts */
    }
    if (vector == DOUBLE_FAULT) {
        return TRAP_STACK_DOUBLE;
    }
    return vector == NMI || vector == MACHINE_CHECK ? TRAP_STACK_NMI : TRAP_STACK_FAULT;
}

void trap_init(void)
{
    for (unsigned v = 0; v < GATES; v++) {
        uint64_t at = (uint64_t)(uintptr_t)trap_stubs + v * TRAP_STUB_BYTES;
        gates[v].low = (at & 0xffff) | CODE << 16 | (uint64_t)stack_for(v) << 32 | GATE_INTERRUPT << 40 |
                       (at >> 16 & 0xffff) << 48;
        gates[v].high = at >> 32;
    }
    hw_load_idt(gates, sizeof gates - 1);
}

static const char *access_words(uint64_t error)
{
    if ((error & 0x10) != 0) {
        return (error & 1) != 0 ? "execute of a no-execute page" : "jump to an unmapped page";
    }
    if ((error & 2) != 0) {
        return (error & 1) != 0 ? "write to a read-only page" : "write to an unmapped page";
    }
    return (error & 1) != 0 ? "forbidden read" : "read of an unmapped page";
}

/* A stack's guard page stands right below it: the faulting address is unmapped and close to the stack pointer. */
static bool is_stack_overflow(const struct trap_frame *f, uint64_t address)
{
    uint64_t physical;
    unsigned access;
    bool near = address - f->rsp + STACK_NEAR < 2 * STACK_NEAR;

    return near && !paging_find(address, &physical, &access);
}

static void describe(char *text, size_t size, const struct trap_frame *f)
{
    const char *name = f->vector < TRAP_EXCEPTIONS ? exception_name[f->vector] : NULL;
    uint64_t address = hw_read_cr2();

    if (f->vector == PAGE_FAULT || (f->vector == DOUBLE_FAULT && is_stack_overflow(f, address))) {
        const char *where = is_stack_overflow(f, address) ? "stack overflow: "
                            : address < 0x1000            ? "null pointer: "
                                                          : "";
        fmt_text(text, size, "%s%s: %s at 0x%llx", where, name,
                 f->vector == PAGE_FAULT ? access_words(f->error) : "no stack to take a page fault on",
                 (unsigned long long)address);
        return;
    }
    fmt_text(text, size, "%s, error 0x%llx", name != NULL ? name : "unknown exception", (unsigned long long)f->error);
}

static void print_pair(const char *a, uint64_t x, const char *b, uint64_t y)
{
    char line[80];
    size_t size = fmt_text(line, sizeof line, "  %-6s %016llx  %-6s %016llx\n", a, (unsigned long long)x, b,
                           (unsigned long long)y);

    x86_serial_write(line, size < sizeof line ? size : sizeof line - 1);
}

static void print_registers(const struct trap_frame *f)
{
    print_pair("rip", f->rip, "rsp", f->rsp);
    print_pair("base", layout.slide, "rbp", f->rbp);
    print_pair("rax", f->rax, "rbx", f->rbx);
    print_pair("rcx", f->rcx, "rdx", f->rdx);
    print_pair("rsi", f->rsi, "rdi", f->rdi);
    print_pair("r8", f->r8, "r9", f->r9);
    print_pair("r10", f->r10, "r11", f->r11);
    print_pair("r12", f->r12, "r13", f->r13);
    print_pair("r14", f->r14, "r15", f->r15);
    print_pair("cr2", hw_read_cr2(), "rflags", f->rflags);
}

static bool is_code(uintptr_t pc)
{
    return pc >= (uintptr_t)image_text && pc < (uintptr_t)image_text_end;
}

/* Where a backtrace begins: at rbp, or at the call through a bad pointer, whose return address lies on the stack's top. */
static uintptr_t first_frame(const struct trap_frame *f)
{
    if (is_code(f->rip) || !readable_words(f->rsp, 1)) {
        return f->rbp;
    }
    call_frame[0] = f->rbp;
    call_frame[1] = *(const uintptr_t *)f->rsp;
    return (uintptr_t)call_frame;
}

_Noreturn void trap_fatal(const struct trap_frame *frame)
{
    static char what[128]; /* the stack of a double fault has no room to spare, and nobody returns */

    if (__atomic_add_fetch(&faults, 1, __ATOMIC_RELAXED) >= FAULTS_MAX) {
        plat_exit(PLAT_EXIT_PANIC);
    }
    describe(what, sizeof what, frame);
    x86_serial_write("\n", 1);
    print_registers(frame);
    core_panic_trap(what, frame->rip, first_frame(frame));
}

/* From the end of a function whose canary has changed. */
_Noreturn void __stack_chk_fail(void);
_Noreturn void __stack_chk_fail(void)
{
    core_panic_trap("stack smashed: a function's canary was overwritten", (uintptr_t)__builtin_return_address(0),
                    *(const uintptr_t *)__builtin_frame_address(0));
}

/* --- backtrace ---------------------------------------------------------------------------------------------------------- */

static bool readable_words(uintptr_t at, unsigned words)
{
    uint64_t physical;
    unsigned access;
    uintptr_t last = at + words * sizeof(uintptr_t) - 1;

    return at % sizeof(uintptr_t) == 0 && last > at && paging_find(at, &physical, &access) &&
           (access & PAGE_DEVICE) == 0 && paging_find(last, &physical, &access);
}

unsigned plat_backtrace(uintptr_t frame, uintptr_t *pcs, unsigned most)
{
    unsigned count = 0;

    if (frame == 0) {
        frame = (uintptr_t)__builtin_frame_address(0);
    }
    while (count < most && readable_words(frame, 2)) { /* (2) */
        const uintptr_t *words = (const uintptr_t *)frame;
        uintptr_t next = words[0];
        uintptr_t pc = words[1];
        if (!is_code(pc)) {
            break;
        }
        pcs[count++] = pc;
        if (next <= frame && frame != (uintptr_t)call_frame) {
            break; /* stacks grow down: a caller's frame is above */
        }
        frame = next;
    }
    return count;
}

/* --- contexts ----------------------------------------------------------------------------------------------------------- */

void x86_context_begin(void);

void plat_context_init(struct plat_context *context, void *stack, size_t size, void (*entry)(void *), void *argument)
{
    uintptr_t top = ((uintptr_t)stack + size) & ~(uintptr_t)15;
    uintptr_t *word = (uintptr_t *)top;

    /* As plat_context_switch() leaves it: r15 r14 r13 r12 rbx rbp and where to return. Two words of 0 end backtraces. */
    *--word = 0;
    *--word = 0;
    *--word = (uintptr_t)x86_context_begin;
    *--word = 0;
    *--word = (uintptr_t)entry;
    *--word = (uintptr_t)argument;
    *--word = 0;
    *--word = 0;
    *--word = 0;
    context->word[0] = (uintptr_t)word;
}
