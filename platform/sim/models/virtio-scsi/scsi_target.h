/* SPDX-License-Identifier: MIT OR Apache-2.0
 * scsi_target.h: a SCSI disk (SPC-4, SBC-3) as far as its command blocks say what it does; the host adapter in front of it is
 * virtio_scsi_model.c.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "models/disk/disk_medium.h"

#define SCSI_DATA_IN_MAX 64u            /* of what is answered without the medium */
#define SCSI_RANGE_SECTORS_MAX 4096u    /* of UNMAP and WRITE SAME */
#define SCSI_TRANSFER_SECTORS_MAX 2048u /* of READ and WRITE */

enum { SCSI_GOOD = 0, SCSI_CHECK_CONDITION = 2 };

struct scsi_target {
    const struct disk_medium *medium;
    bool attention; /* it was reset, which the next command but INQUIRY and REPORT LUNS is told */
    char serial[21];
};

/* What becomes of a command. */
struct scsi_outcome {
    uint8_t status;   /* GOOD or CHECK CONDITION, by sense */
    uint8_t key, asc; /* sense */
    uint8_t data[SCSI_DATA_IN_MAX];
    uint32_t data_size; /* to be given */
    bool medium;        /* the medium is asked, and answers */
    enum disk_work work;
    uint64_t sector;
    uint32_t bytes;
    bool zeroes;  /* DISK_WRITE: of these, not of what the driver gives */
    bool flushes; /* DISK_WRITE: with FUA */
};

/* `out`: what the driver sends, `out_size` bytes of it. A command that no driver may send ends the process. */
void scsi_command(struct scsi_target *target, const uint8_t *cdb, const uint8_t *out, uint32_t out_size,
                  struct scsi_outcome *outcome);
