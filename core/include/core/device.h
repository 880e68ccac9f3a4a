/* SPDX-License-Identifier: MIT OR Apache-2.0
 * device.h: authority over hardware: a driver holds grants of devices, and their windows, interrupts and DMA memory by way of them.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/list.h"
#include "core/loop.h"
#include "core/room.h"
#include "core/status.h"

/* An address as a device sees it. The CPU may not dereference it. */
typedef struct dma {
    uint64_t value;
} dma_t;

struct ledger;

enum device_state {
    DEVICE_FREE,     /* nobody's: its bus may look at it */
    DEVICE_GONE,     /* taken back: no window, memory or interrupt of it is good for anything, for the image's life */
    DEVICE_HELD,     /* a driver's */
    DEVICE_REVOKING, /* a driver's still: it was told to stop, and what the device may reach has not come back yet */
};

/* Authority over one device: windows, a budget of DMA memory, a budget of interrupts. Its bus makes it (core/raw.h), a driver holds
 * it, and has nothing of the hardware but by way of it.
 *
 *            hold               revoke                     release (quiesced, scrubbed)
 *   FREE ----------> HELD ----------------> REVOKING ------------------------------------> GONE
 *                      \_________________ release: the driver gives up _____________________/
 *
 *  (1) Stale handles fail closed. Of a device that is GONE a window reads all ones, as an empty slot does, and drops what is
 *      written; memory and interrupts are refused (ST_CLOSED); to lend it memory is our mistake (asserted).
 *  (2) It is GONE only when the device confirmed that it stopped: first quiesce, then scrub, then free.
 *
 * Keys: [I] fixed after BOOT  [L] the owning loop only */
struct device_grant {
    const char *where;                       /* [I] "pci 00:03.0" */
    void (*off)(struct device_grant *grant); /* [I] the bus's: no access to memory, no interrupts. May be NULL */
    void (*quiesce)(void *driver);           /* [I] the driver's: LOOP; device_release() is to follow, now or later */
    void *driver;                            /* [I] what that gets */
    const struct ledger *holder; /* [I] NULL: never held. Its `dma` and `interrupts` lines are the budgets */
    enum device_state state;     /* [L] */
    uint32_t generation;         /* [L] of windows that are good */
    uint32_t windows;            /* [I] that were mapped */
    uint32_t interrupts;         /* [L] that are open */
    size_t window_bytes;         /* [I] of those */
    size_t dma_bytes;            /* [L] that were given out */
    struct dma_buffer *buffer;   /* [I] those, to be scrubbed */
    struct list node;            /* [I] of those that were ever held */
};
/* Takes it for the component that starts now, with that component's budgets. */
void device_hold(struct device_grant *grant, void (*quiesce)(void *driver), void *driver) REQUIRES(BOOT);
/* Takes the device away from its driver, for good. Nothing happens when it is being taken or nobody has it. */
void device_revoke(struct device_grant *grant) REQUIRES(LOOP);
/* For a driver whose device does not confirm that it stopped: the bus cuts it off from memory, as far as it can, and its interrupts
 * are closed. Windows stay: it may still confirm. */
void device_silence(struct device_grant *grant);
/* For a driver: the device reaches nothing any more, and nobody else has any of its DMA memory. BOOT or LOOP. Silences it, zeroes
 * all of its DMA memory, gives back the budgets; then it is GONE. */
void device_release(struct device_grant *grant);
/* Whether it is a driver's: it may still be given memory, windows, interrupts. */
static inline bool device_held(const struct device_grant *grant)
{
    return grant->state >= DEVICE_HELD;
}

/* One window of device registers. Every access is checked against its size (our mistake: asserted), and against its grant (1). */
struct mmio {
    uintptr_t base;                   /* [I] a platform's cookie; only mmio_* may use it */
    size_t size;                      /* [I] bytes */
    const struct device_grant *grant; /* [I] */
    uint32_t generation;              /* [I] of the grant when it was mapped */
};
uint8_t mmio_read8(const struct mmio *window, size_t offset);
uint16_t mmio_read16(const struct mmio *window, size_t offset);
uint32_t mmio_read32(const struct mmio *window, size_t offset);
uint64_t mmio_read64(const struct mmio *window, size_t offset); /* two 32-bit reads, low first */
void mmio_write8(const struct mmio *window, size_t offset, uint8_t value);
void mmio_write16(const struct mmio *window, size_t offset, uint16_t value);
void mmio_write32(const struct mmio *window, size_t offset, uint32_t value);
void mmio_write64(const struct mmio *window, size_t offset, uint64_t value); /* two 32-bit writes, low first */
/* A window inside another. */
struct mmio mmio_slice(const struct mmio *window, size_t offset, size_t size);

/* Memory that a device may read and write: physically contiguous, zeroed, 4 KiB aligned or better; until its grant is released. */
struct dma_memory {
    void *cpu;   /* [I] */
    dma_t dev;   /* [I] */
    size_t size; /* [I] */
};
/* ST_FULL: more than the `dma` line of the component's budget, which the log says. ST_CLOSED: (1). */
status_t dma_alloc(struct device_grant *grant, struct dma_memory *memory, size_t size) REQUIRES(BOOT);
/* What it takes of that budget: whole pages. */
#define DMA_BYTES(size) (((size) + 4095u) / 4096u * 4096u)
/* What it takes of the boot arena at most: it begins and ends on a page, and is entered in a book. For the `memory` line. */
#define DMA_ARENA_BYTES(size) ((size) + 2u * 4095u + 32u)
/* Where this device finds any byte of boot_alloc, dma_alloc, pool or arena memory, and of static data, that it is to be lent.
 * Contiguous within one such allocation. Asserts on anything else. */
dma_t dma_lend(const struct device_grant *grant, const void *p);

/* One interrupt source. TRAP marks it and wakes the loop; `handle` runs in LOOP. Edge and MSI count once however often
 * they fired; level is masked in TRAP and unmasked when handle has run. A level wire may have several sources: each handler
 * is called, and asks its device whether it was the one. */
struct irq {
    void (*handle)(struct irq *irq); /* [I] LOOP; begins with room_assert_loop() */
    const char *name;                /* [I] */
    uint64_t count;                  /* [L] for `irq` */
    uint32_t vector;                 /* [I] platform's */
    struct device_grant *grant;      /* [I] NULL: core's own */
    struct irq *next;                /* [L] core's: another on the same wire */
    struct list node;                /* [L] */
};

/* A line for the `devices` command. Kept by the caller for life. */
struct device_note {
    const char *driver; /* [I] component that drives it */
    char text[64];      /* [L] what it is and how it fares */
    struct list node;   /* [I] */
};
void device_note_add(struct device_note *note) REQUIRES(BOOT);
