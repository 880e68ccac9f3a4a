/* SPDX-License-Identifier: MIT OR Apache-2.0
 * scarce.c: pools and arenas that refuse what they have: as a stream of the coordinator's says, a request is answered as
 * when nothing is left.
 *
 *  (1) The image does not know: the linker puts these in the place of core's functions (--wrap, build-scripts/flags.mk). Where it
 *      was not asked to, in a fuzz target of the same sources, core's own are called and these are not.
 *  (2) pool_take() is not refused: who calls it has seen to it that there is an item.
 */
#include "core/mem.h"
#include "lockstep.h"
#include "scarce.h"
#include "splitmix.h"

#define CHANCE_ALL 1000000u

void *__real_pool_get(struct pool *pool) REQUIRES(LOOP) __attribute__((weak));
void *__wrap_pool_get(struct pool *pool) REQUIRES(LOOP);
void *__real_arena_alloc(struct arena *arena, size_t size) REQUIRES(LOOP) __attribute__((weak));
void *__wrap_arena_alloc(struct arena *arena, size_t size) REQUIRES(LOOP);

static struct {
    uint64_t random;
    uint64_t chance; /* of CHANCE_ALL; 0: nothing is refused */
} self;

void scarce_begin(uint64_t random, uint64_t chance)
{
    self.random = random;
    self.chance = chance;
}

static bool refused(void)
{
    if (self.chance == 0 || splitmix_next(&self.random) % CHANCE_ALL >= self.chance) {
        return false;
    }
    lockstep_refused();
    return true;
}

void *__wrap_pool_get(struct pool *pool)
{
    if (refused()) {
        pool->refused++;
        return NULL;
    }
    return __real_pool_get(pool);
}

void *__wrap_arena_alloc(struct arena *arena, size_t size)
{
    return refused() ? NULL : __real_arena_alloc(arena, size);
}
