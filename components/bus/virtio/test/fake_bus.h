/* SPDX-License-Identifier: MIT OR Apache-2.0
 * fake_bus.h: for tests of the transports: a machine with one MMIO window and one PCI function whose registers the test
 * plays (fake_read, fake_write). Every access is checked against its window. Include once, after the component's files.
 */
#pragma once
#include <string.h>

enum { WINDOW_MMIO = 1, WINDOW_BAR = 2 }; /* what mmio.base / 0x10000 says */

/* The test's: a register is read, written. */
static uint32_t fake_read(uintptr_t where, unsigned size);
static void fake_write(uintptr_t where, unsigned size, uint32_t value);

static struct fake_bus {
    bool mmio_there;
    size_t mmio_size;
    struct pci_bus bus;
    struct pci_function function;
    uint8_t space[256]; /* of the function's configuration */
    size_t bar_size;
    unsigned vectors;   /* that the CPU has left */
    struct irq *irq[8]; /* those that were opened */
    unsigned irq_count;
    uint64_t accesses;
} machine;

/* --- registers --------------------------------------------------------------------------------------------------------- */

static inline uintptr_t place(const struct mmio *window, size_t offset, unsigned size)
{
    if (offset + size > window->size || offset % size != 0) {
        panic("register access outside of its window: %zu, %u bytes", offset, size);
    }
    machine.accesses++;
    test_clock_ns += 1000; /* each is an exit of the machine */
    return window->base + offset;
}

uint8_t mmio_read8(const struct mmio *window, size_t offset)
{
    return (uint8_t)fake_read(place(window, offset, 1), 1);
}

uint16_t mmio_read16(const struct mmio *window, size_t offset)
{
    return (uint16_t)fake_read(place(window, offset, 2), 2);
}

uint32_t mmio_read32(const struct mmio *window, size_t offset)
{
    return fake_read(place(window, offset, 4), 4);
}

void mmio_write8(const struct mmio *window, size_t offset, uint8_t value)
{
    fake_write(place(window, offset, 1), 1, value);
}

void mmio_write16(const struct mmio *window, size_t offset, uint16_t value)
{
    fake_write(place(window, offset, 2), 2, value);
}

void mmio_write32(const struct mmio *window, size_t offset, uint32_t value)
{
    fake_write(place(window, offset, 4), 4, value);
}

void mmio_write64(const struct mmio *window, size_t offset, uint64_t value)
{
    mmio_write32(window, offset, (uint32_t)value);
    mmio_write32(window, offset + 4, (uint32_t)(value >> 32));
}

status_t raw_mmio_map(struct device_grant *grant, struct mmio *window, uint64_t address, size_t size)
{
    (void)address;
    *window = (struct mmio){.base = WINDOW_MMIO << 16, .size = size, .grant = grant};
    return ST_OK;
}

bool raw_mmio_device(unsigned i, struct raw_window *window)
{
    *window = (struct raw_window){.address = 0xfeb00e00, .size = machine.mmio_size, .gsi = 9, .edge = true};
    return machine.mmio_there && i == 0;
}

/* --- a loop that does nothing by itself -------------------------------------------------------------------------------- */

void work_init(struct work *work, void (*run)(struct work *work))
{
    work->run = run;
    list_init(&work->node);
}

void loop_post(struct work *work)
{
    (void)work;
}

void timer_init(struct timer *timer, void (*fire)(struct timer *timer))
{
    *timer = (struct timer){.fire = fire};
}

void timer_set(struct timer *timer, uint64_t deadline_ns)
{
    timer->deadline_ns = deadline_ns;
}

/* --- interrupts, memory ------------------------------------------------------------------------------------------------ */

static inline status_t irq_new(struct irq *irq, void (*handle)(struct irq *irq))
{
    irq->handle = handle;
    machine.irq[machine.irq_count++ % 8] = irq;
    return ST_OK;
}

status_t raw_irq_wired(struct device_grant *grant, struct irq *irq, void (*handle)(struct irq *irq),
                       struct raw_wire wire)
{
    (void)grant, (void)wire;
    return irq_new(irq, handle);
}

