/* SPDX-License-Identifier: MIT OR Apache-2.0
 * bus_pci.c: PCI functions as firmware left them: enumeration, BARs, capabilities, MSI-X.
 *
 *  (1) Everything happens in BOOT, but that a function is cut off when its grant is silenced. After BOOT `self` is read only.
 *  (2) Configuration space is an allegation: every loop over it is bounded, every offset from it is checked.
 *  (3) Buses are numbered by firmware; none is renumbered, and no BAR is moved.
 */
#define LOG_TAG "pci"
#include "config.h"
#include "core/assert.h"
#include "core/fmt.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/raw.h"
#include "lib/pci/pci.h"

enum { /* PCI 3.0, 6.1 */
       REG_VENDOR = 0x00,
       REG_DEVICE = 0x02,
       REG_COMMAND = 0x04,
       REG_STATUS = 0x06,
       REG_SUBCLASS = 0x0a,
       REG_CLASS = 0x0b,
       REG_HEADER_TYPE = 0x0e,
       REG_BAR0 = 0x10,
       REG_SECONDARY_BUS = 0x19, /* of a bridge */
       REG_SUBSYSTEM = 0x2e,
       REG_CAPABILITIES = 0x34,
       REG_PIN = 0x3d,
};
enum { COMMAND_IO = 1, COMMAND_MEMORY = 2, COMMAND_MASTER = 4, COMMAND_NO_INTX = 0x400 };
enum { STATUS_CAPABILITIES = 0x10 };
enum { HEADER_PLAIN = 0, HEADER_BRIDGE = 1, HEADER_MULTI = 0x80 };
enum { BAR_IO = 1, BAR_64 = 4, BAR_TYPE = 6 };
enum { MSIX_CONTROL = 2, MSIX_TABLE = 4, MSIX_COUNT = 0x7ff, MSIX_MASK = 0x4000, MSIX_ENABLE = 0x8000 }; /* 6.8.2 */
enum { MSIX_ENTRY_BYTES = 16, ENTRY_ADDRESS = 0, ENTRY_DATA = 8, ENTRY_CONTROL = 12, ENTRY_MASKED = 1 };

#define CAPABILITIES_MAX 48u /* as many as fit into 256 bytes: a chain that is longer is a loop */
#define BUSES 256u

_Static_assert(BUS_PCI_MEMORY_BYTES >= BUS_PCI_FUNCTIONS_MAX * sizeof(struct pci_function),
               "the `memory` line of component.conf says less than is taken");

static struct bus_pci_state {
    struct pci_bus bus;
    uint32_t marked[BUSES / 32]; /* buses that a bridge leads to */
    unsigned left_alone;
    bool started;
} self;

static uint32_t config_read(const struct pci_function *function, uint16_t offset, unsigned size)
{
    uint32_t value = UINT32_MAX;

    ASSERT((size == 1 || size == 2 || size == 4) && (offset & (size - 1)) == 0);
    if (raw_pci_read(function->bus, function->device, function->function, offset, size, &value) != ST_OK) {
        value = UINT32_MAX;
    }
    return size == 4 ? value : value & ((1u << 8 * size) - 1);
}

static void config_write(const struct pci_function *function, uint16_t offset, unsigned size, uint32_t value)
{
    status_ignore(raw_pci_write(function->bus, function->device, function->function, offset, size, value),
                  "the function answered reads through the same mechanism");
}

static uint8_t next_capability(const struct pci_function *function, enum pci_capability id, uint8_t after)
{
    uint16_t pointer = after == 0 ? REG_CAPABILITIES : (uint16_t)(after + 1);

    if ((config_read(function, REG_STATUS, 2) & STATUS_CAPABILITIES) == 0) {
        return 0;
    }
    for (unsigned i = 0; i < CAPABILITIES_MAX; i++) {
        uint8_t at = (uint8_t)(config_read(function, pointer, 1) & 0xfc);
        if (at < 0x40) {
            return 0; /* the end, or a pointer into the header: (2) */
        }
        if (config_read(function, at, 1) == (uint32_t)id) {
            return at;
        }
        pointer = (uint16_t)(at + 1);
    }
    return 0;
}

