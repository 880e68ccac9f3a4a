/* SPDX-License-Identifier: MIT OR Apache-2.0
 * table_test.c: capability tables: random use against a list of what each number should mean, and each refusal by name.
 */
#include "../cap/object.c"
#include "../cap/table.c"
#include "core/room.h"
#include "test.h"

struct thing {
    struct object object;
    bool dead;
};

static void thing_dead(struct object *object)
{
    CONTAINER_OF(object, struct thing, object)->dead = true;
}

static const struct object_ops ops = {.dead = thing_dead};

static void thing_init(struct thing *thing)
{
    object_init(&thing->object, &ops);
    thing->dead = false;
}

static void test_refusals(void)
{
    struct cap_slot slots[2];
    struct cap_table table;
    struct thing a;
    struct object *got = NULL;
    cap_t cap = 7;
    cap_t second;
    cap_t third = 9;

    thing_init(&a);
    cap_table_init(&table, "test", slots, 2);
    CHECK_EQ(cap_lookup(&table, CAP_NONE, CAP_CALL, &got), ST_STALE);
    CHECK_EQ(cap_lookup(&table, UINT64_MAX, CAP_CALL, &got), ST_STALE);
    CHECK_EQ(cap_insert(&table, &a.object, CAP_CALL, NULL, &cap), ST_OK);
    CHECK(cap != CAP_NONE);
    CHECK_EQ(a.object.references, 2);
    CHECK_EQ(cap_lookup(&table, cap, CAP_CALL, &got), ST_OK);
    CHECK(got == &a.object);
    got = NULL;
    CHECK_EQ(cap_lookup(&table, cap, CAP_COPY, &got), ST_DENIED);
    CHECK_EQ(cap_lookup(&table, cap, CAP_CALL | CAP_SERVE, &got), ST_DENIED);
    CHECK_EQ(cap_lookup(&table, cap ^ 1ull << 32, CAP_CALL, &got), ST_STALE);
    CHECK_EQ(cap_lookup(&table, cap + 2, CAP_CALL, &got), ST_STALE); /* slot beyond the end */
    CHECK(got == NULL);                                              /* untouched on failure */
    CHECK_PANICS((void)!cap_lookup(&table, cap, 0, &got));
    CHECK_PANICS((void)!cap_insert(&table, &a.object, 0, NULL, &third));
    CHECK_EQ(cap_insert(&table, &a.object, CAP_ALL, NULL, &second), ST_OK);
    CHECK_EQ(cap_insert(&table, &a.object, CAP_ALL, NULL, &third), ST_FULL);
    CHECK_EQ(third, 9);
    CHECK_EQ(a.object.references, 3);
    CHECK_EQ(cap_drop(&table, cap), ST_OK);
    CHECK_EQ(cap_drop(&table, cap), ST_STALE);
    CHECK_EQ(cap_insert(&table, &a.object, CAP_ALL, NULL, &third), ST_OK);
    CHECK((uint32_t)third == (uint32_t)cap && third != cap); /* the slot again, not the number */
    CHECK_EQ(cap_lookup(&table, cap, CAP_CALL, &got), ST_STALE);
    object_put(&a.object);
    CHECK(!a.dead);
    CHECK(!cap_table_clear(&table, 1));
    CHECK(cap_table_clear(&table, 1));
    CHECK(a.dead);
}

static void test_copy_and_move(void)
{
    struct cap_slot slots_a[4];
    struct cap_slot slots_b[1];
    struct cap_table a;
    struct cap_table b;
    struct thing thing;
    struct object *got;
    cap_t cap;
    cap_t copy;
    cap_t moved;

    thing_init(&thing);
    cap_table_init(&a, "a", slots_a, 4);
    cap_table_init(&b, "b", slots_b, 1);
    CHECK_EQ(cap_insert(&a, &thing.object, CAP_CALL | CAP_COPY, NULL, &cap), ST_OK);
    CHECK_EQ(cap_move(&a, cap, &b, &moved), ST_DENIED);
    CHECK_EQ(cap_copy(&a, cap, &b, CAP_MOVE, NULL, &copy), ST_BADARG);
    CHECK_EQ(cap_copy(&a, cap, &b, CAP_ALL, NULL, &copy), ST_OK);
    CHECK_EQ(cap_lookup(&b, copy, CAP_CALL | CAP_COPY, &got), ST_OK);
    CHECK_EQ(cap_lookup(&b, copy, CAP_MOVE, &got), ST_DENIED); /* (2) never wider */
    CHECK_EQ(cap_drop(&b, copy), ST_OK);
    CHECK_EQ(cap_copy(&a, cap, &b, CAP_CALL, NULL, &copy), ST_OK);
    CHECK_EQ(cap_copy(&b, copy, &a, CAP_CALL, NULL, &moved), ST_DENIED);
    CHECK_EQ(cap_drop(&b, copy), ST_OK);
    CHECK_EQ(cap_insert(&a, &thing.object, CAP_ALL, NULL, &cap), ST_OK);
    uint32_t references = thing.object.references;
    CHECK_EQ(cap_move(&a, cap, &b, &moved), ST_OK);
    CHECK_EQ(thing.object.references, references);
    CHECK_EQ(cap_lookup(&a, cap, CAP_CALL, &got), ST_STALE);
    CHECK_EQ(cap_lookup(&b, moved, CAP_ALL, &got), ST_OK);
    CHECK_EQ(cap_insert(&a, &thing.object, CAP_ALL, NULL, &cap), ST_OK);
    CHECK_EQ(cap_move(&a, cap, &b, &moved), ST_FULL); /* nothing changed */
    CHECK_EQ(cap_lookup(&a, cap, CAP_ALL, &got), ST_OK);
}

