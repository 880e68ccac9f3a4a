/* SPDX-License-Identifier: MIT OR Apache-2.0
 * svc_guests_test.c: numbers and welcomes; the book forgets the oldest; names that do not fit are refused.
 */
#include "../svc_guests.c"
#include "asker.h"

static struct asker ask;

static void enter_name(const char *name)
{
    guests_enter_params_set_name(guests_enter_begin(&ask.call, &self.object, asker_params(&ask), &asker_source),
                                 capnp_text(name));
    object_call(&self.object, &ask.call);
}
static struct capnp_list last_names(uint32_t count)
{
    guests_last_params_set_count(guests_last_begin(&ask.call, &self.object, asker_params(&ask), &asker_source), count);
    object_call(&self.object, &ask.call);
    CHECK_EQ(ask.returned, 1);
    return guests_last_results_get_names(guests_last_answer(&ask.call));
}

static void test_welcome(void)
{
    CHECK_EQ(last_names(5).count, 0);
    enter_name("Ada");
    CHECK_EQ(ask.returned, 1);
    struct guests_enter_results_reader results = guests_enter_answer(&ask.call);
    CHECK_EQ(guests_enter_results_get_number(results), 1);
    CHECK_STR(guests_enter_results_get_welcome(results).text, "Welcome, Ada");
}

static void test_forgets_the_oldest(void)
{
    char name[2] = "a";

    for (; name[0] < 'a' + SVC_GUESTS_REMEMBERED + 1; name[0]++) {
        enter_name(name);
    }
    struct capnp_list names = last_names(UINT32_MAX);
    CHECK_EQ(names.count, SVC_GUESTS_REMEMBERED);
    CHECK_STR(capnp_read_text(capnp_list_ref(names, 0)).text, "i");
    CHECK_STR(capnp_read_text(capnp_list_ref(names, 7)).text, "b");
    CHECK_EQ(last_names(2).count, 2);
}

static void test_names_that_do_not_fit(void)
{
    char name[NAME_ROOM + 1];

    memset(name, 'x', sizeof(name));
    name[NAME_ROOM] = 0;
    enter_name(name);
    CHECK_EQ(ask.failed, 1);
    enter_name("");
    CHECK_EQ(ask.failed, 1);
    name[NAME_ROOM - 1] = 0;
    enter_name(name);
    CHECK_EQ(ask.returned, 1);
    CHECK_STR(capnp_read_text(capnp_list_ref(last_names(1), 0)).text, name);
}

int main(void)
{
    test_room = ROOM_BOOT;
    CHECK_EQ(svc_guests_start(), ST_OK);
    test_room = ROOM_LOOP;
    RUN(test_welcome);
    RUN(test_forgets_the_oldest);
    RUN(test_names_that_do_not_fit);
    return test_end();
}
