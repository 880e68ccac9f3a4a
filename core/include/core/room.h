/* SPDX-License-Identifier: MIT OR Apache-2.0
 * room.h: where a line may run, written so that the compiler can check it (docs/ROOMS.md).
 *
 * A room is a phantom lock. Entry points are handed their room by the dispatcher; everything below says
 * which room it needs, and clang -Wthread-safety refuses a call made from another. The analysis cannot see
 * through a function pointer, so a function whose address is taken begins with room_assert(), which tells the
 * analysis and checks at run time.
 */
#pragma once

#if defined(__clang__)
#define TSA(x) __attribute__((x))
#else
#define TSA(x)
#endif

#define REQUIRES(...) TSA(requires_capability(__VA_ARGS__))
#define ACQUIRES(...) TSA(acquire_capability(__VA_ARGS__))
#define RELEASES(...) TSA(release_capability(__VA_ARGS__))
#define EXCLUDES(...) TSA(locks_excluded(__VA_ARGS__))
#define ASSERTS_CAPABILITY(...) TSA(assert_capability(__VA_ARGS__))
#define NO_ROOM_ANALYSIS TSA(no_thread_safety_analysis)

struct TSA(capability("room")) room {
    char unused;
};

/* Never defined: they exist for the analysis only. */
extern struct room BOOT;   /* one CPU, nothing else awake; the boot arena may grow */
extern struct room LOOP;   /* a CPU's turn: may use pools, lend to devices, post; never waits */
extern struct room TRAP;   /* interrupted we know not whom: may read the hardware, mark, wake a loop */
extern struct room THREAD; /* may block, in cap_enter only; reaches everything else through its ring */

enum room_id { ROOM_BOOT, ROOM_LOOP, ROOM_TRAP, ROOM_THREAD };

/* The room that this CPU is in now. Any room. */
enum room_id room_current(void);

/* Panics unless this CPU is in that room. */
void room_assert_boot(void) ASSERTS_CAPABILITY(BOOT);
void room_assert_loop(void) ASSERTS_CAPABILITY(LOOP);
void room_assert_trap(void) ASSERTS_CAPABILITY(TRAP);
void room_assert_thread(void) ASSERTS_CAPABILITY(THREAD);
