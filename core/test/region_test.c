/* SPDX-License-Identifier: MIT OR Apache-2.0
 * region_test.c: what a caller may say of a region and what comes of it: spans within it, rights, references, no methods.
 */
#include "../cap/region.c"
#include "test.h"

static unsigned char memory[8192] __attribute__((aligned(4096)));
static struct region region;
static enum exception failed_with;

void *boot_alloc_named(const char *what, size_t size, size_t align)
{
    static unsigned char arena[3 * 4096] __attribute__((aligned(4096)));
    static size_t used;
    void *p = arena + (used + align - 1) / align * align;

    used = (size_t)((unsigned char *)p + size - arena);
    REQUIRE(used <= sizeof arena);
    return p;
}

static void test_spans(void)
{
    void *span = NULL;

    region_init(&region, memory, sizeof memory, REGION_READ | REGION_WRITE);
    test_room = ROOM_LOOP;
    CHECK_EQ(region_open(&region.object, 0, sizeof memory, REGION_READ | REGION_WRITE, &span), ST_OK);
    CHECK(span == memory);
    CHECK_EQ(region.object.references, 2);
    CHECK_EQ(region_open(&region.object, 8191, 1, REGION_READ, &span), ST_OK);
    CHECK(span == memory + 8191);
    object_put(&region.object);
    object_put(&region.object);
    CHECK_EQ(region.object.references, 1);
}

static void test_beyond(void)
{
    static const struct {
        uint64_t offset, bytes;
        status_t want;
    } spans[] = {
        {0, 8193, ST_RANGE},       {8192, 1, ST_RANGE},
        {8193, 1, ST_RANGE},       {4096, UINT64_MAX - 4095, ST_RANGE},
        {UINT64_MAX, 1, ST_RANGE}, {UINT64_MAX, 8192, ST_RANGE},
        {0, 0, ST_BADARG},         {8192, 0, ST_BADARG},
    };
    void *span = &region;

    test_room = ROOM_LOOP;
    for (unsigned i = 0; i < sizeof spans / sizeof spans[0]; i++) {
        CHECK_EQ(region_open(&region.object, spans[i].offset, spans[i].bytes, REGION_READ, &span), spans[i].want);
    }
    CHECK(span == &region);                /* untouched */
    CHECK_EQ(region.object.references, 1); /* nothing is held */
}

static void test_rights(void)
{
    struct region reader;
    void *span;

    test_room = ROOM_BOOT;
    region_init(&reader, memory, 4096, REGION_READ);
    test_room = ROOM_LOOP;
    CHECK_EQ(region_open(&reader.object, 0, 1, REGION_WRITE, &span), ST_DENIED);
    CHECK_EQ(region_open(&reader.object, 0, 1, REGION_READ | REGION_WRITE, &span), ST_DENIED);
    CHECK_EQ(region_open(&reader.object, 4096, 1, REGION_READ, &span), ST_RANGE); /* the part, not the whole */
    CHECK_EQ(region_open(&reader.object, 0, 1, REGION_READ, &span), ST_OK);
    object_put(&reader.object);
}

static void test_new(void)
{
    test_room = ROOM_BOOT;
    struct region *own = region_new("test", 100, REGION_READ);
    CHECK_EQ(own->bytes, 100);
    CHECK_EQ((uintptr_t)own->base % 4096, 0);
    CHECK_PANICS(region_init(&region, memory, 0, REGION_READ));
    CHECK_PANICS(region_init(&region, memory, 1, 4));
}

static void failed(struct call *call, enum exception type, const char *reason)
{
    failed_with = type;
}

/* Neither another object nor nothing is a region, and a region is called in vain. */
static void test_others(void)
{
    static const struct object_ops ops = {.call = no_methods};
    static const struct call_source source = {.failed = failed};
    struct object other;
    struct call call = {.source = &source};
    void *span;

    object_init(&other, &ops);
    test_room = ROOM_LOOP;
    CHECK_EQ(region_open(&other, 0, 1, REGION_READ, &span), ST_BADARG);
    CHECK_EQ(region_open(NULL, 0, 1, REGION_READ, &span), ST_BADARG);
    object_call(&region.object, &call);
    CHECK_EQ(failed_with, EXCEPTION_UNIMPLEMENTED);
    CHECK_EQ(region.object.references, 1);
}

int main(void)
{
    RUN(test_spans);
    RUN(test_beyond);
    RUN(test_rights);
    RUN(test_new);
    RUN(test_others);
    return test_end();
}
