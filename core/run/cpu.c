/* SPDX-License-Identifier: MIT OR Apache-2.0
 * cpu.c: each CPU's own struct, and the clock.
 */
#include "core/assert.h"
#include "core/mem.h"
#include "run_private.h"

static struct cpu *cpus[PLAT_CPUS_MAX]; /* [I] after the CPU came up */

void cpu_boot(void)
{
    struct cpu *cpu = boot_alloc_named("cpu", sizeof *cpu, 64);

    cpu->index = plat_cpu_index();
    ASSERT(cpu->index < PLAT_CPUS_MAX && cpus[cpu->index] == NULL);
    cpu->room = ROOM_BOOT;
    cpu->timer_armed_ns = UINT64_MAX;
    list_init(&cpu->posted);
    list_init(&cpu->turn_end);
    list_init(&cpu->threads_ready);
    list_init(&cpu->threads_entered);
    timers_init(&cpu->timers);
    cpus[cpu->index] = cpu;
    plat_cpu_local_set(cpu);
}

struct cpu *cpu_this(void)
{
    return plat_cpu_local();
}

struct cpu *cpu_at(unsigned index)
{
    return index < PLAT_CPUS_MAX ? cpus[index] : NULL;
}

uint64_t clock_ns(void)
{
    return plat_clock_ns();
}

uint64_t clock_wall_ns(void)
{
    return plat_wall_ns();
}
