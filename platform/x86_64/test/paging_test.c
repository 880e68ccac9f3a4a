/* SPDX-License-Identifier: MIT OR Apache-2.0
 * paging_test.c: page tables in host memory, read back through paging_find().
 */
#include "../paging.c"
#include "test.h"

#define POOL_PAGES 32u
#define POOL 0x800000ull
#define TWO_MIB (2ull << 20)
#define HIGH 0xffff800000000000ull

static uint64_t pool[POOL_PAGES * ENTRIES] __attribute__((aligned(4096)));
static unsigned flushed;

void hw_invlpg(uintptr_t address)
{
    (void)address;
    flushed++;
}
uint64_t hw_read_cr3(void)
{
    return 0;
}
void hw_write_cr3(uint64_t value)
{
    (void)value;
}

static void begin(unsigned pages, bool huge)
{
    memset(pool, 0xff, sizeof pool); /* tables must clear themselves */
    paging_tables_at((uint64_t)(uintptr_t)pool - POOL);
    paging_init(POOL, POOL + pages * PAGE_SIZE, huge);
    flushed = 0;
}

static void expect(uintptr_t at, uint64_t want, unsigned want_access)
{
    uint64_t physical = 0;
    unsigned access = 99;

    CHECK(paging_find(at, &physical, &access));
    CHECK_EQ(physical, want);
    CHECK_EQ(access, want_access);
}

static bool mapped(uintptr_t at)
{
    uint64_t physical;
    unsigned access;

    return paging_find(at, &physical, &access);
}

static void test_sizes(void)
{
    begin(POOL_PAGES, false);
    CHECK(paging_map(HIGH + 0x1ff000, 0x1ff000, TWO_MIB + 2 * PAGE_SIZE, PAGE_WRITE)); /* 4 KiB, 2 MiB, 4 KiB */
    expect(HIGH + 0x1ff123, 0x1ff123, PAGE_WRITE);
    expect(HIGH + 0x200000, 0x200000, PAGE_WRITE);
    expect(HIGH + 0x3fffff, 0x3fffff, PAGE_WRITE);
    expect(HIGH + 0x400fff, 0x400fff, PAGE_WRITE);
    CHECK(!mapped(HIGH + 0x1fefff));
    CHECK(!mapped(HIGH + 0x401000));
    CHECK(!mapped(0));
    CHECK(!mapped(0x0000900000000000ull)); /* not canonical */
    CHECK_EQ(paging_pages_used(), 5);      /* one of each level, and one more of the lowest */
}

static void test_huge(void)
{
    begin(POOL_PAGES, true);
    CHECK(paging_map(HIGH, 0, 3ull << 30, PAGE_WRITE));
    CHECK_EQ(paging_pages_used(), 2);
    expect(HIGH + (2ull << 30) + 5, (2ull << 30) + 5, PAGE_WRITE);
    CHECK(paging_unmap(HIGH + (1ull << 30) + PAGE_SIZE)); /* splits twice */
    CHECK_EQ(paging_pages_used(), 4);
    CHECK(!mapped(HIGH + (1ull << 30) + PAGE_SIZE));
    expect(HIGH + (1ull << 30), 1ull << 30, PAGE_WRITE);
    expect(HIGH + (1ull << 30) + 2 * PAGE_SIZE, (1ull << 30) + 2 * PAGE_SIZE, PAGE_WRITE);
    expect(HIGH + (1ull << 30) + TWO_MIB + 7, (1ull << 30) + TWO_MIB + 7, PAGE_WRITE);
}

static void test_guard(void)
{
    begin(POOL_PAGES, false);
    CHECK(paging_map(HIGH, 0, 2 * TWO_MIB, PAGE_WRITE));
    CHECK(paging_unmap(HIGH + 5 * PAGE_SIZE));
    CHECK(flushed > 0);
    for (unsigned p = 0; p < 512; p++) {
        CHECK_EQ(mapped(HIGH + p * PAGE_SIZE), p != 5);
    }
    expect(HIGH + TWO_MIB, TWO_MIB, PAGE_WRITE);
    /* Bit 7 of a large page means its size, and of a small one a memory type. */
    CHECK_EQ(*entry_make(HIGH + 6 * PAGE_SIZE, 1) & PTE_LARGE, 0);
    unsigned used = paging_pages_used();
    CHECK(paging_unmap(HIGH + 9 * PAGE_SIZE)); /* the table is there by now */
    CHECK_EQ(paging_pages_used(), used);
}

static void test_access(void)
{
    begin(POOL_PAGES, false);
    CHECK(paging_map(HIGH, 0, PAGE_SIZE, PAGE_READ));
    CHECK(paging_map(HIGH + PAGE_SIZE, 0x5000, PAGE_SIZE, PAGE_EXECUTE));
    CHECK(paging_map(HIGH + 2 * PAGE_SIZE, 0xfee00000, PAGE_SIZE, PAGE_WRITE | PAGE_DEVICE));
    expect(HIGH, 0, PAGE_READ);
    expect(HIGH + PAGE_SIZE, 0x5000, PAGE_EXECUTE);
    expect(HIGH + 2 * PAGE_SIZE, 0xfee00000, PAGE_WRITE | PAGE_DEVICE);
    CHECK_PANICS(CHECK(paging_map(HIGH + 3 * PAGE_SIZE, 0, PAGE_SIZE, PAGE_WRITE | PAGE_EXECUTE)));
    CHECK_PANICS(CHECK(paging_map(HIGH, 0, PAGE_SIZE, PAGE_READ)));
}

static void test_pool_ends(void)
{
    begin(4, false);
    CHECK(paging_map(HIGH, 0, PAGE_SIZE, PAGE_WRITE));
    CHECK_EQ(paging_pages_left(), 0);
    CHECK(!paging_map(HIGH + TWO_MIB, TWO_MIB, PAGE_SIZE, PAGE_WRITE));
    CHECK(!paging_map(0, 0, PAGE_SIZE, PAGE_WRITE));
    begin(POOL_PAGES, false);
    CHECK_EQ(paging_keep(3), POOL + 4 * PAGE_SIZE);
    CHECK_EQ(paging_pages_left(), 3);
}

int main(void)
{
    RUN(test_sizes);
    RUN(test_huge);
    RUN(test_guard);
    RUN(test_access);
    RUN(test_pool_ends);
    return test_end();
}
