/* SPDX-License-Identifier: MIT OR Apache-2.0
 * room_test.c: code that is in the wrong room stops the machine, and says which rooms.
 */
#include "../run/room.c"
#include "test.h"

static struct cpu one;
static struct cpu *now; /* NULL: before cpu_boot */

struct cpu *cpu_this(void)
{
    return now;
}

static void (*const asserts[])(void) = {room_assert_boot, room_assert_loop, room_assert_trap, room_assert_thread};

static void test_each_room(void)
{
    static unsigned in, wanted; /* they outlive the panics' jumps */

    now = &one;
    for (in = 0; in < 4; in++) {
        one.room = (enum room_id)in;
        CHECK(room_current() == (enum room_id)in);
        for (wanted = 0; wanted < 4; wanted++) {
            if (in == wanted) {
                asserts[wanted]();
            } else {
                CHECK_PANICS(asserts[wanted]());
            }
        }
    }
}

static void test_before_the_first_cpu(void)
{
    now = NULL;
    CHECK(room_current() == ROOM_BOOT);
    room_assert_boot();
    CHECK_PANICS(room_assert_loop());
}

int main(void)
{
    RUN(test_each_room);
    RUN(test_before_the_first_cpu);
    return test_end();
}
