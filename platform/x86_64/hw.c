/* SPDX-License-Identifier: MIT OR Apache-2.0
 * hw.c: the instructions themselves. Nothing here decides anything.
 */
#include "hw.h"

struct hw_cpuid hw_cpuid(uint32_t leaf, uint32_t subleaf)
{
    struct hw_cpuid r;

    __asm__ volatile("cpuid" : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx) : "a"(leaf), "c"(subleaf));
    return r;
}

uint64_t hw_rdmsr(uint32_t msr)
{
    uint32_t low;
    uint32_t high;

    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr) : "memory");
    return (uint64_t)high << 32 | low;
}

void hw_wrmsr(uint32_t msr, uint64_t value)
{
    __asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}

uint64_t hw_rdtsc(void)
{
    uint32_t low;
    uint32_t high;

    /* lfence: the TSC may otherwise be read before the loads that come earlier in the program. */
    __asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return (uint64_t)high << 32 | low;
}

bool hw_rdrand(uint64_t *value)
{
    bool ok;

    __asm__ volatile("rdrand %0" : "=r"(*value), "=@ccc"(ok) : : "cc");
    return ok;
}

bool hw_rdseed(uint64_t *value)
{
    bool ok;

    __asm__ volatile("rdseed %0" : "=r"(*value), "=@ccc"(ok) : : "cc");
    return ok;
}

uint8_t hw_in8(uint16_t port)
{
    uint8_t value;

    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

uint16_t hw_in16(uint16_t port)
{
    uint16_t value;

    __asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

uint32_t hw_in32(uint16_t port)
{
    uint32_t value;

    __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

void hw_out8(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

void hw_out16(uint16_t port, uint16_t value)
{
    __asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

void hw_out32(uint16_t port, uint32_t value)
{
    __asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

/* Assembly and not a volatile pointer: a compiler may merge or split the latter on its way to a register operand. */
uint8_t hw_read8(uintptr_t address)
{
    uint8_t value;

    __asm__ volatile("movb (%1), %0" : "=r"(value) : "r"(address) : "memory");
    return value;
}

uint16_t hw_read16(uintptr_t address)
{
    uint16_t value;

    __asm__ volatile("movw (%1), %0" : "=r"(value) : "r"(address) : "memory");
    return value;
}

uint32_t hw_read32(uintptr_t address)
{
    uint32_t value;

    __asm__ volatile("movl (%1), %0" : "=r"(value) : "r"(address) : "memory");
    return value;
}

void hw_write8(uintptr_t address, uint8_t value)
{
    __asm__ volatile("movb %0, (%1)" : : "r"(value), "r"(address) : "memory");
}

void hw_write16(uintptr_t address, uint16_t value)
{
    __asm__ volatile("movw %0, (%1)" : : "r"(value), "r"(address) : "memory");
}

void hw_write32(uintptr_t address, uint32_t value)
{
    __asm__ volatile("movl %0, (%1)" : : "r"(value), "r"(address) : "memory");
}

uint64_t hw_read_cr2(void)
{
    uint64_t value;

    __asm__ volatile("movq %%cr2, %0" : "=r"(value));
    return value;
}

uint64_t hw_read_cr3(void)
{
    uint64_t value;

    __asm__ volatile("movq %%cr3, %0" : "=r"(value));
    return value;
}

void hw_write_cr3(uint64_t value)
{
    __asm__ volatile("movq %0, %%cr3" : : "r"(value) : "memory");
}

uint64_t hw_read_cr4(void)
{
    uint64_t value;

    __asm__ volatile("movq %%cr4, %0" : "=r"(value));
    return value;
}

void hw_write_cr4(uint64_t value)
{
    __asm__ volatile("movq %0, %%cr4" : : "r"(value) : "memory");
}

void hw_xsetbv(uint32_t index, uint64_t value)
{
    __asm__ volatile("xsetbv" : : "c"(index), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}

void hw_invlpg(uintptr_t address)
{
    __asm__ volatile("invlpg (%0)" : : "r"(address) : "memory");
}

struct __attribute__((packed)) table_pointer {
    uint16_t limit;
    uint64_t base;
};

void hw_load_gdt(const void *base, uint16_t limit, uint16_t code, uint16_t task)
{
    struct table_pointer p = {limit, (uint64_t)(uintptr_t)base};

    __asm__ volatile("lgdt %0\n\t"
                     "pushq %q1\n\t"
                     "leaq 1f(%%rip), %%rax\n\t"
                     "pushq %%rax\n\t"
                     "lretq\n"
                     "1:\tltr %w2"
                     :
                     : "m"(p), "r"((uint64_t)code), "r"(task)
                     : "rax", "memory");
}

void hw_load_idt(const void *base, uint16_t limit)
{
    struct table_pointer p = {limit, (uint64_t)(uintptr_t)base};

    __asm__ volatile("lidt %0" : : "m"(p) : "memory");
}

void hw_clear_segments(void)
{
    /* The loader's descriptors are gone with its table; nothing uses these but gs, whose base is a register of its own. */
    __asm__ volatile("movl %0, %%ds; movl %0, %%es; movl %0, %%ss; movl %0, %%fs; movl %0, %%gs" : : "r"(0) : "memory");
}

bool hw_irq_enabled(void)
{
    uint64_t flags;

    __asm__ volatile("pushfq; popq %0" : "=r"(flags) : : "memory");
    return (flags & (1u << 9)) != 0;
}

void hw_irq_disable(void)
{
    __asm__ volatile("cli" : : : "memory");
}

void hw_irq_enable(void)
{
    /* sti holds interrupts off for one more instruction: the nop, so that what is pending comes here and not after a cli. */
    __asm__ volatile("sti; nop" : : : "memory");
}

void hw_irq_wait(void)
{
    /* The same one instruction is what leaves no gap before hlt. */
    __asm__ volatile("sti; hlt; cli" : : : "memory");
}

void hw_pause(void)
{
    __asm__ volatile("pause" : : : "memory");
}

_Noreturn void hw_halt(void)
{
    for (;;) {
        __asm__ volatile("cli; hlt" : : : "memory");
    }
}

_Noreturn void hw_triple_fault(void)
{
    struct table_pointer none = {0, 0};

    __asm__ volatile("lidt %0; int3" : : "m"(none) : "memory");
    hw_halt();
}
