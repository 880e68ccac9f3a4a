/* SPDX-License-Identifier: MIT OR Apache-2.0
 * check_caps.h: what threads saw of capability tables and rings can have happened, if
 *
 *  (1) no capability is wider than the one that it was made of, and none outlives its revocation, its move or its release;
 *  (2) no number of a table ever means something else than what it meant first;
 *  (3) what has all it needs is not refused;
 *  (4) a call reaches the object that its capability designates, and that object's answer comes back;
 *  (5) each operation completes exactly once; with it what was lent for its results comes back;
 *  (6) when all is over nobody holds anything.
 *
 * The lines are those of app/cap-load (cap_load.h), in the order in which they were said: what the loop does is said when it is
 * done; what a thread does happened between the line that it will and the line that it has.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct caps;

struct caps *caps_new(void);
void caps_free(struct caps *caps);
/* A line after "@ cap ". False: a promise was broken, or it is no such line; `why` says which. */
bool caps_line(struct caps *caps, const char *said, char *why, size_t size);
/* All is over. False: something was still to come. */
bool caps_end(struct caps *caps, char *why, size_t size);
