/* SPDX-License-Identifier: MIT OR Apache-2.0
 * sqlite_private.h: what sqlite.c tells the VFS.
 */
#pragma once
#include "lib/sqlite/sqlite.h"

#define SQLITE_NAME "database"
#define SQLITE_SEED_BYTES 64u

/* The volume that the VFS' files stand in; NULL: none. */
void sqlite_vfs_use(struct volume *volume, const void *seed, size_t seed_bytes);
