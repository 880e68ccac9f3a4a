/* SPDX-License-Identifier: MIT OR Apache-2.0
 * device.h: authority over hardware: register windows, interrupts, DMA memory. What a driver may hold, and nothing else.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/loop.h"
#include "core/room.h"
#include "core/status.h"

/* An address as a device sees it. The CPU may not dereference it. */
typedef struct dma {
    uint64_t value;
} dma_t;

/* One window of device registers. Every access is checked against its size (our mistake: asserted). */
struct mmio {
    uintptr_t base; /* [I] a platform's cookie; only mmio_* may use it */
    size_t size;    /* [I] bytes */
};
/* Maps physical [address, address + size) uncached. ST_RANGE: outside what the machine calls device memory (RAM is refused). */
status_t mmio_map(struct mmio *window, uint64_t address, size_t size) REQUIRES(BOOT);
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

/* Memory that a device may read and write: physically contiguous, zeroed, 4 KiB aligned or better, for the image's life. */
struct dma_memory {
    void *cpu;   /* [I] */
    dma_t dev;   /* [I] */
    size_t size; /* [I] */
};
void dma_alloc(struct dma_memory *memory, size_t size) REQUIRES(BOOT);
/* What it takes of the boot arena at most: it begins and ends on a page. For a component's `memory` line. */
#define DMA_ARENA_BYTES(size) ((size) + 2u * 4095u)
/* The device's address of any byte of boot_alloc, dma_alloc, pool or arena memory, and of static data. Contiguous within
 * one such allocation. Asserts on anything else. */
dma_t dma_of(const void *p);

/* One interrupt source. TRAP marks it and wakes the loop; `handle` runs in LOOP. Edge and MSI count once however often
 * they fired; level is masked in TRAP and unmasked when handle has run. A level wire may have several sources: each handler
 * is called, and asks its device whether it was the one. */
struct irq {
    void (*handle)(struct irq *irq); /* [I] LOOP; begins with room_assert_loop() */
    const char *name;                /* [I] */
    uint64_t count;                  /* [L] for `irq` */
    uint32_t vector;                 /* [I] platform's */
    struct irq *next;                /* [I] core's: another on the same wire */
    struct list node;                /* [I] */
};
/* A message-signalled interrupt to this CPU: the address and data to program. ST_FULL: no vector left. */
status_t irq_open_msi(struct irq *irq, const char *name, void (*handle)(struct irq *irq), uint64_t *address,
                      uint32_t *data) REQUIRES(BOOT);
/* A wired interrupt by its global number (GSI). edge, active-high when level is false; else level, active-low for PCI, and
 * shared with whoever opened it so before. ST_UNSUPPORTED: no such wire, or it is another's in another way. */
status_t irq_open_wired(struct irq *irq, const char *name, void (*handle)(struct irq *irq), uint32_t gsi, bool level,
                        bool active_low) REQUIRES(BOOT);

/* Discovery: what the platform knows without a bus driver. */
struct device_window { /* a virtio-mmio window */
    uint64_t address;
    size_t size;
    uint32_t gsi;
    bool edge;
};
/* i-th fixed virtio-mmio window to probe for the magic; false when there is no i-th. */
bool platform_mmio_device(unsigned i, struct device_window *window) REQUIRES(BOOT);

/* PCI configuration space, by ECAM or legacy ports, whichever the machine has. ST_UNSUPPORTED: no PCI here.
 * offset is naturally aligned; size 1, 2 or 4. */
status_t pci_config_read(uint16_t bus, uint8_t device, uint8_t function, uint16_t offset, unsigned size,
                         uint32_t *value);
status_t pci_config_write(uint16_t bus, uint8_t device, uint8_t function, uint16_t offset, unsigned size,
                          uint32_t value) REQUIRES(BOOT);
unsigned pci_bus_count(void); /* 0: no PCI */
/* The GSI that the pin (1 = INTA) of a PCI function reaches; false when unknown. */
bool pci_gsi(uint16_t bus, uint8_t device, uint8_t pin, uint32_t *gsi) REQUIRES(BOOT);

/* A line for the `devices` command. Kept by the caller for life. */
struct device_note {
    const char *driver; /* [I] component that drives it */
    char text[64];      /* [L] what it is and how it fares */
    struct list node;   /* [I] */
};
void device_note_add(struct device_note *note) REQUIRES(BOOT);
