/* SPDX-License-Identifier: MIT OR Apache-2.0
 * scarce_test.c: which requests for memory are refused, that each is told, and that a stream says the same twice.
 */
#include "test.h"
#include "../scarce.c"

static struct {
    unsigned refused, given;
} saw;

void lockstep_refused(void)
{
    saw.refused++;
}

void *__real_pool_get(struct pool *pool)
{
    saw.given++;
    return pool;
}

void *__real_arena_alloc(struct arena *arena, size_t size)
{
    (void)arena;
    saw.given += size == 5;
    return &saw;
}

static uint64_t asked(unsigned count)
{
    struct pool pool = {0};
    uint64_t answers = 0;

    test_room = ROOM_LOOP;
    for (unsigned i = 0; i < count; i++) {
        answers = answers * 3 + (__wrap_pool_get(&pool) != NULL);
        answers = answers * 5 + (__wrap_arena_alloc(NULL, 5) != NULL);
    }
    CHECK(pool.refused <= saw.refused);
    return answers;
}

static void test_refuses(void)
{
    asked(100);
    CHECK(saw.given == 200 && saw.refused == 0); /* nobody said so */
    scarce_begin(7, CHANCE_ALL);
    asked(100);
    CHECK(saw.given == 200 && saw.refused == 200);
    saw.given = saw.refused = 0;
    scarce_begin(7, CHANCE_ALL / 4);
    uint64_t first = asked(500);
    CHECK(saw.refused > 180 && saw.refused < 320 && saw.given == 1000 - saw.refused);
    scarce_begin(7, CHANCE_ALL / 4);
    CHECK_EQ(asked(500), first);
}

int main(void)
{
    RUN(test_refuses);
    return test_end();
}
