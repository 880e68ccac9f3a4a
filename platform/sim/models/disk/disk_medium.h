/* SPDX-License-Identifier: MIT OR Apache-2.0
 * disk_medium.h: what stands behind a disk, whichever controller is in front of it: a medium that keeps sectors. It is a file of
 * the host (disk_file.c) or the coordinator's (disk_port.c).
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DISK_SECTOR 512u

enum disk_work { DISK_READ, DISK_WRITE, DISK_FLUSH };

/* Keys: [I] fixed before disk_medium.begin  [m] the medium's until disk_medium.done */
struct disk_request {
    uint32_t tag;        /* [I] which of the model's requests */
    enum disk_work work; /* [I] */
    uint64_t sector;     /* [I] within the medium */
    uint8_t *bytes;      /* [m] what is written, room for what is read; NULL for a FLUSH */
    uint32_t size;       /* [I] a multiple of the sector */
};

struct disk_medium {
    /* Begins it; done() comes exactly once, perhaps before this returns. */
    void (*begin)(struct disk_medium *medium, struct disk_request *request);
    uint64_t sectors; /* [m] */
    bool read_only;   /* [m] */
    void *model;      /* [I] the model's, and the two below are */
    /* A request is done. */
    void (*done)(struct disk_medium *medium, struct disk_request *request, bool ok);
    /* It is another size, or read only, before the image looks at it. */
    void (*changed)(struct disk_medium *medium);
};

/* What a model's argument names: a file, or "sim", the coordinator's. NULL: `why` says what is wrong. */
struct disk_medium *disk_medium_open(const char *argument, char *why, size_t why_size);

/* NULL: `why` says what is wrong. */
struct disk_medium *disk_file_open(const char *path, char *why, size_t why_size);
/* NULL: this is no lock-step run. */
struct disk_medium *disk_port_open(void);
