/* SPDX-License-Identifier: MIT OR Apache-2.0
 * arena.c: a bounded heap for third-party code: two-level segregated fit (TLSF), constant time.
 *
 *      | head | payload ........ | head | payload ... | end |
 *
 *  (1) Blocks lie without gap from `first` to the end mark, a used block of no payload. block_next(b)->before == b.
 *  (2) No two neighbours are both free.
 *  (3) A free block stands in exactly the bin of its size, and a bin's bit is set exactly when it is not empty.
 *  (4) used_bytes is the sum of payload and head of all used blocks but the end mark.
 *  (5) What lies between a used block's requested end and the next head may be poisoned; heads and links never are.
 */
#include "core/assert.h"
#include "core/point.h"
#include "core/poison.h"
#include "mem_private.h"

#define UNIT 16u    /* sizes are multiples; payloads are so aligned */
#define SUB_LOG2 3u /* bins a power of two: 8 */
#define SUB (1u << SUB_LOG2)
#define LEVEL_MIN 4u /* of the smallest payload, 16 */
#define LEVELS 28u   /* payloads below 2^32 */
#define USED 1u      /* in `size`, whose low bits are free */

struct block {
    struct block *before; /* the neighbour at lower addresses; NULL for the first */
    size_t size;          /* of the payload, | USED */
    struct list bin;      /* in the payload, while free */
};
#define HEAD offsetof(struct block, bin)
_Static_assert(HEAD == UNIT && sizeof(struct block) == 2 * UNIT, "links fit the smallest payload");

/* Keys: [I] fixed after arena_new  [L] the owning loop only */
struct arena {
    const char *name;             /* [I] */
    struct list node;             /* [I] */
    size_t size;                  /* [I] of all blocks */
    size_t used_bytes;            /* [L] */
    size_t used_bytes_max;        /* [L] */
    uint64_t refused;             /* [L] */
    struct block *first;          /* [I] */
    struct block *end;            /* [I] */
    uint32_t levels;              /* [L] bit: a sub-bitmap is not 0 */
    uint8_t subs[LEVELS];         /* [L] */
    struct list bin[LEVELS][SUB]; /* [L] */
};

static struct list arenas = {&arenas, &arenas};

static size_t block_size(const struct block *b)
{
    return b->size & ~(size_t)USED;
}

static bool block_is_used(const struct block *b)
{
    return (b->size & USED) != 0;
}

static void *block_payload(struct block *b)
{
    return (char *)b + HEAD;
}

static struct block *block_next(struct block *b)
{
    return (struct block *)(void *)((char *)b + HEAD + block_size(b));
}

struct place {
    unsigned level;
    unsigned sub;
};

/* The bin whose range of sizes holds `size`. */
static struct place place_of(size_t size)
{
    unsigned log2 = 63u - (unsigned)__builtin_clzl(size);

    return (struct place){log2 - LEVEL_MIN, (unsigned)(size >> (log2 - SUB_LOG2)) & (SUB - 1)};
}

static void bin_insert(struct arena *arena, struct block *b)
{
    struct place at = place_of(block_size(b));

    list_push_front(&arena->bin[at.level][at.sub], &b->bin);
    arena->subs[at.level] |= (uint8_t)(1u << at.sub);
    arena->levels |= 1u << at.level;
}

static void bin_remove(struct arena *arena, struct block *b)
{
    struct place at = place_of(block_size(b));

    list_remove(&b->bin);
    if (list_empty(&arena->bin[at.level][at.sub])) {
        arena->subs[at.level] &= (uint8_t) ~(1u << at.sub);
        if (arena->subs[at.level] == 0) {
            arena->levels &= ~(1u << at.level);
        }
    }
}

/* A free block of at least `size`, or NULL. */
static struct block *bin_find(struct arena *arena, size_t size)
{
    /* Rounded up to where a bin begins: every block of that bin and of all above is then large enough. */
    unsigned log2 = 63u - (unsigned)__builtin_clzl(size);
    struct place at = place_of(size + ((size_t)1 << (log2 - SUB_LOG2)) - 1);

