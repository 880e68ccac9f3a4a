/* SPDX-License-Identifier: MIT OR Apache-2.0
 * disk_io.h: what a volume wants of a disk, in blocks of 4 KiB, from a thread: reads that wait, writes that run ahead, a FLUSH.
 * Answered by disk_client.h over a capability, and by the disks of tests.
 *
 *  (1) A read sees every write that was taken before it.
 *  (2) A write may be on its way when disk_write() returns, and writes reach the disk in any order. Its failure is told by it,
 *      by a later write or by the next flush, once.
 *  (3) When disk_flush() says ST_OK, every write taken before it is durable.
 */
#pragma once
#include <stdint.h>
#include "core/room.h"
#include "core/status.h"

#define DISK_BLOCK_BYTES 4096u

struct disk_io;
struct disk_io_ops {
    status_t (*read)(struct disk_io *io, uint64_t block, uint32_t count, void *data);
    status_t (*write)(struct disk_io *io, uint64_t block, const void *data);
    status_t (*flush)(struct disk_io *io);
};
struct disk_io {
    const struct disk_io_ops *ops; /* called only by the wrappers below */
    uint64_t blocks;
};

/* ST_RANGE: beyond the end. ST_IO, ST_CLOSED: the disk failed. */
static inline status_t disk_read(struct disk_io *io, uint64_t block, uint32_t count, void *data) REQUIRES(THREAD)
{
    if (block > io->blocks || count > io->blocks - block) {
        return ST_RANGE;
    }
    return io->ops->read(io, block, count, data);
}
/* `data` is copied. */
static inline status_t disk_write(struct disk_io *io, uint64_t block, const void *data) REQUIRES(THREAD)
{
    return block < io->blocks ? io->ops->write(io, block, data) : ST_RANGE;
}
static inline status_t disk_flush(struct disk_io *io) REQUIRES(THREAD)
{
    return io->ops->flush(io);
}
