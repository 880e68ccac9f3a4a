/* SPDX-License-Identifier: MIT OR Apache-2.0
 * memmap_test.c: the span table against a bitmap of pages that is too simple to be wrong.
 */
#include "../memmap.c"
#include "test.h"

#define PAGES 256u
#define AT(page) (MEMMAP_LOWEST + (page)*PAGE_SIZE)

static bool page_in(const struct memmap *map, unsigned page)
{
    return memmap_overlaps(map, AT(page), PAGE_SIZE);
}

static void check_form(const struct memmap *map)
{
    for (unsigned i = 0; i < map->count; i++) {
        CHECK(map->span[i].base < map->span[i].end);
        CHECK((map->span[i].base | map->span[i].end) % PAGE_SIZE == 0);
        CHECK(i == 0 || map->span[i - 1].end < map->span[i].base);
    }
}

static void test_random_order(void)
{
    for (unsigned round = 0; round < 2000; round++) {
        struct memmap map = {0};
        bool model[PAGES] = {0};
        for (unsigned n = 0; n < 12; n++) {
            unsigned from = (unsigned)(test_random() % PAGES);
            unsigned pages = (unsigned)(test_random() % (PAGES - from)) / 4 + 1;
            bool add = test_random() % 3 != 0;
            uint64_t off = test_random() % PAGE_SIZE; /* what is not a whole page: adding shrinks, removing grows */
            if (add && pages > 1) {
                memmap_add(&map, AT(from) + off, pages * PAGE_SIZE - off);
            } else if (!add) {
                memmap_remove(&map, AT(from) + off, 1);
            }
            for (unsigned p = from; p < from + pages; p++) {
                if (add && pages > 1 && (p > from || off == 0)) {
                    model[p] = true;
                }
            }
            model[from] = add ? model[from] : false;
        }
        check_form(&map);
        for (unsigned p = 0; p < PAGES && map.dropped == 0; p++) {
            CHECK_EQ(page_in(&map, p), model[p]);
        }
    }
}

static void test_edges(void)
{
    struct memmap map = {0};

    memmap_add(&map, 0, 0x9fc00);
    CHECK_EQ(map.span[0].base, MEMMAP_LOWEST);
    CHECK_EQ(map.span[0].end, 0x9f000);
    memmap_add(&map, UINT64_MAX - 100, 4096); /* wraps */
    memmap_add(&map, MEMMAP_HIGHEST, 1 << 20);
    memmap_add(&map, 0x200000, 0);
    CHECK_EQ(map.count, 1);
    memmap_add(&map, 0x100000, UINT64_MAX);
    CHECK_EQ(map.span[1].end, MEMMAP_HIGHEST);
    memmap_remove(&map, 0x300000, UINT64_MAX);
    CHECK_EQ(map.span[1].end, 0x300000);
    memmap_remove(&map, 0, UINT64_MAX);
    CHECK_EQ(map.count, 0);
}

static void test_full_table(void)
{
    struct memmap map = {0};

    for (unsigned i = 0; i < MEMMAP_MAX + 5; i++) {
        memmap_add(&map, AT(2 * i), PAGE_SIZE);
    }
    CHECK_EQ(map.count, MEMMAP_MAX);
    CHECK_EQ(map.dropped, 5);
    check_form(&map);
    memmap_add(&map, AT(0), 2 * MEMMAP_MAX * PAGE_SIZE); /* one again */
    CHECK_EQ(map.count, 1);
}

int main(void)
{
    RUN(test_random_order);
    RUN(test_edges);
    RUN(test_full_table);
    return test_end();
}
