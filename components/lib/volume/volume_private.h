/* SPDX-License-Identifier: MIT OR Apache-2.0
 * volume_private.h: what the parts of lib/volume know of each other.
 */
#pragma once
#include "lib/volume/volume.h"

#define LEAVES_MAX (VOLUME_INDEX_MAX * VOLUME_INDEX_LEAVES)

/* Remembers a failure: (4) of volume.h. */
status_t volume_fail(struct volume *volume, status_t status);
status_t volume_flush(struct volume *volume) REQUIRES(THREAD);
/* Forgets all that is in memory of the map and of the log. */
void volume_map_forget(struct volume *volume);
void volume_log_forget(struct volume *volume);
/* Writes the changed blocks of the map to their other homes and makes `super` name them. */
status_t volume_map_write(struct volume *volume) REQUIRES(THREAD);
/* The superblock on the disk names the new homes now. */
void volume_map_committed(struct volume *volume);
/* A free place for the next run. ST_FULL. */
status_t volume_grow(struct volume *volume);
