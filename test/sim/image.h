/* SPDX-License-Identifier: MIT OR Apache-2.0
 * image.h: an image's process, ready to be switched on, of which every machine is a fork: no exec, the same memory.
 */
#pragma once
#include <stdbool.h>
#include <sys/types.h>
#include "sim_link.h"

struct image {
    char profile[64];
    const char *transport; /* of its devices */
    const char *disk;      /* the model of its disk, which is port 1; NULL: it has none. Port 0 is its network card */
    pid_t pid;
    struct sim_link link;
};

/* What the devices of an image can be attached by: what --transport of the machine takes. */
#define IMAGE_TRANSPORTS 5u
extern const char *const image_transports[IMAGE_TRANSPORTS];
/* The one of that name; NULL: there is none. */
const char *image_transport(const char *name);

/* The models that a disk can have. */
#define IMAGE_VIRTIO_BLK "virtio-blk"
#define IMAGE_NVME "nvme"
#define IMAGE_VIRTIO_SCSI "virtio-scsi"

/* The process of build/PROFILE/PROFILE.sim, started when first asked for. `transport` is one of the above, `disk` a literal. */
struct image *image_get(const char *build, const char *profile, const char *disk, const char *transport);
/* A new machine, switched off: its end of the socket. */
int image_fork(struct image *image);
/* The same from any process that waits for its next batch: a machine in the middle of its life. -1: it is gone. */
int image_fork_link(struct sim_link *link);
/* Ends all that were started. */
void images_end(void);