static char memory[512 * 1024] __attribute__((aligned(4096)));
static size_t memory_used;

void *boot_alloc(size_t size, size_t align)
{
    memory_used = (memory_used + align - 1) & ~(align - 1);
    if (size > sizeof memory - memory_used) {
        panic("the test's memory is too small");
    }
    memset(memory + memory_used, 0, size);
    memory_used += size;
    return memory + memory_used - size;
}

void *boot_alloc_named(const char *what, size_t size, size_t align)
{
    (void)what;
    return boot_alloc(size, align);
}

uint64_t plat_dma_of(const void *p);
uint64_t plat_dma_of(const void *p)
{
    return (uint64_t)(uintptr_t)p;
}

const struct ledger *ledger_selected(void);
const struct ledger *ledger_selected(void)
{
    static const struct ledger ledger = {.name = "drv/fake", .dma_bytes = sizeof memory, .interrupts = 8};

    return &ledger;
}

void irqs_close(struct device_grant *grant);
void irqs_close(struct device_grant *grant)
{
    grant->interrupts = 0;
}

void device_note_add(struct device_note *note)
{
    (void)note;
}

/* --- the PCI function -------------------------------------------------------------------------------------------------- */

static uint32_t function_read(const struct pci_function *function, uint16_t offset, unsigned size)
{
    uint32_t value = UINT32_MAX;

    (void)function;
    if (offset + size <= sizeof machine.space) {
        value = 0;
        memcpy(&value, machine.space + offset, size);
    }
    return value;
}

/* As bus/pci: the list is followed 48 times at most, and only to where a capability can stand. */
static uint8_t function_capability(const struct pci_function *function, enum pci_capability id, uint8_t after)
{
    uint8_t at = (uint8_t)(machine.space[after == 0 ? 0x34 : after + 1] & 0xfc);

    (void)function;
    for (unsigned i = 0; i < 48 && at >= 0x40; i++) {
        if (machine.space[at] == id) {
            return at;
        }
        at = machine.space[at + 1] & 0xfc;
    }
    return 0;
}

static status_t function_map(struct pci_function *function, unsigned bar, uint64_t offset, uint64_t size,
                             struct mmio *window)
{
    (void)function;
    if (bar != 0) {
        return ST_UNSUPPORTED;
    }
    if (offset > machine.bar_size || size > machine.bar_size - offset) {
        return ST_PROTO;
    }
    *window = (struct mmio){.base = (WINDOW_BAR << 16) + offset, .size = size};
    return ST_OK;
}

static void function_enable(const struct pci_function *function)
{
    (void)function;
}

static status_t function_msix_open(struct pci_function *function, uint16_t entry, struct irq *irq,
                                   void (*handle)(struct irq *irq))
{
    (void)function, (void)entry;
    if (machine.vectors == 0) {
        return ST_FULL;
    }
    machine.vectors--;
    return irq_new(irq, handle);
}

static status_t function_msix_enable(struct pci_function *function)
{
    (void)function;
    return ST_OK;
}

static status_t function_intx_open(struct pci_function *function, struct irq *irq, void (*handle)(struct irq *irq))
{
    (void)function;
    return irq_new(irq, handle);
}

static const struct pci_ops function_ops = {
    .read = function_read,
    .capability = function_capability,
    .map = function_map,
    .enable = function_enable,
    .msix_open = function_msix_open,
    .msix_enable = function_msix_enable,
    .intx_open = function_intx_open,
};

/* A machine anew, without anything in it. */
static inline void machine_begin(void)
{
    machine = (struct fake_bus){.bar_size = 0x4000, .vectors = 8};
    machine.bus = (struct pci_bus){.ops = &function_ops, .function = &machine.function};
    machine.function.owner = &machine.bus;
    raw_grant_init(&machine.function.grant, "pci 00:00.0", NULL);
    memory_used = 0;
    memset(&self, 0, sizeof self);
    test_room = ROOM_BOOT;
}

/* What its component would do at boot. */
static inline struct virtio_bus *machine_probe(void)
{
    self.pci = machine.bus.count > 0 ? &machine.bus : NULL;
    (void)bus_virtio_start();
    return bus_virtio_provide_devices();
}
