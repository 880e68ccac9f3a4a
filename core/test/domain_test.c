/* SPDX-License-Identifier: MIT OR Apache-2.0
 * domain_test.c: what a component's domain begins with: its own grants, by name, and nothing of anybody else's.
 */
#include "../cap/domain.c"
#include "../cap/object.c"
#include "../cap/table.c"
#include "test.h"

static void called(struct object *object, struct call *call)
{
    (void)object, (void)call;
}

static const struct object_ops ops = {.call = called};
static struct object disk, net, echo;
static unsigned provided;

static struct object *provide_disk(void)
{
    provided++;
    return &disk;
}
static struct object *provide_net(void)
{
    provided++;
    return &net;
}
static struct object *provide_echo(void)
{
    provided++;
    return &echo;
}

const struct initial_cap initial_caps[] = {
    {.domain = "app/one", .name = "disk", .provide = provide_disk},
    {.domain = "app/two", .name = "disk", .provide = provide_echo}, /* the same name, another thing */
    {.domain = "app/one", .name = "net", .provide = provide_net},
    {.domain = "app/one", .name = "port", .provide = NULL}, /* a C contract: no object */
};
const unsigned initial_caps_count = sizeof initial_caps / sizeof initial_caps[0];

/* Of the boot arena; the lists of domains keep it for the life of the test. */
static struct object *looked_up(const char *component, const char *name)
{
    struct object *object = NULL;
    cap_t cap = CAP_NONE;

    test_room = ROOM_BOOT;
    if (domain_cap(component, name, &cap) != ST_OK) {
        CHECK(cap == CAP_NONE); /* untouched */
        return NULL;
    }
    test_room = ROOM_LOOP;
    CHECK_EQ(cap_lookup(domain_table(component), cap, CAP_ALL, &object), ST_OK);
    CHECK_EQ(cap_lookup(domain_table(component), cap, CAP_SERVE, &object), ST_DENIED);
    return object;
}

static void test_grants_by_name(void)
{
    object_init(&disk, &ops);
    object_init(&net, &ops);
    object_init(&echo, &ops);
    CHECK(looked_up("app/one", "disk") == &disk);
    CHECK(looked_up("app/one", "net") == &net);
    CHECK(looked_up("app/two", "disk") == &echo);
    CHECK(looked_up("app/two", "net") == NULL); /* another's */
    CHECK(looked_up("app/one", "port") == NULL);
    CHECK(looked_up("app/one", "dis") == NULL);
    CHECK(looked_up("app/three", "disk") == NULL);
    CHECK_EQ(provided, 3); /* once each, however often it is asked */
    CHECK_EQ(disk.references, 2);
}

static void test_tables_are_apart(void)
{
    struct object *object = NULL;
    cap_t cap = CAP_NONE;

    CHECK(domain_table("app/one") == domain_table("app/one"));
    CHECK(domain_table("app/one") != domain_table("app/two"));
    CHECK_EQ(domain_cap("app/one", "net", &cap), ST_OK); /* the second: in the other table there is nothing there */
    test_room = ROOM_LOOP;
    CHECK_EQ(cap_lookup(domain_table("app/two"), cap, CAP_CALL, &object), ST_STALE);
    CHECK_STR(domain_table("app/two")->domain, "app/two");
}

static void test_room_for_more(void)
{
    struct cap_table *table = domain_table("app/three");
    cap_t cap;

    for (unsigned i = 0; i < DOMAIN_CAPS_SPARE; i++) {
        CHECK_EQ(domain_give(table, &echo, CAP_ALL | CAP_SERVE, &cap), ST_OK);
    }
    CHECK_EQ(domain_give(table, &echo, CAP_ALL, &cap), ST_FULL);
    CHECK_EQ(echo.references, 2 + DOMAIN_CAPS_SPARE); /* ours, app/two's, and no more than what went in */
    CHECK_EQ(domain_table("app/one")->size, 2 + DOMAIN_CAPS_SPARE);
}

int main(void)
{
    RUN(test_grants_by_name);
    RUN(test_tables_are_apart);
    RUN(test_room_for_more);
    return test_end();
}
