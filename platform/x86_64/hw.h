/* SPDX-License-Identifier: MIT OR Apache-2.0
 * hw.h: the instructions that reach the hardware, one function each, so that host tests can stand in for a CPU.
 *
 * Everything else in this folder is plain C over these. A test defines them itself in place of hw.c.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct hw_cpuid {
    uint32_t eax, ebx, ecx, edx;
};
struct hw_cpuid hw_cpuid(uint32_t leaf, uint32_t subleaf);
uint64_t hw_rdmsr(uint32_t msr);
void hw_wrmsr(uint32_t msr, uint64_t value);
uint64_t hw_rdtsc(void); /* not before the loads and stores that precede it */
/* False: the generator had nothing to give this time. The CPU must have it (CPUID). */
bool hw_rdrand(uint64_t *value);
bool hw_rdseed(uint64_t *value);

uint8_t hw_in8(uint16_t port);
uint16_t hw_in16(uint16_t port);
uint32_t hw_in32(uint16_t port);
void hw_out8(uint16_t port, uint8_t value);
void hw_out16(uint16_t port, uint16_t value);
void hw_out32(uint16_t port, uint32_t value);

/* Device registers: exactly one access of exactly this size. */
uint8_t hw_read8(uintptr_t address);
uint16_t hw_read16(uintptr_t address);
uint32_t hw_read32(uintptr_t address);
void hw_write8(uintptr_t address, uint8_t value);
void hw_write16(uintptr_t address, uint16_t value);
void hw_write32(uintptr_t address, uint32_t value);

uint64_t hw_read_cr2(void);
uint64_t hw_read_cr3(void);
void hw_write_cr3(uint64_t value);
uint64_t hw_read_cr4(void);
void hw_write_cr4(uint64_t value);
void hw_xsetbv(uint32_t index, uint64_t value);
void hw_invlpg(uintptr_t address);
void hw_load_gdt(const void *base, uint16_t limit, uint16_t code, uint16_t task);
void hw_load_idt(const void *base, uint16_t limit);
void hw_clear_segments(void);

bool hw_irq_enabled(void);
void hw_irq_disable(void);
void hw_irq_enable(void);
void hw_irq_wait(void); /* sti; hlt; cli */
void hw_pause(void);
_Noreturn void hw_halt(void); /* interrupts off, for ever */
_Noreturn void hw_triple_fault(void);