static void msix_control(const struct pci_function *function, uint32_t set, uint32_t clear)
{
    uint16_t at = (uint16_t)(function->msix_offset + MSIX_CONTROL);

    config_write(function, at, 2, (config_read(function, at, 2) & ~clear) | set);
}

/* As device_silence() wants it. Memory stays decoded: its driver may still want to know whether it has stopped. */
static void function_off(struct device_grant *grant)
{
    const struct pci_function *function = CONTAINER_OF(grant, struct pci_function, grant);
    uint32_t command = config_read(function, REG_COMMAND, 2);

    if (function->msix_offset != 0) {
        msix_control(function, MSIX_MASK, MSIX_ENABLE);
    }
    config_write(function, REG_COMMAND, 2, (command & ~(uint32_t)COMMAND_MASTER) | COMMAND_NO_INTX);
}

/* --- enumeration ---------------------------------------------------------------------------------------------------- */

/* What remains of all ones says the size: PCI 3.0, 6.2.5.1. Decoding is off meanwhile. */
static uint32_t bar_probe(const struct pci_function *function, uint16_t offset, uint32_t value) REQUIRES(BOOT)
{
    config_write(function, offset, 4, UINT32_MAX);
    uint32_t mask = config_read(function, offset, 4);
    config_write(function, offset, 4, value);
    return mask;
}

/* Reads BAR `i`; returns how many registers it takes. */
static unsigned bar_read(struct pci_function *function, unsigned i) REQUIRES(BOOT)
{
    uint16_t offset = (uint16_t)(REG_BAR0 + 4 * i);
    uint32_t value = config_read(function, offset, 4);
    uint32_t mask = bar_probe(function, offset, value);
    struct pci_bar *bar = &function->bar[i];

    bar->io = (value & BAR_IO) != 0;
    uint32_t flags = bar->io ? 0x3 : 0xf;
    bar->address = value & ~flags;
    if (bar->io || (value & BAR_TYPE) != BAR_64 || i + 1 == PCI_BARS) {
        bar->size = (mask & ~flags) == 0 ? 0 : (uint64_t)(~(mask & ~flags)) + 1;
        bar->size &= bar->io ? 0xffff : UINT32_MAX;
        return 1;
    }
    uint32_t high = config_read(function, (uint16_t)(offset + 4), 4);
    uint64_t wide = (uint64_t)bar_probe(function, (uint16_t)(offset + 4), high) << 32 | (mask & ~flags);
    bar->address |= (uint64_t)high << 32;
    bar->size = wide == 0 ? 0 : ~wide + 1;
    return 2;
}

static void bars_read(struct pci_function *function) REQUIRES(BOOT)
{
    uint32_t command = config_read(function, REG_COMMAND, 2);

    config_write(function, REG_COMMAND, 2, command & ~(uint32_t)(COMMAND_IO | COMMAND_MEMORY));
    for (unsigned i = 0; i < PCI_BARS;) {
        i += bar_read(function, i);
    }
    config_write(function, REG_COMMAND, 2, command);
}

static void function_read(struct pci_function *function) REQUIRES(BOOT)
{
    function->owner = &self.bus;
    function->device_id = (uint16_t)config_read(function, REG_DEVICE, 2);
    function->class_code = (uint8_t)config_read(function, REG_CLASS, 1);
    function->subclass = (uint8_t)config_read(function, REG_SUBCLASS, 1);
    function->subsystem_id = (uint16_t)config_read(function, REG_SUBSYSTEM, 2);
    function->pin = (uint8_t)config_read(function, REG_PIN, 1);
    function->msix_offset = next_capability(function, PCI_CAP_MSIX, 0);
    if (function->msix_offset != 0) {
        uint32_t control = config_read(function, (uint16_t)(function->msix_offset + MSIX_CONTROL), 2);
        function->msix_count = (uint16_t)((control & MSIX_COUNT) + 1);
    }
    bars_read(function);
}

