/* SPDX-License-Identifier: MIT OR Apache-2.0
 * bench.h: what the files of this component know of each other.
 *
 * A section is MARK_BEGIN(), what is measured, MARK_END(), and then a line `bench: section NAME OPERATIONS` that says which it was.
 */
#pragma once
#include <stdint.h>
#include "core/room.h"
#include "lib/blkdev/blkdev.h"
#include "lib/mark/mark.h"

#define BENCH_ROUNDS 5u /* each section is run so often */

/* Calls, from the loop and from a thread; then bench_disk_begin(). */
status_t bench_calls_init(void) REQUIRES(BOOT);
void bench_disk_init(struct blkdev *disk) REQUIRES(BOOT);
void bench_disk_begin(void) REQUIRES(LOOP);
/* Any room. */
void bench_section_done(const char *name, uint32_t operations);
/* Everything is done, or something went wrong: halts. */
void bench_end(const char *wrong) REQUIRES(LOOP);
