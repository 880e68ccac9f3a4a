/* SPDX-License-Identifier: MIT OR Apache-2.0
 * arena_test.c: the bounded heap under random use, against a list of what is out, with every invariant checked.
 */
#include "../mem/arena.c"
#include "test.h"

static unsigned bins_hold(struct arena *arena, const struct block *wanted)
{
    unsigned found = 0;

    for (unsigned i = 0; i < LEVELS; i++) {
        for (unsigned j = 0; j < SUB; j++) {
            struct list *head = &arena->bin[i][j];
            CHECK_EQ(!list_empty(head), (arena->subs[i] >> j) & 1); /* (3) */
            for (struct list *at = head->next; at != head; at = at->next) {
                struct block *b = CONTAINER_OF(at, struct block, bin);
                struct place place = place_of(block_size(b));
                CHECK(!block_is_used(b) && place.level == i && place.sub == j);
                found += b == wanted || wanted == NULL;
            }
        }
        CHECK_EQ(arena->subs[i] != 0, (arena->levels >> i) & 1);
    }
    return found;
}

static void check(struct arena *arena)
{
    struct block *before = NULL;
    size_t used = 0;
    unsigned free_count = 0;

    for (struct block *b = arena->first; b != arena->end; before = b, b = block_next(b)) {
        CHECK(b->before == before); /* (1) */
        CHECK(block_size(b) % UNIT == 0 && block_size(b) >= UNIT);
        CHECK(block_is_used(b) || before == NULL || block_is_used(before)); /* (2) */
        used += block_is_used(b) ? HEAD + block_size(b) : 0;
        free_count += !block_is_used(b);
    }
    CHECK_EQ(used, arena->used_bytes); /* (4) */
    CHECK_EQ(bins_hold(arena, NULL), free_count);
}

struct held {
    unsigned char *p;
    size_t size;
    unsigned char fill;
};
enum { HELD = 200, SIZE = 64 * 1024 };

static void drop(struct arena *arena, struct held *h)
{
    for (size_t i = 0; i < h->size; i++) {
        if (h->p[i] != h->fill) {
            CHECK_EQ(h->p[i], h->fill); /* somebody else wrote here */
            break;
        }
    }
    arena_free(arena, h->p);
}

static bool take(struct arena *arena, struct held *h)
{
    size_t size = test_random() % (test_random() % 16 == 0 ? 8000 : 300);
    unsigned char fill = (unsigned char)test_random();
    unsigned char *p = arena_alloc(arena, size);

    if (p == NULL) {
        return false;
    }
    CHECK_EQ((uintptr_t)p % 16, 0);
    memset(p, fill, size);
    *h = (struct held){p, size, fill};
    return true;
}

static void test_random_use(void)
{
    struct arena *arena = arena_new("test", SIZE);
    struct held held[HELD];
    unsigned count = 0;

    for (int i = 0; i < 30000; i++) {
        bool filling = (i / 1000) % 2 == 0;
        if (count < HELD && test_random() % 8 < (filling ? 6 : 2)) {
            count += take(arena, &held[count]) ? 1 : 0;
        } else if (count > 0) {
            unsigned at = (unsigned)(test_random() % count);
            drop(arena, &held[at]);
            held[at] = held[--count];
        }
        if (i % 16 == 0) {
            check(arena);
        }
    }
    CHECK(arena->refused > 0); /* the test has seen it full */
    while (count > 0) {
        drop(arena, &held[--count]);
    }
    check(arena);
    CHECK_EQ(arena_used(arena), 0);
    CHECK(block_next(arena->first) == arena->end); /* all in one piece again */
}

static void test_edges(void)
{
    struct arena *arena = arena_new("edges", 4096);

    arena_free(arena, NULL);
    CHECK(arena_alloc(arena, SIZE_MAX) == NULL);
    CHECK(arena_alloc(arena, SIZE_MAX - 7) == NULL);
    CHECK(arena_alloc(arena, 4096) == NULL);
    unsigned char *p = arena_alloc(arena, 0);
    CHECK(p != NULL);
    unpoison(p, 16); /* else the sanitizer is first to complain */
    CHECK_PANICS(arena_free(arena, p + 16));
    arena_free(arena, p);
    CHECK_PANICS(arena_free(arena, p)); /* twice */
    CHECK_PANICS(arena_free(arena, (char *)arena->end + HEAD));
    CHECK(arena_alloc(arena, 2048) != NULL);
    check(arena);
}

int main(void)
{
    RUN(test_random_use);
    RUN(test_edges);
    return test_end();
}
