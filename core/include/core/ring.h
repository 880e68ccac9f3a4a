/* SPDX-License-Identifier: MIT OR Apache-2.0
 * ring.h: a thread's capability ring, its only way out: submissions (SQ) in, completions (CQ) back.
 *
 * Both rings and the message area are the thread's memory. The loop of the thread's CPU is the only consumer of the SQ and
 * the only producer of the CQ. Indices run free and are masked for positions only. What the thread wrote is an allegation
 * to the loop: it is copied once, checked, then used; a bad entry completes with ST_BADARG and nothing else happens.
 */
#pragma once
#include <stdint.h>
#include "core/cap.h"
#include "core/room.h"
#include "core/status.h"

enum ring_op {
    RING_NOP = 0,     /* completes with ST_OK */
    RING_CALL = 1,    /* params -> object; completes with the results, or a status and an exception */
    RING_RETURN = 2,  /* answers a call that a CQ entry delivered to an endpoint of this thread */
    RING_RELEASE = 3, /* drops `cap` */
    RING_RECV = 4,    /* takes the next call from an endpoint that this thread serves */
    RING_CANCEL = 5,  /* of the call with the same user_data; the call still completes, once */
};

struct ring_sqe {
    uint8_t op;
    uint8_t flags; /* 0 */
    uint16_t method_id;
    uint32_t params_offset;     /* bytes into the message area; 8-aligned: a single-segment message */
    uint32_t params_words;
    uint32_t results_offset;    /* where results go, 8-aligned */
    uint32_t results_words_max;
    uint32_t caps_count;        /* capabilities passed: first entries of area at caps_offset, cap_t each */
    uint32_t caps_offset;
    uint32_t reserved[3];       /* 0 */
    cap_t cap;
    uint64_t interface_id;
    uint64_t user_data;
};
_Static_assert(sizeof(struct ring_sqe) == 64, "one cache line");

struct ring_cqe {
    uint64_t user_data;
    int32_t status;         /* status_t */
    uint16_t exception;     /* enum exception when status is ST_CLOSED/ST_IO..; see cap/ring.c */
    uint16_t caps_count;    /* result capabilities, written as cap_t at the end of the results */
    uint32_t results_words;
    uint32_t more;          /* RECV: method id; FAILED: length of the reason text at results_offset */
    uint64_t interface_id;  /* RECV */
};
_Static_assert(sizeof(struct ring_cqe) == 32, "two a cache line");

struct ring_shared {
    uint32_t sq_head; /* [a] the loop's */
    uint32_t sq_tail; /* [a] the thread's */
    uint32_t cq_head; /* [a] the thread's */
    uint32_t cq_tail; /* [a] the loop's */
    uint32_t sq_size; /* [I] power of two */
    uint32_t cq_size; /* [I] power of two, >= sq_size */
    struct ring_sqe *sq;
    struct ring_cqe *cq;
    void *area;          /* [I] message area */
    uint32_t area_bytes; /* [I] */
};

/* Submits what is in the SQ and waits until at least `completions` stand in the CQ or the time is over.
 * ST_OK; ST_TIMEOUT; completions 0 never blocks. The only place where a thread may block. */
status_t cap_enter(uint32_t completions, uint64_t timeout_ns) REQUIRES(THREAD);
