/* SPDX-License-Identifier: MIT OR Apache-2.0
 * guest.h: what the programs of the Linux guest share: how they end, sections, and io_uring without a library.
 *
 * A section is MARK_BEGIN(), what is measured, MARK_END(), and the line `section NAME OPERATIONS`, as components/app/bench does it.
 */
#pragma once
#include <errno.h>
#include <linux/io_uring.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "lib/mark/mark.h"

#define ROUNDS 5

static inline _Noreturn void die(const char *what)
{
    printf("failed: %s: %s\n", what, strerror(errno));
    fflush(stdout);
    exit(1);
}

static inline void section_done(const char *name, unsigned operations)
{
    printf("section %s %u\n", name, operations);
    fflush(stdout);
}

/* One io_uring, as io_uring_setup(2) lays it out. */
struct uring {
    int fd;
    unsigned *sq_tail, *cq_head, *cq_tail;
    unsigned sq_mask, cq_mask;
    struct io_uring_sqe *sqe;
    struct io_uring_cqe *cqe;
};

static inline void *uring_map(int fd, size_t bytes, off_t offset)
{
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, offset);

    if (at == MAP_FAILED) {
        die("mmap of io_uring");
    }
    return at;
}

static inline void uring_init(struct uring *ring, unsigned entries)
{
    struct io_uring_params p = {0};

    ring->fd = (int)syscall(SYS_io_uring_setup, entries, &p);
    if (ring->fd < 0 || !(p.features & IORING_FEAT_SINGLE_MMAP)) {
        die("io_uring_setup");
    }
    size_t sq_bytes = p.sq_off.array + p.sq_entries * sizeof(unsigned);
    size_t cq_bytes = p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe);
    char *rings = uring_map(ring->fd, sq_bytes > cq_bytes ? sq_bytes : cq_bytes, IORING_OFF_SQ_RING);
    unsigned *array = (unsigned *)(void *)(rings + p.sq_off.array);
    for (unsigned i = 0; i < p.sq_entries; i++) {
        array[i] = i;
    }
    ring->sq_tail = (unsigned *)(void *)(rings + p.sq_off.tail);
    ring->cq_head = (unsigned *)(void *)(rings + p.cq_off.head);
    ring->cq_tail = (unsigned *)(void *)(rings + p.cq_off.tail);
    ring->sq_mask = p.sq_entries - 1;
    ring->cq_mask = p.cq_entries - 1;
    ring->cqe = (struct io_uring_cqe *)(void *)(rings + p.cq_off.cqes);
    ring->sqe = uring_map(ring->fd, p.sq_entries * sizeof(struct io_uring_sqe), IORING_OFF_SQES);
}

/* Never more than the ring's entries at once: the callers count. */
static inline struct io_uring_sqe *uring_next(struct uring *ring, unsigned ahead)
{
    struct io_uring_sqe *sqe = &ring->sqe[(*ring->sq_tail + ahead) & ring->sq_mask];

    memset(sqe, 0, sizeof *sqe);
    return sqe;
}

static inline void uring_enter(struct uring *ring, unsigned submit, unsigned wait)
{
    __atomic_store_n(ring->sq_tail, *ring->sq_tail + submit, __ATOMIC_RELEASE);
    if (syscall(SYS_io_uring_enter, ring->fd, submit, wait, IORING_ENTER_GETEVENTS, NULL, 0) != (long)submit) {
        die("io_uring_enter");
    }
}

/* The oldest completion, borrowed until uring_taken(); NULL: none. */
static inline const struct io_uring_cqe *uring_peek(const struct uring *ring)
{
    unsigned head = *ring->cq_head;

    return head == __atomic_load_n(ring->cq_tail, __ATOMIC_ACQUIRE) ? NULL : &ring->cqe[head & ring->cq_mask];
}

static inline void uring_taken(struct uring *ring)
{
    __atomic_store_n(ring->cq_head, *ring->cq_head + 1, __ATOMIC_RELEASE);
}
