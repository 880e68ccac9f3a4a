/* SPDX-License-Identifier: MIT OR Apache-2.0
 * plat.h: all that core asks of a machine. The asker owns the contract; platform/x86_64 and platform/sim answer it.
 *
 * Nothing here is for components: they see core/device.h. Time, randomness, MMIO, DMA and interrupts reach an image through
 * this file only, which is what makes a simulated run deterministic.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/status.h"

/* --- core's side: what the platform calls --------------------------------------------------------------------------- */

/* Boot CPU, BOOT room, interrupts off, stack of at least 32 KiB with a guard page, .bss clear, canary set. */
_Noreturn void core_main(void);
/* TRAP: a device interrupt with this vector came; already acknowledged at the controller, and masked there if it is level,
 * until core has handled it and unmasks it. Interrupts are off. */
void core_trap_irq(uint32_t vector);
/* TRAP: the one-shot timer fired. */
void core_trap_timer(void);
/* Tail of every interrupt, interrupts off, on the stack of what was interrupted: core may switch away here (a thread was
 * interrupted and the loop has work) and come back later. */
void core_trap_return(void);
/* A CPU exception or other fatal event: prints the panic block. `frame` is where to begin the backtrace (0: here). */
_Noreturn void core_panic_trap(const char *what, uintptr_t pc, uintptr_t frame);

/* --- console -------------------------------------------------------------------------------------------------------- */
/* Any room; waits for the UART, bounded. Lines end in "\n"; a platform whose line needs "\r\n" adds it. */
void plat_console_write(const char *text, size_t size);
size_t plat_console_read(char *text, size_t size); /* what has come; 0: nothing */
/* The interrupt vector that means "input has come", from here on. ST_UNSUPPORTED: poll-less console. BOOT. */
status_t plat_console_irq(uint32_t *vector);

/* --- time ----------------------------------------------------------------------------------------------------------- */
uint64_t plat_clock_ns(void);              /* monotonic, since boot */
uint64_t plat_wall_ns(void);               /* RTC at boot + clock, 0 unknown */
const char *plat_clock_source(void);       /* "tsc (cpuid)", "tsc (pm timer)", "kvmclock", "sim" */
void plat_timer_arm(uint64_t deadline_ns); /* one-shot; replaces the last; UINT64_MAX disarms */

/* --- CPUs ----------------------------------------------------------------------------------------------------------- */
#define PLAT_CPUS_MAX 64u
unsigned plat_cpu_count(void); /* that the firmware tables name */
unsigned plat_cpu_index(void);
void *plat_cpu_local(void); /* what this CPU was given with plat_cpu_local_set; NULL before */
void plat_cpu_local_set(void *p);
void plat_irq_disable(void);
void plat_irq_enable(void); /* what was pending is taken before it returns (no `sti; cli` with nothing between) */
bool plat_irq_enabled(void);
/* Interrupts are off: lets them in and waits for one, with no gap between. Returns with interrupts off again. */
void plat_wait(void);

struct plat_context { /* saved registers of a context that was switched away */
    uintptr_t word[16];
};
/* Prepares a context that will call entry(argument) on this stack, interrupts on. entry never returns. */
void plat_context_init(struct plat_context *context, void *stack, size_t size, void (*entry)(void *), void *argument);
/* Saves callee-saved state into `from`, continues `to`. Interrupts are off on both sides. */
void plat_context_switch(struct plat_context *from, struct plat_context *to);
#define PLAT_FPU_BYTES 4096u /* 64-aligned */
void plat_fpu_save(void *area);
void plat_fpu_restore(const void *area);

/* --- memory --------------------------------------------------------------------------------------------------------- */
struct plat_ram { /* usable, mapped read-write no-execute, not yet used by anyone; 4 KiB aligned */
    void *base;
    size_t size;
};
#define PLAT_RAM_MAX 32u
unsigned plat_ram(struct plat_ram ram[PLAT_RAM_MAX]); /* BOOT */
size_t plat_ram_total(void);                          /* bytes that the firmware reported usable */
size_t plat_image_bytes(void);                        /* text + data + bss + tables + boot stacks */
/* Makes one page inaccessible for good. BOOT. */
void plat_guard_page(void *page);
/* Device address of image or RAM memory. Asserts on others. */
uint64_t plat_dma_of(const void *p);
/* ST_RANGE: overlaps RAM or is outside what the CPU can address. */
status_t plat_mmio_map(uint64_t address, size_t size, uintptr_t *base);
uint8_t plat_mmio_read8(uintptr_t address);
uint16_t plat_mmio_read16(uintptr_t address);
uint32_t plat_mmio_read32(uintptr_t address);
void plat_mmio_write8(uintptr_t address, uint8_t value);
void plat_mmio_write16(uintptr_t address, uint16_t value);
void plat_mmio_write32(uintptr_t address, uint32_t value);

/* --- interrupts and buses ------------------------------------------------------------------------------------------- */
#define PLAT_VECTORS_MAX 192u
status_t plat_irq_msi(uint32_t *vector, uint64_t *address, uint32_t *data); /* ST_FULL */
/* Unmasked by plat_irq_mask(v, false). A level pin may be asked for again in the same way and has the same vector then.
 * ST_UNSUPPORTED: no such pin, or it was given otherwise. */
status_t plat_irq_wired(uint32_t gsi, bool level, bool active_low, uint32_t *vector);
void plat_irq_mask(uint32_t vector, bool masked);
bool plat_mmio_device(unsigned i, uint64_t *address, size_t *size, uint32_t *gsi, bool *edge);
unsigned plat_pci_buses(void);
status_t plat_pci_read(uint16_t bus, uint8_t device, uint8_t function, uint16_t offset, unsigned size, uint32_t *value);
status_t plat_pci_write(uint16_t bus, uint8_t device, uint8_t function, uint16_t offset, unsigned size, uint32_t value);
/* The GSI that a PCI device's INTx pin reaches, by firmware's interrupt-line register or the machine's fixed swizzle. */
bool plat_pci_gsi(uint16_t bus, uint8_t device, uint8_t pin, uint32_t *gsi);

/* --- randomness, identity, end -------------------------------------------------------------------------------------- */
status_t plat_entropy(void *bytes, size_t size); /* RDSEED/RDRAND. ST_UNSUPPORTED, ST_AGAIN */
const char *plat_cmdline(void);                  /* never NULL */
const char *plat_name(void);                     /* "q35", "microvm", "sim" as found at run time */
uintptr_t plat_image_base(void); /* where the image was placed: pc - base is what the ELF's symbols say */
/* The link's build id (the GNU note's 20 bytes), NULL where there is none. */
const unsigned char *plat_build_id(size_t *size);
unsigned plat_backtrace(uintptr_t frame, uintptr_t *pcs, unsigned most); /* safe on a corrupt stack */
enum plat_exit { PLAT_EXIT_CLEAN = 0, PLAT_EXIT_TEST_FAILED = 1, PLAT_EXIT_PANIC = 2 };
_Noreturn void plat_exit(enum plat_exit code); /* isa-debug-exit if there is one, else ACPI S5, else halt for ever */
_Noreturn void plat_reboot(void);

/* --- console commands that are the machine's: each prints with diag_print. LOOP -------------------------------------- */
void plat_show_cpu(void);
void plat_show_mem(void);
void plat_show_irq(void);
void plat_show_acpi(void);
