/* SPDX-License-Identifier: MIT OR Apache-2.0
 * paging.c: four-level page tables (Intel SDM volume 3, section 4.5).
 *
 *  (1) Writable and executable never stand in one entry (asserted where entries are made).
 *  (2) Everything but code is no-execute. Accessed and dirty are set from the start: the CPU then never writes here.
 *  (3) Tables never move and are never freed; an entry changes after the switch only to split or to unmap, and is then
 *      flushed on this CPU. No other CPU runs.
 */
#include "paging.h"
#include "core/assert.h"
#include "hw.h"
#include "memmap.h"
#include <stddef.h>

#define PTE_PRESENT (1ull << 0)
#define PTE_WRITE (1ull << 1)
#define PTE_WRITE_THROUGH (1ull << 3)
#define PTE_CACHE_DISABLE (1ull << 4)
#define PTE_ACCESSED (1ull << 5)
#define PTE_DIRTY (1ull << 6)
#define PTE_LARGE (1ull << 7)
#define PTE_GLOBAL (1ull << 8)
#define PTE_NO_EXECUTE (1ull << 63)
#define PTE_ADDRESS 0x000ffffffffff000ull
#define ENTRIES 512u
#define LEVEL_TOP 4u

/* Keys: [I] after boot  [L] boot CPU at BOOT, then the loop */
static struct {
    uint64_t root;    /* [I] physical */
    uint64_t first;   /* [I] of the pool */
    uint64_t next;    /* [L] page of the pool */
    uint64_t end;     /* [I] */
    uint64_t offset;  /* [I] from physical to pointer */
    unsigned largest; /* [I] level whose entries may be pages: 2, or 3 where the CPU has 1 GiB pages */
} self;

static uint64_t span_of(unsigned level)
{
    return 1ull << (12 + 9 * (level - 1));
}

static uint64_t *table_at(uint64_t physical)
{
    return (uint64_t *)(uintptr_t)(physical + self.offset);
}

static uint64_t table_new(void)
{
    if (self.next >= self.end) {
        return 0;
    }
    uint64_t physical = self.next;
    uint64_t *table = table_at(physical);
    self.next += PAGE_SIZE;
    for (unsigned i = 0; i < ENTRIES; i++) {
        table[i] = 0;
    }
    return physical;
}

void paging_init(uint64_t pool, uint64_t pool_end, bool huge)
{
    ASSERT(pool % PAGE_SIZE == 0 && pool < pool_end);
    self.first = pool;
    self.next = pool;
    self.end = pool_end;
    self.largest = huge ? 3 : 2;
    self.root = table_new();
}

void paging_tables_at(uint64_t offset)
{
    self.offset = offset;
}

uint64_t paging_keep(unsigned pages)
{
    ASSERT(pages * PAGE_SIZE <= self.end - self.next);
    self.end = self.next + pages * PAGE_SIZE;
    return self.end;
}

uint64_t paging_root(void)
{
    return self.root;
}

unsigned paging_pages_used(void)
{
    return (unsigned)((self.next - self.first) / PAGE_SIZE);
}

unsigned paging_pages_left(void)
{
    return (unsigned)((self.end - self.next) / PAGE_SIZE);
}

static uint64_t *entry_in(uint64_t table, uintptr_t address, unsigned level)
{
    return &table_at(table)[(address >> (12 + 9 * (level - 1))) % ENTRIES];
}

/* Replaces a large page by a table of the next smaller ones with the same access. */
static bool split(uint64_t *entry, unsigned level)
{
    uint64_t physical = table_new();
    uint64_t flags = *entry & ~PTE_ADDRESS & ~(level - 1 == 1 ? PTE_LARGE : 0);

    if (physical == 0) {
        return false;
    }
    for (unsigned i = 0; i < ENTRIES; i++) {
        table_at(physical)[i] = ((*entry & PTE_ADDRESS) + i * span_of(level - 1)) | flags;
    }
    *entry = physical | PTE_PRESENT | PTE_WRITE | PTE_ACCESSED;
    return true;
}

