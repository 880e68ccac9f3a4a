/* SPDX-License-Identifier: MIT OR Apache-2.0
 * device.c: authority over hardware: every access is checked here, then done by the platform.
 */
#include "core/device.h"
#include "core/assert.h"
#include "core/entropy.h"
#include "run_private.h"

static struct list notes = {&notes, &notes};

status_t mmio_map(struct mmio *window, uint64_t address, size_t size)
{
    uintptr_t base;
    status_t s = plat_mmio_map(address, size, &base);

    if (s == ST_OK) {
        *window = (struct mmio){.base = base, .size = size};
    }
    return s;
}

static uintptr_t address_of(const struct mmio *window, size_t offset, size_t bytes)
{
    ASSERT(offset <= window->size && bytes <= window->size - offset && offset % bytes == 0);
    return window->base + offset;
}

uint8_t mmio_read8(const struct mmio *window, size_t offset)
{
    return plat_mmio_read8(address_of(window, offset, 1));
}

uint16_t mmio_read16(const struct mmio *window, size_t offset)
{
    return plat_mmio_read16(address_of(window, offset, 2));
}

uint32_t mmio_read32(const struct mmio *window, size_t offset)
{
    return plat_mmio_read32(address_of(window, offset, 4));
}

uint64_t mmio_read64(const struct mmio *window, size_t offset)
{
    uint64_t low = mmio_read32(window, offset);

    return low | (uint64_t)mmio_read32(window, offset + 4) << 32;
}

void mmio_write8(const struct mmio *window, size_t offset, uint8_t value)
{
    plat_mmio_write8(address_of(window, offset, 1), value);
}

void mmio_write16(const struct mmio *window, size_t offset, uint16_t value)
{
    plat_mmio_write16(address_of(window, offset, 2), value);
}

void mmio_write32(const struct mmio *window, size_t offset, uint32_t value)
{
    plat_mmio_write32(address_of(window, offset, 4), value);
}

void mmio_write64(const struct mmio *window, size_t offset, uint64_t value)
{
    mmio_write32(window, offset, (uint32_t)value);
    mmio_write32(window, offset + 4, (uint32_t)(value >> 32));
}

struct mmio mmio_slice(const struct mmio *window, size_t offset, size_t size)
{
    ASSERT(offset <= window->size && size <= window->size - offset);
    return (struct mmio){.base = window->base + offset, .size = size};
}

dma_t dma_of(const void *p)
{
    return (dma_t){plat_dma_of(p)};
}

bool platform_mmio_device(unsigned i, struct device_window *window)
{
    return plat_mmio_device(i, &window->address, &window->size, &window->gsi, &window->edge);
}

/* What the hardware can be asked: an aligned 1, 2 or 4 bytes in a function's 4 KiB. */
static bool pci_access_ok(uint8_t device, uint8_t function, uint16_t offset, unsigned size)
{
    return device < 32 && function < 8 && (size == 1 || size == 2 || size == 4) && offset % size == 0 && offset < 4096;
}

status_t pci_config_read(uint16_t bus, uint8_t device, uint8_t function, uint16_t offset, unsigned size,
                         uint32_t *value)
{
    ASSERT(pci_access_ok(device, function, offset, size));
    return plat_pci_read(bus, device, function, offset, size, value);
}

status_t pci_config_write(uint16_t bus, uint8_t device, uint8_t function, uint16_t offset, unsigned size,
                          uint32_t value)
{
    ASSERT(pci_access_ok(device, function, offset, size));
    return plat_pci_write(bus, device, function, offset, size, value);
}

unsigned pci_bus_count(void)
{
    return plat_pci_buses();
}

bool pci_gsi(uint16_t bus, uint8_t device, uint8_t pin, uint32_t *gsi)
{
    ASSERT(pin >= 1 && pin <= 4);
    return plat_pci_gsi(bus, device, pin, gsi);
}

void device_note_add(struct device_note *note)
{
    list_push_back(&notes, &note->node);
}

void device_note_each(void (*each)(const struct device_note *note, void *context), void *context)
{
    for (struct list *at = notes.next; at != &notes; at = at->next) {
        each(CONTAINER_OF(at, struct device_note, node), context);
    }
}

status_t entropy_cpu(void *bytes, size_t size)
{
    return plat_entropy(bytes, size);
}