static void bridge_follow(const struct pci_function *bridge)
{
    uint32_t behind = config_read(bridge, REG_SECONDARY_BUS, 1);

    /* Firmware numbers downwards: a bridge that leads back up would be a loop. (2) */
    if (behind > bridge->bus && behind < BUSES && behind < raw_pci_buses()) {
        self.marked[behind / 32] |= 1u << behind % 32;
    }
}

/* Looks at one function; false when there is none. */
static bool function_probe(uint16_t bus, uint8_t device, uint8_t number, bool *multi) REQUIRES(BOOT)
{
    struct pci_function function = {.bus = bus, .device = device, .function = number};

    function.vendor_id = (uint16_t)config_read(&function, REG_VENDOR, 2);
    if (function.vendor_id == UINT16_MAX) {
        return false;
    }
    uint32_t type = config_read(&function, REG_HEADER_TYPE, 1);
    *multi = (type & HEADER_MULTI) != 0;
    if ((type & ~(uint32_t)HEADER_MULTI) == HEADER_BRIDGE) {
        bridge_follow(&function);
    }
    if ((type & ~(uint32_t)HEADER_MULTI) != HEADER_PLAIN) {
        return true;
    }
    if (self.bus.count == BUS_PCI_FUNCTIONS_MAX) {
        self.left_alone++;
        return true;
    }
    struct pci_function *kept = &self.bus.function[self.bus.count++];
    *kept = function;
    function_read(kept);
    fmt_text(kept->where, sizeof kept->where, "pci %02x:%02x.%u", (unsigned)bus, (unsigned)device, (unsigned)number);
    raw_grant_init(&kept->grant, kept->where, function_off);
    log_debug("%s %04x:%04x class %02x%02x", kept->where, (unsigned)kept->vendor_id, (unsigned)kept->device_id,
              (unsigned)kept->class_code, (unsigned)kept->subclass);
    return true;
}

static void bus_probe(uint16_t bus) REQUIRES(BOOT)
{
    for (uint8_t device = 0; device < 32; device++) {
        bool multi = false;
        bool none = false;
        if (!function_probe(bus, device, 0, &multi) || !multi) {
            continue;
        }
        for (uint8_t number = 1; number < 8; number++) {
            status_ignore(function_probe(bus, device, number, &none) ? ST_OK : ST_AGAIN, "functions may have gaps");
        }
    }
}

/* --- for buses above ------------------------------------------------------------------------------------------------ */

static status_t window_map(struct pci_function *function, unsigned index, uint64_t offset, uint64_t size,
                           struct mmio *window) REQUIRES(BOOT)
{
    if (index >= PCI_BARS || size == 0) {
        return ST_PROTO;
    }
    const struct pci_bar *bar = &function->bar[index];
    if (bar->size == 0 || bar->io) {
        return ST_UNSUPPORTED;
    }
    if (bar->address == 0) {
        log_warn("%s: firmware gave BAR %u no address", function->where, index);
        return ST_UNSUPPORTED;
    }
    if (offset > bar->size || size > bar->size - offset) {
        return ST_PROTO;
    }
    return raw_mmio_map(&function->grant, window, bar->address + offset, (size_t)size);
}

/* Maps the table and masks every entry, whatever firmware left in it. */
static status_t msix_prepare(struct pci_function *function) REQUIRES(BOOT)
{
    uint32_t where = config_read(function, (uint16_t)(function->msix_offset + MSIX_TABLE), 4);
    size_t size = (size_t)function->msix_count * MSIX_ENTRY_BYTES;

    status_t s = window_map(function, where & 7, where & ~7u, size, &function->msix_table);
    if (s != ST_OK) {
        return s;
    }
    msix_control(function, MSIX_ENABLE | MSIX_MASK, 0);
    for (size_t at = 0; at < size; at += MSIX_ENTRY_BYTES) {
        mmio_write32(&function->msix_table, at + ENTRY_CONTROL, ENTRY_MASKED);
    }
    return ST_OK;
}

