/* SPDX-License-Identifier: MIT OR Apache-2.0
 * device.c: registers and configuration space: every access is checked here, then done by the platform.
 */
#include "core/raw.h"
#include "core/assert.h"
#include "core/entropy.h"
#include "run_private.h"

static struct list notes = {&notes, &notes};

status_t raw_mmio_map(struct device_grant *grant, struct mmio *window, uint64_t address, size_t size)
{
    uintptr_t base;

    if (grant->state == DEVICE_GONE) {
        return ST_CLOSED;
    }
    status_t s = plat_mmio_map(address, size, &base);
    if (s == ST_OK) {
        *window = (struct mmio){.base = base, .size = size, .grant = grant, .generation = grant->generation};
        grant->windows++;
        grant->window_bytes += size;
    }
    return s;
}

static uintptr_t address_of(const struct mmio *window, size_t offset, size_t bytes)
{
    ASSERT(offset <= window->size && bytes <= window->size - offset && offset % bytes == 0);
    return window->base + offset;
}

/* Its device was taken back. */
static bool stale(const struct mmio *window)
{
    return window->generation != window->grant->generation;
}

uint8_t mmio_read8(const struct mmio *window, size_t offset)
{
    uintptr_t at = address_of(window, offset, 1);

    return stale(window) ? UINT8_MAX : plat_mmio_read8(at);
}

uint16_t mmio_read16(const struct mmio *window, size_t offset)
{
    uintptr_t at = address_of(window, offset, 2);

    return stale(window) ? UINT16_MAX : plat_mmio_read16(at);
}

uint32_t mmio_read32(const struct mmio *window, size_t offset)
{
    uintptr_t at = address_of(window, offset, 4);

    return stale(window) ? UINT32_MAX : plat_mmio_read32(at);
}

uint64_t mmio_read64(const struct mmio *window, size_t offset)
{
    uint64_t low = mmio_read32(window, offset);

    return low | (uint64_t)mmio_read32(window, offset + 4) << 32;
}

void mmio_write8(const struct mmio *window, size_t offset, uint8_t value)
{
    uintptr_t at = address_of(window, offset, 1);

    if (!stale(window)) {
        plat_mmio_write8(at, value);
    }
}

void mmio_write16(const struct mmio *window, size_t offset, uint16_t value)
{
    uintptr_t at = address_of(window, offset, 2);

    if (!stale(window)) {
        plat_mmio_write16(at, value);
    }
}

void mmio_write32(const struct mmio *window, size_t offset, uint32_t value)
{
    uintptr_t at = address_of(window, offset, 4);

    if (!stale(window)) {
        plat_mmio_write32(at, value);
    }
}

void mmio_write64(const struct mmio *window, size_t offset, uint64_t value)
{
    mmio_write32(window, offset, (uint32_t)value);
    mmio_write32(window, offset + 4, (uint32_t)(value >> 32));
}

struct mmio mmio_slice(const struct mmio *window, size_t offset, size_t size)
{
    ASSERT(offset <= window->size && size <= window->size - offset);
    struct mmio slice = *window;
    slice.base += offset;
    slice.size = size;
    return slice;
}

bool raw_mmio_device(unsigned i, struct raw_window *window)
{
    return plat_mmio_device(i, &window->address, &window->size, &window->gsi, &window->edge);
}

/* What the hardware can be asked: an aligned 1, 2 or 4 bytes in a function's 4 KiB. */
static bool pci_access_ok(uint8_t device, uint8_t function, uint16_t offset, unsigned size)
{
    return device < 32 && function < 8 && (size == 1 || size == 2 || size == 4) && offset % size == 0 && offset < 4096;
}

status_t raw_pci_read(uint16_t bus, uint8_t device, uint8_t function, uint16_t offset, unsigned size, uint32_t *value)
{
    ASSERT(pci_access_ok(device, function, offset, size));
    return plat_pci_read(bus, device, function, offset, size, value);
}

status_t raw_pci_write(uint16_t bus, uint8_t device, uint8_t function, uint16_t offset, unsigned size, uint32_t value)
{
    ASSERT(pci_access_ok(device, function, offset, size));
    return plat_pci_write(bus, device, function, offset, size, value);
}

unsigned raw_pci_buses(void)
{
    return plat_pci_buses();
}

bool raw_pci_gsi(uint16_t bus, uint8_t device, uint8_t pin, uint32_t *gsi)
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
