/* SPDX-License-Identifier: MIT OR Apache-2.0
 * memmap.h: spans of physical memory: sorted, page-aligned, apart from each other. Pure.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#define PAGE_SIZE 4096ull
#define MEMMAP_MAX 32u
/* What the image does not use: below, firmware is careless and other CPUs will start; above, the direct map ends. */
#define MEMMAP_LOWEST 0x10000ull
#define MEMMAP_HIGHEST (1ull << 40)

struct span {
    uint64_t base;
    uint64_t end;
};
struct memmap {
    unsigned count;
    unsigned dropped; /* spans that did not fit in the table */
    struct span span[MEMMAP_MAX];
};

/* Shrinks it to whole pages and to LOWEST..HIGHEST, then joins it with what is there. */
void memmap_add(struct memmap *map, uint64_t base, uint64_t size);
/* Grows it to whole pages and cuts them out. */
void memmap_remove(struct memmap *map, uint64_t base, uint64_t size);
bool memmap_overlaps(const struct memmap *map, uint64_t base, uint64_t size);
uint64_t memmap_total(const struct memmap *map);
