/* SPDX-License-Identifier: MIT OR Apache-2.0
 * pci.c: bus 0 of a machine with PCI: configuration space, the placing of BARs, the wires of the pins.
 *
 *  (1) The bus exists when a function was added: a machine without has no PCI, as a microvm.
 *  (2) What firmware does on a machine is done in sim_pci_add(). 64-bit BARs lie above 4 GiB, so that a driver that loses the
 *      upper half is found out.
 *  (3) The board wires the pins of each two slots to one of four lines (level, low), so that the first two devices share theirs.
 *      Slot 1 is empty: a driver that takes a gap for the end is found out.
 */
#include "pci.h"
#include <string.h>
#include "core/diag.h"
#include "plat/plat.h"
#include "sim_private.h"

#define SLOTS 32u
#define LINES 4u
#define LOW_BASE 0xe0000000ull
#define HIGH_BASE 0x6000000000ull
#define COST_CONFIG_NS 400u /* an exit to the host, as for registers */

static struct {
    struct sim_pci_function *function[SLOTS]; /* by slot; NULL: empty */
    unsigned count;                           /* of slots, the empty ones too */
    uint32_t line[LINES];
    uint64_t low, high; /* where the next BAR may lie */
} self = {.low = LOW_BASE, .high = HIGH_BASE};

uint32_t sim_pci_get(const struct sim_pci_function *function, unsigned offset, unsigned size)
{
    uint32_t value = 0;

    memcpy(&value, function->config + offset, size);
    return value;
}

void sim_pci_set(struct sim_pci_function *function, unsigned offset, unsigned size, uint32_t value)
{
    memcpy(function->config + offset, &value, size);
}

static void writable_bits(struct sim_pci_function *function, unsigned offset, unsigned size, uint32_t bits)
{
    memcpy(function->writable + offset, &bits, size);
}

void sim_pci_writable(struct sim_pci_function *function, unsigned offset, unsigned size)
{
    memset(function->writable + offset, 0xff, size);
}

static bool command_has(const struct sim_pci_function *function, uint32_t bit)
{
    return (sim_pci_get(function, PCI_COMMAND, 2) & bit) != 0;
}

bool sim_pci_master(const struct sim_pci_function *function)
{
    return command_has(function, COMMAND_MASTER);
}

/* --- the pin: 2.2.6, 6.2.2, 6.2.3 ------------------------------------------------------------------------------------- */

static uint32_t line_of(uint8_t slot, uint8_t pin)
{
    return self.line[(slot / 2u + pin - 1u) % LINES]; /* (3) */
}

static void pin_update(struct sim_pci_function *function)
{
    bool pulls = function->pulls && !sim_pci_msix_on(function);
    bool felt = pulls && !command_has(function, COMMAND_NO_PIN);
    uint32_t status = sim_pci_get(function, PCI_STATUS, 2) & ~(uint32_t)STATUS_PIN;

    sim_pci_set(function, PCI_STATUS, 2, status | (pulls ? STATUS_PIN : 0));
    if (felt != function->pulled) {
        function->pulled = felt;
        sim_line_pull(line_of(function->slot, 1), felt);
    }
}

void sim_pci_pin(struct sim_pci_function *function, bool pulls)
{
    function->pulls = pulls && function->wired;
    pin_update(function);
}

/* --- BARs: 6.2.5.1 ---------------------------------------------------------------------------------------------------- */

static uint64_t place(uint64_t *next, uint64_t size)
{
    uint64_t address = (*next + size - 1) & ~(size - 1);

    *next = address + size;
    return address;
}

static void bar_add(struct sim_pci_function *function, unsigned i)
{
    struct sim_pci_bar *bar = &function->bar[i];
    unsigned at = PCI_BAR0 + 4 * i;
    uint64_t mask = ~((uint64_t)bar->window.size - 1);

    if (bar->window.size == 0) {
        return;
    }
    bar->window.address = place(bar->wide ? &self.high : &self.low, bar->window.size);
    sim_pci_set(function, at, 4, (uint32_t)bar->window.address | (bar->wide ? 4 : 0));
    writable_bits(function, at, 4, (uint32_t)mask);
    if (bar->wide) {
        sim_pci_set(function, at + 4, 4, (uint32_t)(bar->window.address >> 32));
        writable_bits(function, at + 4, 4, (uint32_t)(mask >> 32));
    }
    sim_window_add(&bar->window);
}

/* Windows are where the registers say, and decoded when the command register says so. */
static void bars_update(struct sim_pci_function *function)
{
    for (unsigned i = 0; i < SIM_PCI_BARS; i++) {
        struct sim_pci_bar *bar = &function->bar[i];
        unsigned at = PCI_BAR0 + 4 * i;
        if (bar->window.size != 0) {
            bar->window.address = sim_pci_get(function, at, 4) & ~0xfu;
            bar->window.address |= bar->wide ? (uint64_t)sim_pci_get(function, at + 4, 4) << 32 : 0;
            bar->window.off = !command_has(function, COMMAND_MEMORY);
        }
    }
}

/* --- functions -------------------------------------------------------------------------------------------------------- */

unsigned sim_pci_capability(struct sim_pci_function *function, const void *bytes, unsigned size)
{
    unsigned at = function->used;

    if (at + size > SIM_PCI_CONFIG_BYTES) {
        sim_die("%s: its capabilities do not fit into configuration space", function->name);
    }
    memcpy(function->config + at, bytes, size);
    sim_pci_set(function, at + 1, 1, 0);
    sim_pci_set(function, function->last != 0 ? function->last + 1 : PCI_CAPABILITIES, 1, at);
    sim_pci_set(function, PCI_STATUS, 2, sim_pci_get(function, PCI_STATUS, 2) | STATUS_CAPABILITIES);
    function->last = at;
    function->used = (at + size + 3) & ~3u; /* 6.7: they are aligned */
    return at;
}

