/* SPDX-License-Identifier: MIT OR Apache-2.0
 * bench.h: what the files of this component know of each other.
 *
 * A section is MARK_BEGIN(), what is measured, MARK_END(), and then a line `bench: section NAME OPERATIONS` that says which it was.
 */
#pragma once
#include <stdint.h>
#include "core/ring.h"
#include "core/room.h"
#include "core/thread.h"
#include "lib/blkdev/blkdev.h"
#include "lib/mark/mark.h"

#define BENCH_ROUNDS 5u /* each section is run so often */

#define BENCH_THREAD_DEPTH 32u
#define BENCH_THREAD_READS_AT 4096u /* in the thread's message area: behind what its null calls take */
#define BENCH_THREAD_AREA 4096u     /* and so much of it */

/* The next place to read: xorshift64 (Marsaglia, "Xorshift RNGs"). */
static inline uint64_t bench_random(uint64_t *random)
{
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    return *random;
}

/* Calls, from the loop and from a thread; the thread's reads; then bench_disk_begin(). `disk`: of `blocks` of 4 KiB. */
status_t bench_calls_init(struct object *disk, uint64_t blocks) REQUIRES(BOOT);
status_t bench_reads_init(struct cap_table *caps, struct object *disk, uint64_t blocks) REQUIRES(BOOT);
void bench_reads_run(struct ring_shared *ring) REQUIRES(THREAD);
void bench_disk_init(struct blkdev *disk) REQUIRES(BOOT);
void bench_disk_begin(void) REQUIRES(LOOP);
/* Any room. */
void bench_section_done(const char *name, uint32_t operations);
/* Everything is done, or something went wrong: halts. */
void bench_end(const char *wrong) REQUIRES(LOOP);
