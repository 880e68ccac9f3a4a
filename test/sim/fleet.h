/* SPDX-License-Identifier: MIT OR Apache-2.0
 * fleet.h: the nodes of a run, from a file:
 *
 *     node NAME PROFILE [disk=SIZE] [load|hostile|rude|small] [transport=T]    # a machine; SIZE in bytes, K or M
 *
 * `load`: the run ends when it is done. T: what its devices are attached by (image_transports); otherwise the seed says it.
 * `small`: its tables are, so it may refuse what it has no room for.
 * `hostile`, `rude`: nobody waits for it, and it may be told off (hostile.h).
 */
#pragma once

struct run;

/* Adds the file's nodes. `transport`: of those that the file leaves to the seed; NULL: the seed's. A mistake ends the program
 * with FILE:LINE: and what is wrong. */
void fleet_read(struct run *run, const char *build, const char *path, const char *transport);
