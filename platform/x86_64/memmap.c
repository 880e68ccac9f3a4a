/* SPDX-License-Identifier: MIT OR Apache-2.0
 * memmap.c: spans of physical memory.
 *
 * What goes in is firmware's word: it may overlap, wrap, be empty or come in any order.
 *  (1) span[i].base < span[i].end < span[i + 1].base: sorted, none empty, neighbours joined.
 *  (2) All are multiples of PAGE_SIZE within LOWEST..HIGHEST.
 */
#include "memmap.h"
#include "core/assert.h"

static uint64_t min64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t max64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* base + size, or the highest address where that wraps. */
static uint64_t end_of(uint64_t base, uint64_t size)
{
    return size > UINT64_MAX - base ? UINT64_MAX : base + size;
}

static void erase(struct memmap *map, unsigned at)
{
    ASSERT(at < map->count);
    for (unsigned i = at + 1; i < map->count; i++) {
        map->span[i - 1] = map->span[i];
    }
    map->count--;
}

static void insert(struct memmap *map, unsigned at, uint64_t base, uint64_t end)
{
    ASSERT(at <= map->count && base < end);
    if (map->count == MEMMAP_MAX) {
        map->dropped++; /* memory that is not used is better than a boot that fails */
        return;
    }
    for (unsigned i = map->count; i > at; i--) {
        map->span[i] = map->span[i - 1];
    }
    map->span[at] = (struct span){base, end};
    map->count++;
}

void memmap_add(struct memmap *map, uint64_t base, uint64_t size)
{
    uint64_t end = min64(end_of(base, size), MEMMAP_HIGHEST) & ~(PAGE_SIZE - 1);
    unsigned at = 0;

    base = max64(min64(base, MEMMAP_HIGHEST), MEMMAP_LOWEST);
    base = (base + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
    if (base >= end) {
        return;
    }
    while (at < map->count && map->span[at].end < base) {
        at++;
    }
    while (at < map->count && map->span[at].base <= end) { /* touches: take it in */
        base = min64(base, map->span[at].base);
        end = max64(end, map->span[at].end);
        erase(map, at);
    }
    insert(map, at, base, end);
}

void memmap_remove(struct memmap *map, uint64_t base, uint64_t size)
{
    uint64_t end = end_of(base, size);
    unsigned i = 0;

    if (size == 0) {
        return;
    }
    base &= ~(PAGE_SIZE - 1);
    end = end > UINT64_MAX - (PAGE_SIZE - 1) ? UINT64_MAX : (end + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
    while (i < map->count) {
        struct span old = map->span[i];
        if (old.end <= base || old.base >= end) {
            i++;
            continue;
        }
        erase(map, i);
        if (old.base < base) {
            insert(map, i++, old.base, base);
        }
        if (old.end > end) {
            insert(map, i++, end, old.end);
        }
    }
}

bool memmap_overlaps(const struct memmap *map, uint64_t base, uint64_t size)
{
    uint64_t end = end_of(base, size);

    for (unsigned i = 0; i < map->count; i++) {
        if (map->span[i].base < end && base < map->span[i].end) {
            return true;
        }
    }
    return false;
}

uint64_t memmap_total(const struct memmap *map)
{
    uint64_t total = 0;

    for (unsigned i = 0; i < map->count; i++) {
        total += map->span[i].end - map->span[i].base;
    }
    return total;
}