/* The entry of `level` for the address, with the tables above it made as needed. NULL: the pool is empty. */
static uint64_t *entry_make(uintptr_t address, unsigned level)
{
    uint64_t table = self.root;

    for (unsigned l = LEVEL_TOP; l > level; l--) {
        uint64_t *entry = entry_in(table, address, l);
        if ((*entry & PTE_PRESENT) == 0) {
            uint64_t fresh = table_new();
            if (fresh == 0) {
                return NULL;
            }
            *entry = fresh | PTE_PRESENT | PTE_WRITE | PTE_ACCESSED;
        } else if (l <= 3 && (*entry & PTE_LARGE) != 0 && !split(entry, l)) {
            return NULL;
        }
        table = *entry & PTE_ADDRESS;
    }
    return entry_in(table, address, level);
}

static uint64_t flags_of(unsigned access)
{
    uint64_t flags = PTE_PRESENT | PTE_ACCESSED | PTE_DIRTY | PTE_GLOBAL;

    ASSERT((access & (PAGE_WRITE | PAGE_EXECUTE)) != (PAGE_WRITE | PAGE_EXECUTE)); /* (1) */
    flags |= (access & PAGE_WRITE) != 0 ? PTE_WRITE : 0;
    flags |= (access & PAGE_EXECUTE) != 0 ? 0 : PTE_NO_EXECUTE;
    flags |= (access & PAGE_DEVICE) != 0 ? PTE_CACHE_DISABLE | PTE_WRITE_THROUGH : 0;
    return flags;
}

static unsigned level_that_fits(uintptr_t virtual_base, uint64_t physical_base, uint64_t size)
{
    unsigned level = self.largest;

    while (level > 1 && (((virtual_base | physical_base) & (span_of(level) - 1)) != 0 || size < span_of(level))) {
        level--;
    }
    return level;
}

bool paging_map(uintptr_t virtual_base, uint64_t physical_base, uint64_t size, unsigned access)
{
    uint64_t flags = flags_of(access);

    ASSERT(((virtual_base | physical_base | size) & (PAGE_SIZE - 1)) == 0);
    while (size > 0) {
        unsigned level = level_that_fits(virtual_base, physical_base, size);
        uint64_t *entry = entry_make(virtual_base, level);
        if (entry == NULL) {
            return false;
        }
        ASSERT((*entry & PTE_PRESENT) == 0);
        *entry = physical_base | flags | (level > 1 ? PTE_LARGE : 0);
        virtual_base += span_of(level);
        physical_base += span_of(level);
        size -= span_of(level);
    }
    return true;
}

bool paging_unmap(uintptr_t virtual_base)
{
    uint64_t *entry = entry_make(virtual_base, 1);

    if (entry == NULL) {
        return false;
    }
    *entry = 0;
    hw_invlpg(virtual_base);
    return true;
}

static unsigned access_of(uint64_t entry)
{
    unsigned access = PAGE_READ;

    access |= (entry & PTE_WRITE) != 0 ? PAGE_WRITE : 0;
    access |= (entry & PTE_NO_EXECUTE) != 0 ? 0 : PAGE_EXECUTE;
    access |= (entry & PTE_CACHE_DISABLE) != 0 ? PAGE_DEVICE : 0;
    return access;
}

bool paging_find(uintptr_t virtual_base, uint64_t *physical, unsigned *access)
{
    uint64_t table = self.root;
    uint64_t sign = (uint64_t)((int64_t)virtual_base >> 47);

    if (sign != 0 && sign != UINT64_MAX) {
        return false; /* not canonical: no table says anything about it */
    }
    for (unsigned level = LEVEL_TOP; level > 0; level--) {
        uint64_t entry = *entry_in(table, virtual_base, level);
        if ((entry & PTE_PRESENT) == 0) {
            return false;
        }
        if (level == 1 || (level <= 3 && (entry & PTE_LARGE) != 0)) {
            *physical = (entry & PTE_ADDRESS & ~(span_of(level) - 1)) | (virtual_base & (span_of(level) - 1));
            *access = access_of(entry);
            return true;
        }
        table = entry & PTE_ADDRESS;
    }
    UNREACHABLE();
}

void paging_borrow_low(uint64_t entry)
{
    *entry_in(self.root, 0, LEVEL_TOP) = entry;
}

void paging_drop_low(void)
{
    *entry_in(self.root, 0, LEVEL_TOP) = 0;
    /* The low map has no global pages, so that this forgets it. */
    hw_write_cr3(hw_read_cr3());
}