static void test_revoke(void)
{
    struct cap_slot slots[8];
    struct cap_table table;
    struct thing thing;
    struct cap_revoker first = {0};
    struct cap_revoker second = {0};
    struct object *got;
    cap_t cap;
    cap_t plain;
    cap_t child;
    cap_t grandchild;

    thing_init(&thing);
    cap_table_init(&table, "test", slots, 8);
    CHECK_EQ(cap_insert(&table, &thing.object, CAP_ALL, NULL, &plain), ST_OK);
    CHECK_EQ(cap_copy(&table, plain, &table, CAP_ALL, &first, &child), ST_OK);
    CHECK_EQ(cap_copy(&table, child, &table, CAP_ALL, NULL, &grandchild), ST_OK);
    CHECK_EQ(cap_copy(&table, child, &table, CAP_ALL, &second, &cap), ST_UNSUPPORTED);
    cap_revoke(&first);
    CHECK_EQ(cap_lookup(&table, plain, CAP_CALL, &got), ST_OK);
    CHECK_EQ(cap_lookup(&table, child, CAP_CALL, &got), ST_STALE);
    CHECK_EQ(cap_lookup(&table, grandchild, CAP_CALL, &got), ST_STALE);
    CHECK_EQ(cap_copy(&table, child, &table, CAP_ALL, NULL, &cap), ST_STALE);
    CHECK_EQ(cap_move(&table, child, &table, &cap), ST_STALE);
    CHECK_EQ(cap_insert(&table, &thing.object, CAP_ALL, &first, &cap), ST_OK); /* of the new epoch */
    CHECK_EQ(cap_lookup(&table, cap, CAP_CALL, &got), ST_OK);
    CHECK_EQ(table.used, 4);
    CHECK_EQ(cap_drop(&table, child), ST_OK); /* (3) */
}

static void test_generation_wraps(void)
{
    struct cap_slot slots[1];
    struct cap_table table;
    struct thing thing;
    cap_t cap;

    thing_init(&thing);
    cap_table_init(&table, "test", slots, 1);
    slots[0].generation = UINT32_MAX;
    CHECK_EQ(cap_insert(&table, &thing.object, CAP_ALL, NULL, &cap), ST_OK);
    CHECK_EQ(cap >> 32, UINT32_MAX);
    CHECK_EQ(cap_drop(&table, cap), ST_OK);
    CHECK_EQ(cap_insert(&table, &thing.object, CAP_ALL, NULL, &cap), ST_OK);
    CHECK_EQ(cap >> 32, 1); /* never 0: cap 0 is none */
}

/* Tables A and B, a few things, and for each number ever given what it should mean now. */
enum { SLOTS = 16, THINGS = 4, GIVEN = 64 };

struct given {
    int table; /* -1: forgotten */
    cap_t cap;
    unsigned thing;
    uint32_t rights;
};

static void step(struct cap_table *table, struct thing *things, struct given *g)
{
    int where = (int)(test_random() % 2);
    unsigned thing = (unsigned)(test_random() % THINGS);
    cap_t cap;

    if (g->table < 0) {
        uint32_t rights = 1 + (uint32_t)(test_random() % CAP_ALL);
        status_t s = cap_insert(&table[where], &things[thing].object, rights, NULL, &cap);
        CHECK_EQ(s == ST_FULL, table[where].used == SLOTS && s != ST_OK);
        if (s == ST_OK) {
            *g = (struct given){where, cap, thing, rights};
        }
    } else if (test_random() % 2 == 0) {
        CHECK_EQ(cap_drop(&table[g->table], g->cap), ST_OK);
        g->table = -1;
    } else {
        uint32_t used = table[where].used;
        status_t s = cap_move(&table[g->table], g->cap, &table[where], &cap);
        CHECK_EQ(s, (g->rights & CAP_MOVE) == 0 ? ST_DENIED : used == SLOTS ? ST_FULL : ST_OK);
        if (s == ST_OK) {
            g->table = where;
            g->cap = cap;
        }
    }
}

static void test_random_use(void)
{
    struct cap_slot slots[2][SLOTS];
    struct cap_table table[2];
    struct thing things[THINGS];
    struct given given[GIVEN];

    cap_table_init(&table[0], "a", slots[0], SLOTS);
    cap_table_init(&table[1], "b", slots[1], SLOTS);
    for (unsigned i = 0; i < THINGS; i++) {
        thing_init(&things[i]);
    }
    for (unsigned i = 0; i < GIVEN; i++) {
        given[i] = (struct given){.table = -1};
    }
    for (int n = 0; n < 20000; n++) {
        struct given *g = &given[test_random() % GIVEN];
        struct given before = *g;
        step(table, things, g);
        struct object *got;
        if (before.table >= 0 && (g->table != before.table || g->cap != before.cap)) {
            CHECK_EQ(cap_lookup(&table[before.table], before.cap, before.rights, &got), ST_STALE);
        }
        unsigned held[THINGS] = {0};
        unsigned used[2] = {0};
        for (unsigned i = 0; i < GIVEN; i++) {
            if (given[i].table >= 0) {
                CHECK_EQ(cap_lookup(&table[given[i].table], given[i].cap, given[i].rights, &got), ST_OK);
                CHECK(got == &things[given[i].thing].object);
                held[given[i].thing]++;
                used[given[i].table]++;
            }
        }
        CHECK(table[0].used == used[0] && table[1].used == used[1]);
        for (unsigned i = 0; i < THINGS; i++) {
            CHECK_EQ(things[i].object.references, 1 + held[i]);
        }
    }
}

int main(void)
{
    RUN(test_refusals);
    RUN(test_copy_and_move);
    RUN(test_revoke);
    RUN(test_generation_wraps);
    RUN(test_random_use);
    return test_end();
}
