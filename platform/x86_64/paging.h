/* SPDX-License-Identifier: MIT OR Apache-2.0
 * paging.h: four-level page tables of the one address space.
 *
 * Runs before and after the switch to these tables: until paging_tables_at() says otherwise, tables are reached at their
 * physical addresses.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum page_access {
    PAGE_READ = 0,
    PAGE_WRITE = 1u << 0,
    PAGE_EXECUTE = 1u << 1,
    PAGE_DEVICE = 1u << 2, /* uncached */
};

/* Pages for tables come from [pool, pool_end). huge: the CPU has 1 GiB pages. */
void paging_init(uint64_t pool, uint64_t pool_end, bool huge);
/* From now on the table at physical address P is reached at P + offset. */
void paging_tables_at(uint64_t offset);
/* Ends the pool `pages` after what is used. Returns its end. False-free: asserts that there is room. */
uint64_t paging_keep(unsigned pages);
uint64_t paging_root(void);
unsigned paging_pages_used(void);
unsigned paging_pages_left(void);

/* All page-aligned. Uses the largest pages that fit. Asserts that nothing was there. False: the pool is empty. */
bool paging_map(uintptr_t virtual_base, uint64_t physical_base, uint64_t size, unsigned access);
/* Makes one 4 KiB page inaccessible, splitting a large page when need be. False: the pool is empty. */
bool paging_unmap(uintptr_t virtual_base);
/* The physical address and the access (enum page_access) of a virtual one; false: not mapped. Reads tables only. */
bool paging_find(uintptr_t virtual_base, uint64_t *physical, unsigned *access);
/* Shows table 0 of the first tables in slot 0, for the time of the switch, and takes it away again. */
void paging_borrow_low(uint64_t entry);
void paging_drop_low(void);
