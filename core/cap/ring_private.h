/* SPDX-License-Identifier: MIT OR Apache-2.0
 * ring_private.h: what ring.c and endpoint.c share.
 */
#pragma once
#include "cap_private.h"
#include "core/message.h"

enum slot_state {
    SLOT_FREE,    /* in ring->free */
    SLOT_CALL,    /* a CALL is out */
    SLOT_RECV,    /* waits in an endpoint */
    SLOT_SERVING, /* a received call waits for its RETURN */
};

/* What the loop keeps of an entry that is not done. Keys: [I] after ring_new  [L] the loop */
struct ring_slot {
    struct ring *ring;          /* [I] */
    struct list node;           /* [L] ring->free or endpoint->receivers */
    enum slot_state state;      /* [L] */
    uint64_t user_data;         /* [L] */
    uint32_t results_offset;    /* [L] */
    uint32_t results_words_max; /* [L] */
    struct call call;           /* [L] CALL */
    struct message params;      /* [L] CALL */
    struct message results;     /* [L] CALL */
    struct message_segment params_segment;
    struct message_segment results_segment;
    struct object *params_caps[RING_CAPS_MAX];
    struct object *results_caps[RING_CAPS_MAX];
    struct endpoint *endpoint; /* [L] RECV: referenced */
    struct call *served;       /* [L] SERVING */
};

/* Keys: [I] after ring_new  [L] the loop  [a] see struct ring_shared */
struct ring {
    struct ring_config config;  /* [I] */
    struct ring_shared *shared; /* [a] only the four indices are looked at, and only by the functions of ring.c */
    struct ring_sqe *sq;        /* [I] copies: the thread may scribble over its own */
    struct ring_cqe *cq;
    unsigned char *area;
    uint32_t sq_size;
    uint32_t cq_size;
    uint32_t area_bytes;
    uint32_t sq_head;       /* [L] the truth; the shared one is what the thread is told */
    uint32_t cq_tail;       /* [L] */
    uint32_t owed;          /* [L] completions that entries taken from the SQ will still make */
    bool serving;           /* [L] within ring_serve: the thread is looked at afterwards anyway */
    bool closed;            /* [L] */
    struct ring_slot *slot; /* [I] cq_size entries */
    struct list free;       /* [L] */
};

bool ring_area_ok(const struct ring *ring, uint32_t offset, uint64_t bytes);
/* Posts a completion that was owed. */
void ring_complete(struct ring *ring, const struct ring_cqe *cqe) REQUIRES(LOOP);
void ring_complete_status(struct ring *ring, uint64_t user_data, status_t status) REQUIRES(LOOP);
struct ring_slot *ring_slot_get(struct ring *ring, const struct ring_sqe *sqe, enum slot_state state) REQUIRES(LOOP);
void ring_slot_put(struct ring_slot *slot) REQUIRES(LOOP);
struct ring_slot *ring_slot_find(struct ring *ring, uint64_t user_data, enum slot_state state);
/* Loads the capabilities that an entry passes into caps; each is referenced. All or none. */
status_t ring_caps_load(struct ring *ring, const struct ring_sqe *sqe, struct object **caps) REQUIRES(LOOP);
/* Puts the objects' capabilities as cap_t at `offset`, where the room has been checked. All or none. */
status_t ring_caps_store(struct ring *ring, uint32_t offset, struct object *const *caps, uint16_t count) REQUIRES(LOOP);

void ring_recv(struct ring *ring, const struct ring_sqe *sqe) REQUIRES(LOOP);
void ring_return(struct ring *ring, const struct ring_sqe *sqe) REQUIRES(LOOP);
void ring_recv_cancel(struct ring_slot *slot) REQUIRES(LOOP);
