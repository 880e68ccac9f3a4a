/* SPDX-License-Identifier: MIT OR Apache-2.0
 * memory.c: the memory part of plat.h.
 *
 *  (1) Physical memory has at most one writable address: RAM in the direct map, the image at its place.
 *  (2) Device windows are handed out upwards, each followed by an unmapped page, and never given back.
 */
#include "memory.h"
#include "bootinfo.h"
#include "core/assert.h"
#include "cpu.h"
#include "early.h"
#include "hw.h"
#include "paging.h"
#include "plat/plat.h"

#define TWO_MIB (2ull << 20)
#define DEVICE_REGION_BYTES (1ull << 36)
#define VIEWS_MAX 32u

/* image.lds */
extern char image_start[], image_end[];

struct view {
    uint64_t base; /* physical */
    uint64_t end;
    uintptr_t at;
};
/* Keys: [L] BOOT only */
static struct {
    uint64_t device_next; /* [L] bytes of the device region that are given out */
    unsigned views;       /* [L] */
    struct view view[VIEWS_MAX];
} self;

unsigned plat_ram(struct plat_ram ram[PLAT_RAM_MAX])
{
    _Static_assert(PLAT_RAM_MAX >= MEMMAP_MAX, "each span has a place");
    for (unsigned i = 0; i < boot_info.ram.count; i++) {
        ram[i].base = (void *)(uintptr_t)(layout.direct + boot_info.ram.span[i].base);
        ram[i].size = boot_info.ram.span[i].end - boot_info.ram.span[i].base;
    }
    return boot_info.ram.count;
}

size_t plat_ram_total(void)
{
    return memmap_total(&boot_info.firmware);
}

size_t plat_image_bytes(void)
{
    size_t tables = paging_pages_used() + paging_pages_left();

    return (size_t)(image_end - image_start) + tables * PAGE_SIZE;
}

void plat_guard_page(void *page)
{
    ASSERT((uintptr_t)page % PAGE_SIZE == 0);
    if (!paging_unmap((uintptr_t)page)) {
        panic("no page table left for a guard page at %p: paging.c's pool is too small", page);
    }
}

uint64_t plat_dma_of(const void *p)
{
    uint64_t at = (uint64_t)(uintptr_t)p;
    uint64_t image = (uint64_t)(uintptr_t)image_start;

    if (at >= image && at < (uint64_t)(uintptr_t)image_end) {
        return at - layout.slide;
    }
    ASSERT(at >= layout.direct && memmap_overlaps(&boot_info.ram, at - layout.direct, 1));
    return at - layout.direct;
}

/* Maps whole pages at the next free place. */
static status_t window_map(uint64_t physical, uint64_t size, unsigned access, uintptr_t *base)
{
    uint64_t from = physical & ~(PAGE_SIZE - 1);
    uint64_t bytes = (physical + size - from + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
    uint64_t at = self.device_next;

    if (bytes >= TWO_MIB) { /* in step with the physical address: large pages fit */
        at = ((at + TWO_MIB - 1) & ~(TWO_MIB - 1)) + from % TWO_MIB;
    }
    if (at + bytes + PAGE_SIZE > DEVICE_REGION_BYTES) {
        return ST_NOMEM;
    }
    if (!paging_map(layout.device + at, from, bytes, access)) {
        return ST_NOMEM;
    }
    self.device_next = at + bytes + PAGE_SIZE; /* (2) */
    *base = layout.device + at + (physical - from);
    return ST_OK;
}

static bool addressable(uint64_t physical, uint64_t size)
{
    uint64_t end = 1ull << x86_cpu_physical_bits();

    return size != 0 && physical < end && size <= end - physical;
}

status_t plat_mmio_map(uint64_t address, size_t size, uintptr_t *base)
{
    if (!addressable(address, size) || memmap_overlaps(&boot_info.firmware, address, size)) {
        return ST_RANGE;
    }
    return window_map(address, size, PAGE_WRITE | PAGE_DEVICE, base);
}

uintptr_t x86_memory_device(uint64_t physical, uint64_t size)
{
    uintptr_t base = 0;
    status_t s = plat_mmio_map(physical, size, &base);

    if (s != ST_OK) {
        panic("cannot map device registers at 0x%llx (%d)", (unsigned long long)physical, (int)s);
    }
    return base;
}

const uint8_t *x86_memory_view(uint64_t physical, uint64_t size)
{
    uintptr_t at = 0;

    if (!addressable(physical, size)) {
        return NULL;
    }
    for (unsigned i = 0; i < self.views; i++) {
        const struct view *v = &self.view[i];
        if (physical >= v->base && physical + size <= v->end) {
            return (const uint8_t *)(v->at + (physical - v->base));
        }
    }
    if (self.views == VIEWS_MAX || window_map(physical, size, PAGE_READ, &at) != ST_OK) {
        return NULL;
    }
    uint64_t base = physical & ~(PAGE_SIZE - 1);
    self.view[self.views++] =
        (struct view){base, (physical + size + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1), at & ~(PAGE_SIZE - 1)};
    return (const uint8_t *)at;
}

uint8_t plat_mmio_read8(uintptr_t address)
{
    return hw_read8(address);
}

uint16_t plat_mmio_read16(uintptr_t address)
{
    return hw_read16(address);
}

uint32_t plat_mmio_read32(uintptr_t address)
{
    return hw_read32(address);
}

void plat_mmio_write8(uintptr_t address, uint8_t value)
{
    hw_write8(address, value);
}

void plat_mmio_write16(uintptr_t address, uint16_t value)
{
    hw_write16(address, value);
}

void plat_mmio_write32(uintptr_t address, uint32_t value)
{
    hw_write32(address, value);
}