static status_t ops_msix_open(struct pci_function *function, uint16_t entry, struct irq *irq,
                              void (*handle)(struct irq *irq))
{
    uint64_t address = 0;
    uint32_t data = 0;

    room_assert_boot();
    if (entry >= function->msix_count) {
        return ST_RANGE;
    }
    status_t s = function->msix_table.size == 0 ? msix_prepare(function) : ST_OK;
    if (s != ST_OK) {
        return s;
    }
    s = raw_irq_msi(&function->grant, irq, handle, &address, &data);
    if (s != ST_OK) {
        return s;
    }
    size_t at = (size_t)entry * MSIX_ENTRY_BYTES;
    mmio_write32(&function->msix_table, at + ENTRY_ADDRESS, (uint32_t)address);
    mmio_write32(&function->msix_table, at + ENTRY_ADDRESS + 4, (uint32_t)(address >> 32));
    mmio_write32(&function->msix_table, at + ENTRY_DATA, data);
    mmio_write32(&function->msix_table, at + ENTRY_CONTROL, 0);
    return ST_OK;
}

static status_t ops_msix_enable(struct pci_function *function)
{
    room_assert_boot();
    if (function->msix_table.size == 0) {
        return ST_UNSUPPORTED; /* nothing was opened */
    }
    msix_control(function, MSIX_ENABLE, MSIX_MASK);
    return ST_OK;
}

static status_t ops_intx_open(struct pci_function *function, struct irq *irq, void (*handle)(struct irq *irq))
{
    struct raw_wire wire = {.level = true, .active_low = true};

    room_assert_boot();
    if (function->pin == 0 || function->pin > 4 ||
        !raw_pci_gsi(function->bus, function->device, function->pin, &wire.gsi)) {
        return ST_UNSUPPORTED;
    }
    status_t s = raw_irq_wired(&function->grant, irq, handle, wire);
    if (s != ST_OK) {
        return s;
    }
    if (function->msix_offset != 0) {
        msix_control(function, 0, MSIX_ENABLE | MSIX_MASK);
    }
    uint32_t command = config_read(function, REG_COMMAND, 2);
    config_write(function, REG_COMMAND, 2, command & ~(uint32_t)COMMAND_NO_INTX);
    return ST_OK;
}

static void ops_enable(const struct pci_function *function)
{
    room_assert_boot();
    uint32_t command = config_read(function, REG_COMMAND, 2);
    config_write(function, REG_COMMAND, 2, command | COMMAND_MEMORY | COMMAND_MASTER | COMMAND_NO_INTX);
}

static status_t ops_map(struct pci_function *function, unsigned bar, uint64_t offset, uint64_t size,
                        struct mmio *window)
{
    room_assert_boot();
    return window_map(function, bar, offset, size, window);
}

static const struct pci_ops ops = {
    .read = config_read,
    .capability = next_capability,
    .map = ops_map,
    .enable = ops_enable,
    .msix_open = ops_msix_open,
    .msix_enable = ops_msix_enable,
    .intx_open = ops_intx_open,
};

struct pci_bus *bus_pci_provide_functions(void) REQUIRES(BOOT);
struct pci_bus *bus_pci_provide_functions(void)
{
    ASSERT(self.started);
    return &self.bus;
}

status_t bus_pci_start(void) REQUIRES(BOOT);
status_t bus_pci_start(void)
{
    ASSERT(!self.started);
    self.started = true;
    self.bus.ops = &ops;
    self.bus.function = boot_alloc(sizeof(struct pci_function) * BUS_PCI_FUNCTIONS_MAX, _Alignof(struct pci_function));
    self.marked[0] = 1; /* bus 0 is always there, if any is */
    for (unsigned bus = 0; bus < BUSES && bus < raw_pci_buses(); bus++) {
        if ((self.marked[bus / 32] & 1u << bus % 32) != 0) {
            bus_probe((uint16_t)bus);
        }
    }
    if (self.left_alone != 0) {
        log_warn("%u functions left alone; raise bus/pci functions_max=%u", self.left_alone, BUS_PCI_FUNCTIONS_MAX);
    }
    log_info("%u functions", self.bus.count);
    return ST_OK;
}
