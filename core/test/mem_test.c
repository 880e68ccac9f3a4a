/* SPDX-License-Identifier: MIT OR Apache-2.0
 * mem_test.c: boot arena, ledgers and pools.
 */
#include "../mem/boot.c"
#include "../mem/pool.c"
#include "core/fmt.h"
#include "test.h"

/* A machine of two regions of RAM. */
static _Alignas(4096) char ram_small[16 * 4096];
static _Alignas(4096) char ram_large[64 * 4096];
const struct image_info image_info = {.profile = "test", .arena_bytes = 3u << 20};

unsigned plat_ram(struct plat_ram ram[PLAT_RAM_MAX])
{
    ram[0] = (struct plat_ram){ram_small, sizeof ram_small};
    ram[1] = (struct plat_ram){ram_large, sizeof ram_large};
    return 2;
}

size_t plat_ram_total(void)
{
    return sizeof ram_small + sizeof ram_large;
}

size_t plat_image_bytes(void)
{
    return 1000;
}

_Noreturn void boot_stop(void)
{
    panic("boot stopped");
}

static void start(void)
{
    unpoison(ram_small, sizeof ram_small);
    unpoison(ram_large, sizeof ram_large);
    memset(&self, 0, sizeof self);
    memset(&core_ledger, 0, sizeof core_ledger);
    core_ledger.name = "core";
    memset(ram_small, 0xee, sizeof ram_small);
    memset(ram_large, 0xee, sizeof ram_large);
    mem_init();
}

static void check_sums(void)
{
    struct memory_usage usage;

    memory_usage(&usage);
    CHECK_EQ(usage.taken_bytes + usage.free_bytes, usage.total_bytes); /* (3) */
}

static bool zeroed(const char *p, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (p[i] != 0) {
            return false;
        }
    }
    return true;
}

static void test_arena_is_disjoint(void)
{
    struct {
        char *p;
        size_t size;
    } got[200];
    unsigned count = 0;

    start();
    while (count < 200) {
        size_t size = test_random() % 2000;
        size_t align = (size_t)1 << (test_random() % 9);
        struct memory_usage usage;

        memory_usage(&usage);
        if (usage.free_bytes < 8192) {
            break;
        }
        char *p = boot_alloc(size, align);
        CHECK(((uintptr_t)p & (align - 1)) == 0 && ((uintptr_t)p & 15) == 0);
        CHECK(zeroed(p, size));
        memset(p, 1, size);
        for (unsigned i = 0; i < count; i++) {
            CHECK(p >= got[i].p + got[i].size || p + size <= got[i].p);
        }
        got[count].p = p;
        got[count++].size = size;
        check_sums();
    }
    CHECK(count > 50);
}

static void test_ledgers(void)
{
    struct ledger a = {.name = "net/a"};
    struct ledger b = {.name = "net/b", .expected_bytes = 100};

    start();
    ledger_select(&a);
    (void)boot_alloc(4000, 16);
    ledger_select(&b);
    (void)boot_alloc(160, 16);
    ledger_select(&a);
    (void)boot_alloc(96, 16);
    CHECK_EQ(a.taken_bytes, 4096);
    CHECK_EQ(b.taken_bytes, 160);
    check_sums();
    unsigned before = test_log_count;
    boot_seal();
    CHECK_EQ(test_log_count, before + 1); /* b took more than it says */
    CHECK_PANICS((void)boot_alloc(16, 16));
}

static void test_exhausted(void)
{
    struct ledger a = {.name = "net/a", .expected_bytes = 2u << 20};

    start();
    ledger_select(&a);
    CHECK_PANICS((void)boot_alloc_named("pool sockets", 5u << 20, 16));
    CHECK_STR(test_panic_text, "boot stopped");
    /* 320 KiB of RAM count as a 1 MiB machine. 5 MiB, and 1 that others will want, less the 256 KiB region are missing. */
    CHECK(strstr(test_log_last, "memory 7M") != NULL);
    /* Of the 2 MiB that net/a said 1.75 are to come, and 1 for the others, less what is free of the small region. */
    (void)boot_alloc(sizeof ram_large - 4096, 4096);
    CHECK_PANICS((void)boot_alloc(100u << 10, 16));
    CHECK(strstr(test_log_last, "memory 4M") != NULL);
    CHECK_PANICS((void)boot_alloc(SIZE_MAX, 16));
    CHECK_PANICS((void)boot_alloc(16, 3));
}

enum { ITEMS = 64, ITEM = 40 };

static void test_pool_against_oracle(void)
{
    static struct pool pool;
    char *held[ITEMS];
    unsigned count = 0;

    start();
    pool_init(&pool, "items", ITEM, ITEMS);
    CHECK_EQ(pool.item_size, 48);
    for (int i = 0; i < 50000; i++) {
        if (test_random() % 2 == 0) {
            char *p = pool_get(&pool);
            CHECK_EQ(p == NULL, count == ITEMS);
            if (p != NULL) {
                CHECK(zeroed(p, ITEM));
                memset(p, (int)count + 1, ITEM);
                held[count++] = p;
            }
        } else if (count > 0) {
            unsigned at = (unsigned)(test_random() % count);
            CHECK(held[at][0] != 0 && held[at][0] == held[at][ITEM - 1]); /* nobody else has it */
            pool_put(&pool, held[at]);
            held[at] = held[--count];
        }
        CHECK_EQ(pool.in_use, count);
    }
    CHECK_EQ(pool.in_use_max, ITEMS);
    CHECK(pool.refused > 0);
}

static void test_pool_misuse(void)
{
    static struct pool pool;
    static struct pool none;

    start();
    pool_init(&pool, "items", 32, 4);
    pool_init(&none, "none", 32, 0);
    CHECK(pool_get(&none) == NULL);
    CHECK_PANICS(pool_take(&none)); /* whoever takes has seen to it that there is one */
    char *p = pool_take(&pool);
    CHECK_PANICS(pool_put(&pool, p + 1));
    CHECK_PANICS(pool_put(&pool, pool.items + 4 * 32));
    CHECK_PANICS(pool_put(&pool, pool.items - 32));
    pool_put(&pool, p);
    CHECK_PANICS(pool_put(&pool, p));
    memset(p, 0, 16); /* use after put */
    CHECK_PANICS((void)pool_get(&pool));
}

int main(void)
{
    RUN(test_arena_is_disjoint);
    RUN(test_ledgers);
    RUN(test_exhausted);
    RUN(test_pool_against_oracle);
    RUN(test_pool_misuse);
    return test_end();
}
