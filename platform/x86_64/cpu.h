/* SPDX-License-Identifier: MIT OR Apache-2.0
 * cpu.h: what is one CPU's: descriptor tables, its register of local data, its features.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* Reached through the GS base. vectors.S and cpu.c know the first three offsets. */
struct cpu {
    struct cpu *self;  /* [I] 0 */
    void *local;       /* [I] 8: core's */
    uint32_t index;    /* [I] 16 */
    uint32_t apic_id;  /* [I] */
    uint64_t gdt[5];   /* [I] null, code, data, task (two) */
    uint32_t task[26]; /* [I] the 104-byte task state segment */
};

/* The boot CPU: tables, traps, protections of CR4. */
void x86_cpu_init(void);
struct cpu *x86_cpu_this(void);
/* "SMEP SMAP UMIP" as set. */
const char *x86_cpu_protections(void);
void x86_cpu_fpu_init(void);
unsigned x86_cpu_fpu_bytes(void);
/* How many address bits the CPU has. */
unsigned x86_cpu_physical_bits(void);
