/* SPDX-License-Identifier: MIT OR Apache-2.0
 * pool.c: fixed-size items.
 *
 *  (1) in_use + length of the free list == count.
 *  (2) A free item begins with the link and a mark made of its own address; a mark that is gone means that somebody wrote
 *      after pool_put, a mark that stands at pool_put means that the item comes back twice.
 */
#include <string.h>
#include "core/assert.h"
#include "core/point.h"
#include "core/poison.h"
#include "mem_private.h"

#define ITEM_ALIGN 16u
#define FREE_MARK 0x706f6f6c66726565ull /* "poolfree" */

struct free_item {
    struct free_item *next;
    uint64_t mark;
};

static struct list pools = {&pools, &pools};

static uint64_t mark_of(const struct free_item *item)
{
    return FREE_MARK ^ (uintptr_t)item;
}

static void item_make_free(struct pool *pool, void *p)
{
    struct free_item *item = p;

    item->next = pool->free;
    item->mark = mark_of(item);
    pool->free = item;
    poison((char *)p + sizeof *item, pool->item_size - sizeof *item);
}

void pool_init(struct pool *pool, const char *name, size_t item_size, size_t count)
{
    ASSERT(item_size > 0 && item_size <= UINT32_MAX / 2 && count <= UINT32_MAX);
    item_size = (item_size + ITEM_ALIGN - 1) / ITEM_ALIGN * ITEM_ALIGN;
    ASSERT(count == 0 || item_size <= SIZE_MAX / 4 / count);
    *pool = (struct pool){.name = name, .item_size = (uint32_t)item_size, .count = (uint32_t)count};
    pool->items = boot_alloc_named(name, item_size * count, ITEM_ALIGN);
    for (size_t i = count; i > 0; i--) { /* backwards, so that the first item goes out first */
        item_make_free(pool, pool->items + (i - 1) * item_size);
    }
    list_push_back(&pools, &pool->node);
}

void *pool_get(struct pool *pool)
{
    struct free_item *item = pool->free;

    if (item == NULL) {
        ASSERT(pool->in_use == pool->count);
        pool->refused++;
        return NULL;
    }
    ASSERT(item->mark == mark_of(item)); /* (2) */
    POINT();
    pool->free = item->next;
    pool->in_use++;
    if (pool->in_use > pool->in_use_max) {
        pool->in_use_max = pool->in_use;
    }
    unpoison(item, pool->item_size);
    return memset(item, 0, pool->item_size);
}

void *pool_take(struct pool *pool)
{
    void *item = pool_get(pool);

    ASSERT(item != NULL);
    return item;
}

void pool_put(struct pool *pool, void *item)
{
    uintptr_t offset = (uintptr_t)item - (uintptr_t)pool->items;

    ASSERT(offset < (uintptr_t)pool->item_size * pool->count && offset % pool->item_size == 0);
    ASSERT(((struct free_item *)item)->mark != mark_of(item)); /* (2) */
    ASSERT(pool->in_use > 0);
    pool->in_use--;
    POINT();
    item_make_free(pool, item);
}

void pool_each(void (*each)(const struct pool *pool, void *context), void *context)
{
    for (struct list *at = pools.next; at != &pools; at = at->next) {
        each(CONTAINER_OF(at, struct pool, node), context);
    }
}