    if (at.level >= LEVELS) {
        return NULL;
    }
    unsigned subs = arena->subs[at.level] & (~0u << at.sub);
    if (subs == 0) {
        unsigned levels = arena->levels & (~0u << at.level << 1);
        if (levels == 0) {
            return NULL;
        }
        at.level = (unsigned)__builtin_ctz(levels);
        subs = arena->subs[at.level];
    }
    at.sub = (unsigned)__builtin_ctz(subs);
    return CONTAINER_OF(arena->bin[at.level][at.sub].next, struct block, bin);
}

struct arena *arena_new(const char *name, size_t size)
{
    ASSERT(size <= UINT32_MAX / 2);
    size = (size + UNIT - 1) / UNIT * UNIT;
    size = size < 4 * UNIT ? 4 * UNIT : size;
    struct arena *arena = boot_alloc_named(name, sizeof *arena, 64);
    char *memory = boot_alloc_named(name, size, 64);

    arena->name = name;
    arena->size = size;
    for (unsigned i = 0; i < LEVELS; i++) {
        for (unsigned j = 0; j < SUB; j++) {
            list_init(&arena->bin[i][j]);
        }
    }
    arena->first = (struct block *)(void *)memory;
    arena->first->size = size - 2 * HEAD;
    arena->end = block_next(arena->first);
    arena->end->before = arena->first;
    arena->end->size = USED;
    bin_insert(arena, arena->first);
    poison(memory + sizeof(struct block), size - sizeof(struct block) - HEAD);
    list_push_back(&arenas, &arena->node);
    return arena;
}

/* Cuts what is beyond `size` off a block that is in no bin and gives it to the bins. */
static void block_split(struct arena *arena, struct block *b, size_t size)
{
    size_t rest = block_size(b) - size;

    if (rest < sizeof(struct block)) {
        return;
    }
    struct block *next = block_next(b);
    b->size = size;
    struct block *cut = block_next(b);
    unpoison(cut, sizeof *cut);
    cut->before = b;
    cut->size = rest - HEAD;
    next->before = cut;
    bin_insert(arena, cut);
}

void *arena_alloc(struct arena *arena, size_t size)
{
    size_t rounded = size == 0 ? UNIT : (size + UNIT - 1) / UNIT * UNIT;
    struct block *b = size <= arena->size ? bin_find(arena, rounded) : NULL;

    if (b == NULL) {
        arena->refused++;
        return NULL;
    }
    ASSERT(!block_is_used(b) && block_size(b) >= rounded);
    bin_remove(arena, b);
    POINT();
    block_split(arena, b, rounded);
    arena->used_bytes += HEAD + block_size(b);
    if (arena->used_bytes > arena->used_bytes_max) {
        arena->used_bytes_max = arena->used_bytes;
    }
    b->size |= USED;
    poison(block_payload(b), block_size(b)); /* (5): the tail stays so */
    unpoison(block_payload(b), size);
    return block_payload(b);
}

/* Swallows `next`, which is in no bin. */
static void block_merge(struct block *b, struct block *next)
{
    b->size += HEAD + block_size(next);
    block_next(b)->before = b;
}

void arena_free(struct arena *arena, void *p)
{
    if (p == NULL) {
        return;
    }
    struct block *b = (struct block *)(void *)((char *)p - HEAD);
    ASSERT((uintptr_t)p % UNIT == 0 && b >= arena->first && b < arena->end);
    ASSERT(block_is_used(b) && block_next(b)->before == b); /* (1): freed twice, or written past its end */
    b->size &= ~(size_t)USED;
    ASSERT(arena->used_bytes >= HEAD + b->size);
    arena->used_bytes -= HEAD + b->size;
    POINT();
    struct block *next = block_next(b);
    if (!block_is_used(next)) {
        bin_remove(arena, next);
        block_merge(b, next);
    }
    if (b->before != NULL && !block_is_used(b->before)) {
        bin_remove(arena, b->before);
        block_merge(b->before, b);
        b = b->before;
    }
    poison(block_payload(b), block_size(b));
    unpoison(&b->bin, sizeof b->bin);
    bin_insert(arena, b);
}

size_t arena_used(const struct arena *arena)
{
    return arena->used_bytes;
}

void arena_each(void (*each)(const struct arena_usage *usage, void *context), void *context)
{
    for (struct list *at = arenas.next; at != &arenas; at = at->next) {
        const struct arena *arena = CONTAINER_OF(at, struct arena, node);
        struct arena_usage usage = {arena->name, arena->size, arena->used_bytes, arena->used_bytes_max, arena->refused};
        each(&usage, context);
    }
}
