/* SPDX-License-Identifier: MIT OR Apache-2.0
 * sqlite_private.h: what sqlite.c tells the VFS.
 */
#pragma once
#include "lib/sqlite/sqlite.h"

#define SQLITE_NAME "database"
#define SQLITE_SEED_BYTES 64u

/* Of the write-ahead log: a header, and frames behind it (https://www.sqlite.org/fileformat2.html, section 4). */
#define HEADER_BYTES 32u
#define FRAME_HEAD_BYTES 24u
#define FRAME_BYTES (FRAME_HEAD_BYTES + VOLUME_PAGE_BYTES)

/* The volume that the VFS' files stand in; NULL: none. */
void sqlite_vfs_use(struct volume *volume, const void *seed, size_t seed_bytes);