static void header_fill(struct sim_pci_function *function)
{
    sim_pci_set(function, PCI_VENDOR, 2, function->vendor_id);
    sim_pci_set(function, PCI_DEVICE, 2, function->device_id);
    sim_pci_set(function, PCI_REVISION, 4, function->class_code << 8 | function->revision);
    sim_pci_set(function, PCI_SUBSYSTEM_VENDOR, 2, function->subsystem_vendor);
    sim_pci_set(function, PCI_SUBSYSTEM, 2, function->subsystem);
    sim_pci_set(function, PCI_COMMAND, 2, COMMAND_MEMORY);
    writable_bits(function, PCI_COMMAND, 2, COMMAND_MEMORY | COMMAND_MASTER | COMMAND_NO_PIN);
    sim_pci_writable(function, PCI_CACHE_LINE, 1);
    sim_pci_writable(function, PCI_LINE, 1);
    if (function->wired) {
        sim_pci_set(function, PCI_PIN, 1, 1);
        sim_pci_set(function, PCI_LINE, 1, line_of(function->slot, 1));
    }
    function->used = PCI_HEADER_BYTES;
}

static void function_add(struct sim_pci_function *function)
{
    if (self.count == SLOTS) {
        sim_die("%s: the bus has %u slots", function->name, SLOTS);
    }
    function->slot = (uint8_t)self.count;
    self.function[self.count++] = function;
    header_fill(function);
    msix_bar_add(function);
    for (unsigned i = 0; i < SIM_PCI_BARS; i++) {
        bar_add(function, i);
    }
    msix_capability_add(function);
}

static void bus_make(void)
{
    static struct sim_pci_function bridge = {
        .name = "host bridge", .vendor_id = 0x1b36, .device_id = 0x0008, .class_code = 0x060000};

    for (unsigned i = 0; i < LINES; i++) {
        self.line[i] = sim_line_new(true);
    }
    function_add(&bridge);
    self.count++; /* (3) */
}

void sim_pci_add(struct sim_pci_function *function)
{
    if (self.count == 0) {
        bus_make(); /* (1) */
    }
    function_add(function);
}

/* --- what the image asks ---------------------------------------------------------------------------------------------- */

unsigned plat_pci_buses(void)
{
    return self.count > 0 ? 1 : 0;
}

static status_t check(uint16_t bus, uint8_t device, uint8_t function, uint16_t offset, unsigned size)
{
    if (plat_pci_buses() == 0) {
        return ST_UNSUPPORTED;
    }
    if (bus > 0 || device >= SLOTS || function > 7 || offset + size > 4096) {
        return ST_RANGE;
    }
    sim_cost(COST_CONFIG_NS);
    return (size == 1 || size == 2 || size == 4) && offset % size == 0 ? ST_OK : ST_BADARG;
}

static struct sim_pci_function *function_at(uint8_t device, uint8_t function)
{
    return function == 0 && device < self.count ? self.function[device] : NULL;
}

/* Nobody there: all ones (6.1). Behind the header's 256 bytes there are no extended capabilities: zeros. */
status_t plat_pci_read(uint16_t bus, uint8_t device, uint8_t function, uint16_t offset, unsigned size, uint32_t *value)
{
    struct sim_pci_function *at = function_at(device, function);
    status_t s = check(bus, device, function, offset, size);

    if (s != ST_OK) {
        return s;
    }
    if (at == NULL || offset >= SIM_PCI_CONFIG_BYTES) {
        *value = at == NULL ? UINT32_MAX >> (32 - 8 * size) : 0;
        return ST_OK;
    }
    if (at->reading != NULL) {
        at->reading(at, offset, size);
    }
    *value = sim_pci_get(at, offset, size);
    return ST_OK;
}

status_t plat_pci_write(uint16_t bus, uint8_t device, uint8_t function, uint16_t offset, unsigned size, uint32_t value)
{
    struct sim_pci_function *at = function_at(device, function);
    status_t s = check(bus, device, function, offset, size);

    if (s != ST_OK || at == NULL || offset >= SIM_PCI_CONFIG_BYTES) {
        return s;
    }
    for (unsigned i = 0; i < size; i++) {
        uint8_t mask = at->writable[offset + i];
        at->config[offset + i] = (uint8_t)((at->config[offset + i] & ~mask) | (value >> 8 * i & mask));
    }
    bars_update(at);
    msix_changed(at);
    pin_update(at);
    if (at->written != NULL) {
        at->written(at, offset, size);
    }
    return ST_OK;
}

bool plat_pci_gsi(uint16_t bus, uint8_t device, uint8_t pin, uint32_t *gsi)
{
    if (bus > 0 || function_at(device, 0) == NULL || pin < 1 || pin > 4) {
        return false;
    }
    *gsi = line_of(device, pin);
    return true;
}

void sim_pci_show(void)
{
    for (unsigned i = 0; i < self.count; i++) {
        const struct sim_pci_function *function = self.function[i];
        if (function == NULL) {
            continue;
        }
        diag_print("  pci 00:%02x.0 is %s, %u messages%s\n", i, function->name, function->vectors,
                   sim_pci_msix_on(function) ? ", on" : "");
    }
}
