/* SPDX-License-Identifier: MIT OR Apache-2.0
 * sqlite.h: the database of a volume, opened with SQLite as this image wants it. What follows is sqlite3.h's interface, which
 * users include with `include sqlite3 amalgamation` in their component.conf.
 *
 *  (1) One thread uses SQLite, and one volume at a time is open.
 *  (2) A transaction whose COMMIT said SQLITE_OK is durable.
 *  (3) SQLITE_FULL: disk or log have no room for this transaction, which is undone. SQLITE_NOMEM: the heap. SQLITE_IOERR_DATA: a
 *      page is not what was written there. Other SQLITE_IOERR: the disk failed; nothing more is written before the volume
 *      is mounted again. What happened is in the image's log, with the number of the page.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "core/room.h"
#include "lib/volume/volume.h"
#include "sqlite3.h"

/* All memory that SQLite may take, instead of that of the option, kept for life; before anything is opened. For programs that are
 * no image. */
void sqlite_heap_use(void *bytes, size_t size);
/* Opens the database of a mounted volume, and makes it when there is none. `seed`: bytes for SQLite's random numbers, better
 * unpredictable; borrowed for the call. On failure there is nothing to close; the result is SQLite's. */
int sqlite_open(struct volume *volume, const void *seed, size_t seed_bytes, sqlite3 **db) REQUIRES(THREAD);
/* What a mounted volume's log holds, before it is opened. A cut leaves an end that is torn; a log that breaks earlier, with
 * commits behind the break which were acknowledged, is damaged, and sqlite_open() refuses it (SQLITE_IOERR_DATA). The last
 * commit of all is never missed: nothing on the disk says that it was acknowledged. */
struct sqlite_log {
    uint64_t frames; /* pages of whole commits: what SQLite takes from it */
    uint64_t lost;   /* pages behind a break that are part of acknowledged commits, at least */
    bool bare; /* nothing fills up the block that the last commit ends in, or nothing is whole: it begins anew first */
};
status_t sqlite_log_look(struct volume *volume, struct sqlite_log *log) REQUIRES(THREAD);
/* From now on what is left of a damaged log is opened too: for who reads what is left. */
void sqlite_salvage(void);
/* Moves all to the database and ends. The volume may be used otherwise from here on. Every statement is finalized already. */
int sqlite_close(sqlite3 *db) REQUIRES(THREAD);
/* Bytes of the heap in use, and the most there ever were. */
void sqlite_memory(int64_t *used, int64_t *most) REQUIRES(THREAD);
