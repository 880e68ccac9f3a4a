/* SPDX-License-Identifier: MIT OR Apache-2.0
 * ring.h: a thread's capability ring, its only way out: submissions (SQ) in, completions (CQ) back.
 *
 * Both rings and the message area are the thread's memory. The loop of the thread's CPU is the only consumer of the SQ and
 * the only producer of the CQ. Indices run free and are masked for positions only. What the thread wrote is an allegation
 * to the loop: it is copied once, checked, then used; a bad entry completes with ST_BADARG and nothing else happens.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "core/cap.h"
#include "core/point.h"
#include "core/room.h"
#include "core/status.h"

enum ring_op {
    RING_NOP = 0,     /* completes with ST_OK */
    RING_CALL = 1,    /* params -> object; completes with the results, or a status and an exception */
    RING_RETURN = 2,  /* answers the call that the RECV with the same user_data delivered; see below */
    RING_RELEASE = 3, /* drops `cap` */
    RING_RECV = 4,    /* takes the next call from an endpoint that this thread serves (CAP_SERVE) */
    RING_CANCEL =
        5, /* of the CALL or RECV with the same user_data, which still completes, once. Has no completion itself */
};

/* A capability can be passed, in a CALL or a RETURN, when it has CAP_ALL and can not be revoked (ST_DENIED): a message says
 * neither of what it carries. What has limits is handed on by a service that knows the tables (cap_copy).
 *
 * Every entry but CANCEL makes exactly one completion, at once or later. An entry is taken only when its completion has a
 * place in the CQ, so a thread that does not take completions only stops itself.
 *
 * CALL:   params are a single-segment message, its content pointer in the first word; results likewise, in
 *         [results_offset, + results_words_max), which may not overlap the params and belongs to the loop until the
 *         completion. Result capabilities stand behind the results as cap_t, caps_count of them, with CAP_ALL.
 *         Status: ST_OK, or why it never reached the object (BADARG STALE DENIED FULL; `more` 0), or the exception
 *         (`exception`, `more` bytes of reason at results_offset): FAILED ST_IO, OVERLOADED ST_AGAIN,
 *         DISCONNECTED ST_CLOSED, UNIMPLEMENTED ST_UNSUPPORTED.
 * RECV:   completes when a call came: method and interface, params copied to results_offset as one segment,
 *         results_words long; the content pointer's word is more >> 16, the method more & 0xffff. Its user_data names the
 *         call from there on and must be unique among the calls that the thread has received.
 * RETURN: params are the results, as in CALL. With RING_FAILED in flags: method_id is the enum exception, and
 *         [params_offset, + params_words * 8) the reason, NUL padded. ST_STALE: no such call is waiting.
 */
#define RING_FAILED 1u    /* flag of RETURN */
#define RING_CAPS_MAX 16u /* capabilities passed by one entry */

struct ring_sqe {
    uint8_t op;
    uint8_t flags; /* 0, but for RETURN */
    uint16_t method_id;
    uint32_t params_offset; /* bytes into the message area; 8-aligned: a single-segment message */
    uint32_t params_words;
    uint32_t results_offset; /* where results go, 8-aligned */
    uint32_t results_words_max;
    uint32_t caps_count; /* capabilities passed: first entries of area at caps_offset, cap_t each */
    uint32_t caps_offset;
    uint32_t reserved[3]; /* 0 */
    cap_t cap;
    uint64_t interface_id;
    uint64_t user_data;
};
_Static_assert(sizeof(struct ring_sqe) == 64, "one cache line");

struct ring_cqe {
    uint64_t user_data;
    int32_t status;     /* status_t */
    uint16_t exception; /* enum exception when `more` is not 0 and it was a CALL */
    uint16_t caps_count;
    uint32_t results_words;
    uint32_t more;         /* CALL: length of the reason text; RECV: method and place of the content pointer */
    uint64_t interface_id; /* RECV */
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

/* An object whose calls are served by whoever receives from it. */
struct endpoint {
    struct object object;  /* give it to others as any object; static: it never dies */
    struct list calls;     /* [L] struct call, waiting to be received */
    struct list receivers; /* [L] RECVs that wait for a call */
};
void endpoint_init(struct endpoint *endpoint);

/* Submits what is in the SQ and waits until at least `completions` stand in the CQ or the time is over.
 * ST_OK; ST_TIMEOUT; ST_BADARG: more completions than the CQ holds; ST_PROTO: this thread's own ring indices make no sense.
 * completions 0 never blocks; timeout_ns UINT64_MAX is for ever. The only place where a thread may block. */
status_t cap_enter(uint32_t completions, uint64_t timeout_ns) REQUIRES(THREAD);

/* The thread's side of its own ring. False: the SQ is full; cap_enter empties it. */
static inline bool ring_submit(struct ring_shared *ring, const struct ring_sqe *sqe) REQUIRES(THREAD)
{
    uint32_t tail = ring->sq_tail;

    if (tail - __atomic_load_n(&ring->sq_head, __ATOMIC_ACQUIRE) >= ring->sq_size) {
        return false;
    }
    POINT();
    ring->sq[tail & (ring->sq_size - 1)] = *sqe;
    POINT();
    __atomic_store_n(&ring->sq_tail, tail + 1, __ATOMIC_RELEASE); /* the entry is whole before the index says so */
    return true;
}

/* Takes the oldest completion. False: there is none. */
static inline bool ring_take(struct ring_shared *ring, struct ring_cqe *cqe) REQUIRES(THREAD)
{
    uint32_t head = ring->cq_head;

    if (__atomic_load_n(&ring->cq_tail, __ATOMIC_ACQUIRE) == head) {
        return false;
    }
    POINT();
    *cqe = ring->cq[head & (ring->cq_size - 1)];
    POINT();
    __atomic_store_n(&ring->cq_head, head + 1, __ATOMIC_RELEASE); /* read before its place is given back */
    return true;
}
