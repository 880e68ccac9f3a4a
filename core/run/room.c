/* SPDX-License-Identifier: MIT OR Apache-2.0
 * room.c: the room that a CPU is in, tracked at every change, checked at every entry by pointer.
 */
#include "core/room.h"
#include "core/assert.h"
#include "run_private.h"

static const char *const names[] = {"BOOT", "LOOP", "TRAP", "THREAD"};

enum room_id room_current(void)
{
    const struct cpu *cpu = cpu_this();

    return cpu == NULL ? ROOM_BOOT : cpu->room;
}

static void check(enum room_id wanted)
{
    enum room_id now = room_current();

    if (__builtin_expect(now != wanted, 0)) {
        panic("code for room %s runs in room %s", names[wanted], names[now]);
    }
}

void room_assert_boot(void)
{
    check(ROOM_BOOT);
}

void room_assert_loop(void)
{
    check(ROOM_LOOP);
}

void room_assert_trap(void)
{
    check(ROOM_TRAP);
}

void room_assert_thread(void)
{
    check(ROOM_THREAD);
}
