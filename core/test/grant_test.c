/* SPDX-License-Identifier: MIT OR Apache-2.0
 * grant_test.c: a device's grant: budgets, who may take it, and what is left of it when it was taken back.
 */
#include "../run/grant.c"
#include "test.h"

static struct ledger driver = {.name = "drv/test", .dma_bytes = 5 * PAGE_BYTES, .interrupts = 2};
static struct device_grant grant;
static unsigned quiesced, offs, closes;
static enum device_state state_when_off;
static bool dirty_when_off;
static _Alignas(4096) char ram[16 * PAGE_BYTES];
static size_t ram_used;

const struct ledger *ledger_selected(void)
{
    return &driver;
}

void *boot_alloc_named(const char *what, size_t size, size_t align)
{
    (void)what;
    ram_used = (ram_used + align - 1) & ~(align - 1);
    REQUIRE(size <= sizeof ram - ram_used);
    ram_used += size;
    return memset(ram + ram_used - size, 0, size);
}

void *boot_alloc(size_t size, size_t align)
{
    return boot_alloc_named("tables", size, align);
}

uint64_t plat_dma_of(const void *p)
{
    return (uintptr_t)p + 0x1000;
}

void irqs_close(struct device_grant *of)
{
    closes++;
    of->interrupts = 0;
}

static void on_off(struct device_grant *of)
{
    offs++;
    state_when_off = of->state;
    dirty_when_off = of->buffer != NULL && !test_all_zero(of->buffer->cpu, of->buffer->size);
}

static void on_quiesce(void *me)
{
    CHECK(me == &driver);
    quiesced++;
}

static void begin(void)
{
    list_init(&grants);
    quiesced = offs = closes = 0;
    ram_used = 0;
    test_room = ROOM_BOOT;
    raw_grant_init(&grant, "here", on_off);
}

static void held(void)
{
    begin();
    device_hold(&grant, on_quiesce, &driver);
}

static void test_held_once(void)
{
    held();
    CHECK(device_held(&grant) && grant.holder == &driver && grant.generation == 1);
    CHECK_PANICS(device_hold(&grant, on_quiesce, &driver));
    begin();
    CHECK_PANICS(device_hold(&grant, NULL, NULL));
}

static void test_memory_within_the_budget(void)
{
    struct dma_memory one, two, kept = {.size = 7};

    begin();
    CHECK(dma_alloc(&grant, &kept, 1) == ST_CLOSED); /* nobody has it */
    CHECK_PANICS((void)dma_lend(&grant, ram));
    device_hold(&grant, on_quiesce, &driver);
    CHECK(dma_alloc(&grant, &one, 5000) == ST_OK && one.size == 8192 && (uintptr_t)one.cpu % PAGE_BYTES == 0);
    CHECK(one.dev.value == (uintptr_t)one.cpu + 0x1000 && test_all_zero(one.cpu, one.size));
    CHECK(dma_alloc(&grant, &kept, 3 * PAGE_BYTES + 1) == ST_FULL && kept.size == 7);
    CHECK(dma_alloc(&grant, &kept, SIZE_MAX) == ST_FULL && dma_alloc(&grant, &kept, SIZE_MAX - 4000) == ST_FULL);
    CHECK(dma_alloc(&grant, &two, 3 * PAGE_BYTES) == ST_OK && grant.dma_bytes == driver.dma_bytes);
    CHECK(dma_alloc(&grant, &kept, 1) == ST_FULL);
    CHECK_EQ(dma_lend(&grant, ram + 5).value, (uintptr_t)ram + 0x1005);
}

/* Quiesce, scrub, free: in this order, and only when the driver says that the device has stopped. */
static void test_taken_back(void)
{
    struct dma_memory one, two;

    held();
    REQUIRE(dma_alloc(&grant, &one, 100) == ST_OK && dma_alloc(&grant, &two, 9000) == ST_OK);
    memset(one.cpu, 0xaa, one.size);
    memset(two.cpu, 0xbb, two.size);
    test_room = ROOM_LOOP;
    device_revoke(&grant);
    CHECK(quiesced == 1 && grant.state == DEVICE_REVOKING && grant.generation == 1 && offs == 0);
    CHECK(dma_alloc(&grant, &one, 1) == ST_CLOSED);
    CHECK_EQ(dma_lend(&grant, ram).value,
             (uintptr_t)ram + 0x1000); /* on its way to the end: what waits may still be tried */
    device_revoke(&grant);             /* it is on its way */
    CHECK(quiesced == 1 && ((char *)one.cpu)[0] != 0);
    device_silence(&grant); /* it took its time */
    CHECK(offs == 1 && closes == 1 && grant.state == DEVICE_REVOKING && ((char *)two.cpu)[8999] != 0);
    device_release(&grant);
    CHECK(offs == 2 && state_when_off == DEVICE_REVOKING && dirty_when_off && closes == 2);
    CHECK(test_all_zero(one.cpu, one.size) && test_all_zero(two.cpu, two.size));
    CHECK(grant.state == DEVICE_GONE && grant.dma_bytes == 0 && grant.generation == 2);
    CHECK_PANICS((void)dma_lend(&grant, ram));
    CHECK_PANICS(device_release(&grant));
    CHECK_PANICS(device_silence(&grant));
    device_revoke(&grant); /* nobody's any more */
    CHECK_EQ(quiesced, 1);
    test_room = ROOM_BOOT;
    CHECK(dma_alloc(&grant, &one, 1) == ST_CLOSED);
    CHECK_PANICS(device_hold(&grant, on_quiesce, &driver)); /* for the image's life */
}

static void test_given_up(void)
{
    held();
    grant.off = NULL; /* a bus that can do nothing */
    device_release(&grant);
    CHECK(grant.state == DEVICE_GONE && quiesced == 0 && closes == 1);
    begin();
    test_room = ROOM_LOOP;
    device_revoke(&grant); /* nobody has it */
    CHECK(grant.state == DEVICE_FREE && quiesced == 0);
}

static void count_one(const struct device_grant *of, void *context)
{
    CHECK(of == &grant);
    ++*(unsigned *)context;
}

static void test_listed(void)
{
    unsigned count = 0;

    begin();
    device_grant_each(count_one, &count);
    CHECK_EQ(count, 0);
    device_hold(&grant, on_quiesce, &driver);
    device_grant_each(count_one, &count);
    CHECK_EQ(count, 1);
}

int main(void)
{
    RUN(test_held_once);
    RUN(test_memory_within_the_budget);
    RUN(test_taken_back);
    RUN(test_given_up);
    RUN(test_listed);
    return test_end();
}
