/* SPDX-License-Identifier: MIT OR Apache-2.0
 * disk.h: the image's disk: memory that outlives the process, written to by the image and by the input.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "sim_protocol.h"

#define DISK_PAGE 4096u
#define DISK_PAGES 4096u /* about the least that the store takes */
#define DISK_SECTOR 512u
#define DISK_BYTES ((size_t)DISK_PAGES * DISK_PAGE)
#define DISK_SECTORS (DISK_BYTES / DISK_SECTOR)

struct disk {
    uint8_t bytes[DISK_BYTES];
    bool written[DISK_PAGES]; /* pages that are not as they were on a blank one */
};
/* Set before the image begins. */
extern struct disk *disk;

/* The image wants something. */
void disk_asked(const struct sim_message *message, const uint8_t *body);
/* It gets what it wanted since. */
void disk_answer(void);

/* The next of the input: bytes that change now, anywhere, or in a sector of the store's own under a sum that is right. */
void disk_edit(bool sealed);
/* The next of the input: answers that fail or lie. */
void disk_spoil(void);
