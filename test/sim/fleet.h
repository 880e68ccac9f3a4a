/* SPDX-License-Identifier: MIT OR Apache-2.0
 * fleet.h: the nodes of a run, from a file:
 *
 *     node NAME PROFILE [disk=SIZE] [load]     # a machine; SIZE in bytes, K or M; `load`: the run ends when it is done
 */
#pragma once

struct run;

/* Adds the file's nodes. A mistake ends the program with FILE:LINE: and what is wrong. */
void fleet_read(struct run *run, const char *build, const char *path);
