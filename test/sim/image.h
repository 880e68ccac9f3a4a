/* SPDX-License-Identifier: MIT OR Apache-2.0
 * image.h: an image's process, ready to be switched on, of which every machine is a fork: no exec, the same memory.
 */
#pragma once
#include <stdbool.h>
#include <sys/types.h>
#include "sim_link.h"

struct image {
    char profile[64];
    bool disk; /* has one, as port 1; port 0 is its network card */
    pid_t pid;
    struct sim_link link;
};

/* The process of build/PROFILE/PROFILE.sim, started when first asked for. */
struct image *image_get(const char *build, const char *profile, bool disk);
/* A new machine, switched off: its end of the socket. */
int image_fork(struct image *image);
/* The same from any process that waits for its next batch: a machine in the middle of its life. -1: it is gone. */
int image_fork_link(struct sim_link *link);
/* Ends all that were started. */
void images_end(void);
