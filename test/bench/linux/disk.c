/* SPDX-License-Identifier: MIT OR Apache-2.0
 * disk.c: the reads of components/app/bench on Linux: O_DIRECT, io_uring, the same sizes, depths and places. Argument: the disk.
 */
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include "guest.h"

#define SMALL 4096u
#define LARGE (128u * 1024u)
#define READS 2048u
#define DEPTH_MAX 32u

static struct uring ring;
static int disk;
static uint64_t disk_bytes;
static char *memory;
static uint64_t random_state = 88172645463325252ull;
static uint64_t place;

static uint64_t random_next(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static void prepare(unsigned ahead, unsigned slot, unsigned bytes)
{
    uint64_t places = disk_bytes / bytes;
    struct io_uring_sqe *sqe = uring_next(&ring, ahead);

    sqe->opcode = IORING_OP_READ;
    sqe->fd = disk;
    sqe->addr = (uintptr_t)memory + (uint64_t)slot * LARGE;
    sqe->len = bytes;
    sqe->off = (bytes == SMALL ? random_next() % places : place++ % places) * bytes;
    sqe->user_data = slot;
}

/* Takes what has ended and begins as many again, while any are left. */
static unsigned reap(unsigned bytes, unsigned *begun, unsigned reads, unsigned *ended)
{
    const struct io_uring_cqe *cqe;
    unsigned again = 0;

    while ((cqe = uring_peek(&ring)) != NULL) {
        unsigned slot = (unsigned)cqe->user_data;
        if (cqe->res != (int)bytes) {
            errno = -cqe->res;
            die("read");
        }
        uring_taken(&ring);
        (*ended)++;
        if (*begun < reads) {
            prepare(again++, slot, bytes);
            (*begun)++;
        }
    }
    return again;
}

static void section(const char *name, unsigned bytes, unsigned depth, unsigned reads)
{
    unsigned begun = depth;
    unsigned ended = 0;

    place = 0;
    MARK_BEGIN();
    for (unsigned i = 0; i < depth; i++) {
        prepare(i, i, bytes);
    }
    uring_enter(&ring, depth, 1);
    while (ended < reads) {
        unsigned again = reap(bytes, &begun, reads, &ended);
        if (ended < reads) {
            uring_enter(&ring, again, 1);
        }
    }
    MARK_END();
    section_done(name, reads);
}

int main(int argc, char **argv)
{
    disk = argc > 1 ? open(argv[1], O_RDONLY | O_DIRECT | O_CLOEXEC) : -1;
    if (disk < 0 || ioctl(disk, BLKGETSIZE64, &disk_bytes) != 0) {
        die("the disk");
    }
    memory = aligned_alloc(SMALL, (size_t)LARGE * DEPTH_MAX);
    memset(memory, 1, (size_t)LARGE * DEPTH_MAX);
    uring_init(&ring, DEPTH_MAX);
    for (int round = 0; round < ROUNDS; round++) {
        section("read-4k-1", SMALL, 1, READS);
        section("read-4k-32", SMALL, 32, READS);
        section("read-128k-1", LARGE, 1, READS / 16);
        section("read-128k-8", LARGE, 8, READS / 16);
    }
    return 0;
}
