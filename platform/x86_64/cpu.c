/* SPDX-License-Identifier: MIT OR Apache-2.0
 * cpu.c: descriptor tables, interrupt stacks, protections and the floating-point state of a CPU.
 *
 *  (1) Per-CPU state is behind the GS base; only the boot CPU runs today, and nothing else here says so.
 *  (2) Exceptions run on stacks of their own (IST): a stack overflow still has a stack to be told on.
 */
#include "cpu.h"
#include "core/assert.h"
#include "hw.h"
#include "plat/plat.h"
#include "trap.h"
#include <stddef.h>

#define MSR_GS_BASE 0xc0000101u
#define CODE 0x08u
#define TASK 0x18u
#define CR4_UMIP (1ull << 11)
#define CR4_OSXSAVE (1ull << 18)
#define CR4_SMEP (1ull << 20)
#define CR4_SMAP (1ull << 21)
#define XCR0_X87_SSE 0x03ull
#define XCR0_AVX 0x04ull
#define XCR0_AVX512 0xe0ull
#define FXSAVE_BYTES 512u

/* entry.S */
extern char stack_fault_top[], stack_nmi_top[], stack_double_top[];

static struct cpu boot_cpu;
static char protections[24];
static struct {
    uint64_t features; /* [I] XCR0; 0: fxsave */
    unsigned bytes;    /* [I] */
} fpu;

/* Low and high half of a 64-bit available TSS descriptor (Intel SDM volume 3, section 8.2.3). */
static void describe_task(struct cpu *cpu)
{
    uint64_t base = (uint64_t)(uintptr_t)cpu->task;
    uint64_t limit = sizeof cpu->task - 1;

    cpu->gdt[3] = limit | (base & 0xffffff) << 16 | 0x89ull << 40 | (base >> 24 & 0xff) << 56;
    cpu->gdt[4] = base >> 32;
}

static void set_stack(struct cpu *cpu, unsigned ist, const char *top)
{
    uint64_t address = (uint64_t)(uintptr_t)top;

    ASSERT(ist >= 1 && ist <= 7 && address % 16 == 0);
    cpu->task[9 + 2 * (ist - 1)] = (uint32_t)address;
    cpu->task[10 + 2 * (ist - 1)] = (uint32_t)(address >> 32);
}

static void add_word(const char *word)
{
    size_t at = 0;

    while (protections[at] != '\0') {
        at++;
    }
    for (size_t i = 0; word[i] != '\0' && at < sizeof protections - 1; i++) {
        protections[at++] = word[i];
    }
}

static void protect(void)
{
    struct hw_cpuid seven = hw_cpuid(0, 0).eax >= 7 ? hw_cpuid(7, 0) : (struct hw_cpuid){0};
    uint64_t cr4 = hw_read_cr4();

    if ((seven.ebx & (1u << 7)) != 0) {
        cr4 |= CR4_SMEP;
        add_word("SMEP ");
    }
    if ((seven.ebx & (1u << 20)) != 0) {
        cr4 |= CR4_SMAP;
        add_word("SMAP ");
    }
    if ((seven.ecx & (1u << 2)) != 0) {
        cr4 |= CR4_UMIP;
        add_word("UMIP ");
    }
    hw_write_cr4(cr4);
}

void x86_cpu_init(void)
{
    struct cpu *cpu = &boot_cpu;

    cpu->self = cpu;
    cpu->apic_id = hw_cpuid(1, 0).ebx >> 24;
    cpu->gdt[1] = 0x00af9b000000ffffull; /* 64-bit code, ring 0 */
    cpu->gdt[2] = 0x00cf93000000ffffull; /* data, ring 0 */
    describe_task(cpu);
    set_stack(cpu, TRAP_STACK_FAULT, stack_fault_top);
    set_stack(cpu, TRAP_STACK_DOUBLE, stack_double_top);
    set_stack(cpu, TRAP_STACK_NMI, stack_nmi_top);
    cpu->task[25] = (uint32_t)sizeof cpu->task << 16; /* no I/O permission map */
    hw_load_gdt(cpu->gdt, sizeof cpu->gdt - 1, CODE, TASK);
    hw_clear_segments();
    hw_wrmsr(MSR_GS_BASE, (uint64_t)(uintptr_t)cpu);
    trap_init();
    protect();
    x86_cpu_fpu_init();
}

struct cpu *x86_cpu_this(void)
{
    struct cpu *cpu;

    __asm__("movq %%gs:0, %0" : "=r"(cpu));
    return cpu;
}

const char *x86_cpu_protections(void)
{
    return protections;
}

unsigned x86_cpu_physical_bits(void)
{
    return hw_cpuid(0x80000000, 0).eax >= 0x80000008 ? hw_cpuid(0x80000008, 0).eax & 0xff : 36;
}

void x86_cpu_fpu_init(void)
{
    struct hw_cpuid one = hw_cpuid(1, 0);

    fpu.bytes = FXSAVE_BYTES;
    if ((one.ecx & (1u << 26)) == 0) {
        return;
    }
    hw_write_cr4(hw_read_cr4() | CR4_OSXSAVE);
    uint64_t offered = hw_cpuid(0xd, 0).eax;
    fpu.features = XCR0_X87_SSE | (offered & XCR0_AVX);
    if ((offered & (XCR0_AVX | XCR0_AVX512)) == (XCR0_AVX | XCR0_AVX512)) {
        fpu.features |= XCR0_AVX512;
    }
    hw_xsetbv(0, fpu.features);
    fpu.bytes = hw_cpuid(0xd, 0).ebx; /* for what XCR0 enables now */
    if (fpu.bytes > PLAT_FPU_BYTES) {
        fpu.features = XCR0_X87_SSE;
        hw_xsetbv(0, fpu.features);
        fpu.bytes = hw_cpuid(0xd, 0).ebx;
    }
    ASSERT(fpu.bytes <= PLAT_FPU_BYTES);
}

unsigned x86_cpu_fpu_bytes(void)
{
    return fpu.bytes;
}

void plat_fpu_save(void *area)
{
    ASSERT((uintptr_t)area % 64 == 0);
    if (fpu.features == 0) {
        __asm__ volatile("fxsave64 (%0)" : : "r"(area) : "memory");
        return;
    }
    /* xsave leaves the header's later words alone, and xrstor refuses them unless zero (SDM volume 1, section 13.4.2). */
    uint64_t *header = (uint64_t *)((char *)area + FXSAVE_BYTES);
    for (unsigned i = 1; i < 8; i++) {
        header[i] = 0;
    }
    __asm__ volatile("xsave64 (%0)" : : "r"(area), "a"(~0u), "d"(~0u) : "memory");
}

void plat_fpu_restore(const void *area)
{
    ASSERT((uintptr_t)area % 64 == 0);
    if (fpu.features == 0) {
        __asm__ volatile("fxrstor64 (%0)" : : "r"(area) : "memory");
        return;
    }
    __asm__ volatile("xrstor64 (%0)" : : "r"(area), "a"(~0u), "d"(~0u) : "memory");
}

unsigned plat_cpu_index(void)
{
    return x86_cpu_this()->index;
}

void *plat_cpu_local(void)
{
    return x86_cpu_this()->local;
}

void plat_cpu_local_set(void *p)
{
    x86_cpu_this()->local = p;
}

void plat_irq_disable(void)
{
    hw_irq_disable();
}

void plat_irq_enable(void)
{
    hw_irq_enable();
}

bool plat_irq_enabled(void)
{
    return hw_irq_enabled();
}

void plat_wait(void)
{
    ASSERT(!hw_irq_enabled());
    hw_irq_wait();
}
