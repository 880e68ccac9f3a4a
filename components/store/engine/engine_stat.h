/* SPDX-License-Identifier: MIT OR Apache-2.0
 * engine_stat.h: what peers are told of a file or directory.
 */
#pragma once
#include "engine.h"
#include "lib/store/store.capnp.h"

#define ENGINE_STAT_WORDS 20u /* of a Stat, at most */

void engine_fill_time(struct time_builder out, struct catalog_time time);
void engine_fill_stat(struct stat_builder out, const struct catalog_node *node);
