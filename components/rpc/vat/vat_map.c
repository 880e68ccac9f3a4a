/* SPDX-License-Identifier: MIT OR Apache-2.0
 * vat_map.c: from ids that a peer chose, or from objects, to entries. Open addressing, linear probing.
 *
 *  (1) An entry stands at or behind its home place with no free place between, so a search may stop at the first free one.
 *      Removing moves entries back to keep that.
 *  (2) At most half of the places are used.
 */
#include "core/assert.h"
#include "vat_internal.h"

static uint32_t home_of(const struct vat_map *map, uint64_t key)
{
    /* Fibonacci hashing: neighbouring ids spread, and a peer that seeks collisions gains a walk of a bounded table. */
    return (uint32_t)((key * 0x9E3779B97F4A7C15ull) >> 32) & (map->size - 1);
}

void vat_map_init(struct vat_map *map, uint32_t most)
{
    ASSERT(most > 0 && (most & (most - 1)) == 0);
    map->size = most * 2;
    map->used = 0;
    map->entry = boot_alloc((size_t)map->size * sizeof(*map->entry), _Alignof(struct vat_map_entry));
}

struct vat_map_entry *vat_map_find(const struct vat_map *map, uint64_t key)
{
    ASSERT(key != 0);
    for (uint32_t i = home_of(map, key); map->entry[i].key != 0; i = (i + 1) & (map->size - 1)) {
        if (map->entry[i].key == key) {
            return &map->entry[i];
        }
    }
    return NULL;
}

bool vat_map_add(struct vat_map *map, uint64_t key, void *value)
{
    ASSERT_SLOW(vat_map_find(map, key) == NULL);
    if (map->used >= map->size / 2) {
        return false; /* (2) */
    }
    uint32_t i = home_of(map, key);
    while (map->entry[i].key != 0) {
        i = (i + 1) & (map->size - 1);
    }
    map->entry[i] = (struct vat_map_entry){key, value};
    map->used++;
    return true;
}

void vat_map_remove(struct vat_map *map, struct vat_map_entry *entry)
{
    uint32_t mask = map->size - 1;
    uint32_t hole = (uint32_t)(entry - map->entry);

    ASSERT(entry->key != 0 && map->used > 0);
    for (uint32_t i = (hole + 1) & mask; map->entry[i].key != 0; i = (i + 1) & mask) {
        /* (1): it may move into the hole when its home is not between the two. */
        uint32_t home = home_of(map, map->entry[i].key);
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            map->entry[hole] = map->entry[i];
            hole = i;
        }
    }
    map->entry[hole] = (struct vat_map_entry){0, NULL};
    map->used--;
}
