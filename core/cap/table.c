/* SPDX-License-Identifier: MIT OR Apache-2.0
 * table.c: capability tables (cap.h has the rules 1..3).
 *
 *  (4) used + length of the free list == size.
 *  (5) A generation that reaches its end begins again at 1. A stale number then means something again after four thousand
 *      million uses of one slot; slots are used in turn, so that is the table's size times as many.
 */
#include "core/cap.h"
#include <stddef.h>
#include "core/thread.h"

void cap_table_init(struct cap_table *table, const char *domain, struct cap_slot *slots, uint32_t size)
{
    ASSERT(size > 0 && size < UINT32_MAX);
    *table = (struct cap_table){.domain = domain, .slot = slots, .size = size, .free_head = 1, .free_tail = size};
    for (uint32_t i = 0; i < size; i++) {
        slots[i] = (struct cap_slot){.generation = 1, .free_next = i + 1 < size ? i + 2 : 0};
    }
}

static struct cap_slot *slot_of(struct cap_table *table, cap_t cap)
{
    uint32_t index = (uint32_t)cap;
    uint32_t generation = (uint32_t)(cap >> 32);

    if (index >= table->size) {
        return NULL;
    }
    struct cap_slot *slot = &table->slot[index];
    return slot->object != NULL && slot->generation == generation ? slot : NULL;
}

static bool revoked(const struct cap_slot *slot)
{
    return slot->revoker != NULL && slot->revoker->epoch != slot->epoch;
}

/* The slot, if the capability is live and has the rights. One answer for "never", "no longer" and "revoked": the error must
 * not tell what else the table holds. */
static status_t slot_find(struct cap_table *table, cap_t cap, uint32_t rights, struct cap_slot **found)
{
    struct cap_slot *slot = slot_of(table, cap);

    if (slot == NULL || revoked(slot)) {
        return ST_STALE;
    }
    if ((slot->rights & rights) != rights) {
        return ST_DENIED;
    }
    *found = slot;
    return ST_OK;
}

/* The object's reference is the caller's and is given. */
static status_t slot_fill(struct cap_table *table, const struct cap_slot *content, cap_t *cap)
{
    if (table->free_head == 0) {
        ASSERT(table->used == table->size); /* (4) */
        return ST_FULL;
    }
    uint32_t index = table->free_head - 1;
    struct cap_slot *slot = &table->slot[index];
    uint32_t generation = slot->generation;
    table->free_head = slot->free_next;
    if (table->free_head == 0) {
        table->free_tail = 0;
    }
    *slot = *content;
    slot->generation = generation;
    slot->free_next = 0;
    table->used++;
    *cap = (uint64_t)generation << 32 | index;
    return ST_OK;
}

/* Returns the object, whose reference is the caller's now. */
static struct object *slot_empty(struct cap_table *table, struct cap_slot *slot)
{
    struct object *object = slot->object;
    uint32_t index = (uint32_t)(slot - table->slot);

    ASSERT(object != NULL && table->used > 0);
    *slot = (struct cap_slot){.generation = slot->generation == UINT32_MAX ? 1 : slot->generation + 1}; /* (1), (5) */
    if (table->free_tail == 0) {
        table->free_head = index + 1;
    } else {
        table->slot[table->free_tail - 1].free_next = index + 1;
    }
    table->free_tail = index + 1;
    table->used--;
    return object;
}

static status_t insert(struct cap_table *table, struct object *object, uint32_t rights,
                       const struct cap_revoker *revoker, cap_t *cap)
{
    struct cap_slot content = {
        .object = object, .revoker = revoker, .epoch = revoker != NULL ? revoker->epoch : 0, .rights = rights};

    ASSERT(rights != 0);
    status_t s = slot_fill(table, &content, cap);
    if (s == ST_OK) {
        (void)object_get(object);
    }
    return s;
}

status_t cap_insert(struct cap_table *table, struct object *object, uint32_t rights, const struct cap_revoker *revoker,
                    cap_t *cap)
{
    return insert(table, object, rights, revoker, cap);
}

status_t domain_give(struct cap_table *table, struct object *object, uint32_t rights, cap_t *cap)
{
    return insert(table, object, rights, NULL, cap);
}

status_t cap_lookup(struct cap_table *table, cap_t cap, uint32_t rights, struct object **object)
{
    struct cap_slot *slot;

    ASSERT(rights != 0); /* asking for nothing would let any capability pass */
    status_t s = slot_find(table, cap, rights, &slot);
    if (s == ST_OK) {
        *object = slot->object;
    }
    return s;
}

status_t cap_pass(struct cap_table *table, cap_t cap, struct object **object)
{
    struct cap_slot *slot;
    status_t s = slot_find(table, cap, CAP_ALL, &slot);

    if (s == ST_OK && slot->revoker != NULL) {
        s = ST_DENIED;
    }
    if (s == ST_OK) {
        *object = slot->object;
    }
    return s;
}

status_t cap_copy(struct cap_table *from, cap_t cap, struct cap_table *to, uint32_t rights,
                  const struct cap_revoker *revoker, cap_t *result)
{
    struct cap_slot *slot;
    status_t s = slot_find(from, cap, CAP_COPY, &slot);

    if (s != ST_OK) {
        return s;
    }
    if (revoker != NULL && slot->revoker != NULL && slot->revoker != revoker) {
        return ST_UNSUPPORTED;
    }
    rights &= slot->rights; /* (2) */
    if (rights == 0) {
        return ST_BADARG;
    }
    return insert(to, slot->object, rights, revoker != NULL ? revoker : slot->revoker, result);
}

status_t cap_move(struct cap_table *from, cap_t cap, struct cap_table *to, cap_t *result)
{
    struct cap_slot *slot;
    status_t s = slot_find(from, cap, CAP_MOVE, &slot);

    if (s != ST_OK) {
        return s;
    }
    s = slot_fill(to, slot, result);
    if (s == ST_OK) {
        (void)slot_empty(from, slot); /* its reference has moved */
    }
    return s;
}

status_t cap_drop(struct cap_table *table, cap_t cap)
{
    struct cap_slot *slot = slot_of(table, cap); /* (3): a revoked one can be dropped */

    if (slot == NULL) {
        return ST_STALE;
    }
    object_put(slot_empty(table, slot));
    return ST_OK;
}

void cap_revoke(struct cap_revoker *revoker)
{
    ASSERT(revoker->epoch < UINT32_MAX);
    revoker->epoch++;
}

bool cap_table_clear(struct cap_table *table, unsigned most)
{
    for (uint32_t i = 0; i < table->size && table->used > 0 && most > 0; i++) {
        if (table->slot[i].object != NULL) {
            object_put(slot_empty(table, &table->slot[i]));
            most--;
        }
    }
    return table->used == 0;
}
