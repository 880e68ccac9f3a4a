/* SPDX-License-Identifier: MIT OR Apache-2.0
 * pci.c: PCI configuration space: ECAM where MCFG tells of it, else ports 0xcf8 and 0xcfc.
 */
#include "pci.h"
#include "core/assert.h"
#include "hw.h"
#include "memory.h"
#include "plat/plat.h"

#define CONFIG_ADDRESS 0xcf8u
#define CONFIG_DATA 0xcfcu
#define CONFIG_ON 0x80000000u
#define LEGACY_BYTES 256u
#define ECAM_BYTES 4096u
#define BUS_BYTES (1ull << 20)
#define REG_INTERRUPT 0x3cu

/* Keys: [I] after BOOT; the two ports together belong to interrupts-off code */
static struct {
    uintptr_t ecam; /* 0: none */
    unsigned first, last;
    bool ports;
} self;

void x86_pci_init(const struct acpi_facts *facts)
{
    uint64_t bytes = ((uint64_t)facts->bus_last - facts->bus_first + 1) * BUS_BYTES;
    uint64_t at = facts->ecam + facts->bus_first * BUS_BYTES;

    if (facts->mcfg && plat_mmio_map(at, bytes, &self.ecam) == ST_OK) {
        self.first = facts->bus_first;
        self.last = facts->bus_last;
        return;
    }
    hw_out32(CONFIG_ADDRESS, CONFIG_ON);
    self.ports = hw_in32(CONFIG_ADDRESS) == CONFIG_ON;
    self.last = 255;
}

const char *x86_pci_access(void)
{
    return self.ecam != 0 ? "ECAM" : self.ports ? "ports" : "none";
}

unsigned plat_pci_buses(void)
{
    return self.ecam != 0 || self.ports ? self.last + 1 : 0;
}

static status_t check(uint16_t bus, uint8_t device, uint8_t function, uint16_t offset, unsigned size)
{
    if (plat_pci_buses() == 0) {
        return ST_UNSUPPORTED;
    }
    if (bus < self.first || bus > self.last || device > 31 || function > 7) {
        return ST_RANGE;
    }
    if ((size != 1 && size != 2 && size != 4) || offset % size != 0) {
        return ST_BADARG;
    }
    return offset + size <= (self.ecam != 0 ? ECAM_BYTES : LEGACY_BYTES) ? ST_OK : ST_RANGE;
}

static uintptr_t ecam_of(uint16_t bus, uint8_t device, uint8_t function, uint16_t offset)
{
    return self.ecam +
           ((uintptr_t)(bus - self.first) << 20 | (uintptr_t)device << 15 | (uintptr_t)function << 12 | offset);
}

/* Selects the register; the data port's byte for it. Interrupts are off until the data has moved. */
static uint16_t select(uint16_t bus, uint8_t device, uint8_t function, uint16_t offset)
{
    hw_out32(CONFIG_ADDRESS,
             CONFIG_ON | (uint32_t)bus << 16 | (uint32_t)device << 11 | (uint32_t)function << 8 | (offset & 0xfcu));
    return (uint16_t)(CONFIG_DATA + (offset & 3));
}

static uint32_t read_at(uintptr_t at, unsigned size)
{
    return size == 1 ? hw_read8(at) : size == 2 ? hw_read16(at) : hw_read32(at);
}

static void write_at(uintptr_t at, unsigned size, uint32_t value)
{
    if (size == 1) {
        hw_write8(at, (uint8_t)value);
    } else if (size == 2) {
        hw_write16(at, (uint16_t)value);
    } else {
        hw_write32(at, value);
    }
}

static void write_port(uint16_t port, unsigned size, uint32_t value)
{
    if (size == 1) {
        hw_out8(port, (uint8_t)value);
    } else if (size == 2) {
        hw_out16(port, (uint16_t)value);
    } else {
        hw_out32(port, value);
    }
}

status_t plat_pci_read(uint16_t bus, uint8_t device, uint8_t function, uint16_t offset, unsigned size, uint32_t *value)
{
    status_t s = check(bus, device, function, offset, size);

    if (s != ST_OK) {
        return s;
    }
    if (self.ecam != 0) {
        *value = read_at(ecam_of(bus, device, function, offset), size);
        return ST_OK;
    }
    bool on = hw_irq_enabled();
    hw_irq_disable();
    uint16_t port = select(bus, device, function, offset);
    *value = size == 1 ? hw_in8(port) : size == 2 ? hw_in16(port) : hw_in32(port);
    if (on) {
        hw_irq_enable();
    }
    return ST_OK;
}

status_t plat_pci_write(uint16_t bus, uint8_t device, uint8_t function, uint16_t offset, unsigned size, uint32_t value)
{
    status_t s = check(bus, device, function, offset, size);

    if (s != ST_OK) {
        return s;
    }
    if (self.ecam != 0) {
        write_at(ecam_of(bus, device, function, offset), size, value);
        return ST_OK;
    }
    bool on = hw_irq_enabled();
    hw_irq_disable();
    write_port(select(bus, device, function, offset), size, value);
    if (on) {
        hw_irq_enable();
    }
    return ST_OK;
}

bool plat_pci_gsi(uint16_t bus, uint8_t device, uint8_t pin, uint32_t *gsi)
{
    /* Firmware routed the pin to this ISA interrupt; the chipsets of pc and q35 raise the I/O APIC pin of the same number.
     * Every function of a device that uses the pin was told the same line, so the first one that has it will do. */
    for (uint8_t function = 0; pin >= 1 && pin <= 4 && function < 8; function++) {
        uint32_t both;
        if (plat_pci_read(bus, device, function, REG_INTERRUPT, 2, &both) != ST_OK) {
            return false;
        }
        if (both >> 8 == pin && (both & 0xff) >= 1 && (both & 0xff) <= 15) {
            *gsi = both & 0xff;
            return true;
        }
    }
    return false;
}
