/* SPDX-License-Identifier: MIT OR Apache-2.0
 * vat.h: Cap'n Proto RPC, level 1, both ways over byte streams (lib/stream).
 *
 * A vat gives its objects to peers and gives peers' objects to this image as `struct object`: calling one is
 * object_call(), as for any other. What a peer may reach begins with the bootstrap object and grows by what calls
 * return; nothing else here can be named from outside.
 *
 * A connection that breaks the protocol, a bound or a deadline ends alone: every call that it waits for fails
 * `disconnected`, every call that it made is cancelled, everything that it held is released, a bounded number a turn.
 */
#pragma once
#include "core/object.h"
#include "core/room.h"
#include "core/status.h"
#include "lib/stream/stream.h"
#include <stdint.h>

struct vat;
struct vat_connection;

/* Bounds; component.conf says what they mean. */
struct vat_options {
    uint32_t connections;
    uint32_t answers;              /* ids that a peer may have unfinished, a power of two */
    uint32_t live;                 /* calls of one connection that run or whose results hold capabilities */
    uint32_t live_all;             /* the same of all connections together */
    uint32_t questions;            /* calls to one peer that are out */
    uint32_t exports;              /* objects that one peer holds, a power of two */
    uint32_t imports;              /* objects of one peer that are held here, a power of two */
    uint32_t promises;             /* of all connections together */
    uint32_t small, medium, large; /* message buffers of 1,152 bytes, 72 KiB and the largest size */
    uint32_t window_bytes;         /* of messages that one connection keeps here before it is read no further */
    uint32_t stall_seconds;        /* for a whole message to come, for a lent piece to be taken */
};

/* What a connection held in total over a vat's life, and what is held now; for tests and the console. */
struct vat_usage {
    uint32_t connections, live, questions, exports, imports, promises, small, medium, large; /* now */
    uint64_t accepted, refused, aborted, calls;                                              /* ever */
};

/* From the boot arena. */
struct vat *vat_new(const struct vat_options *options) REQUIRES(BOOT);
/* What a peer's Bootstrap returns. A reference is taken, for good. None: Bootstrap fails. */
void vat_serve(struct vat *vat, struct object *bootstrap) REQUIRES(BOOT);
void vat_usage(const struct vat *vat, struct vat_usage *usage);

/* Takes a connected stream. NULL: too many connections; the stream is not touched. What is returned is good for this turn: the
 * connection goes when the peer does. */
struct vat_connection *vat_accept(struct vat *vat, struct stream *stream) REQUIRES(LOOP);
/* For a stream that is made from its client (tcp_connect): first a connection, then its stream. NULL: too many. It is the
 * caller's until vat_close(), also when the peer ends it before: then calls on it fail, and its place is not given away. */
struct vat_connection *vat_open(struct vat *vat) REQUIRES(LOOP);
void vat_attach(struct vat_connection *connection, struct stream *stream) REQUIRES(LOOP);
struct stream_client *vat_client(struct vat_connection *connection);
/* Asks the peer for its bootstrap object. The result (a reference for the caller) can be called at once. NULL: a bound
 * is reached or the connection is gone. */
struct object *vat_bootstrap(struct vat_connection *connection) REQUIRES(LOOP);
/* Ends it as if the peer had gone. Of vat_open(): exactly once, and the pointer is good no more. */
void vat_close(struct vat_connection *connection) REQUIRES(LOOP);

#define VAT_PATH_MAX 8u /* pointers to follow from a result to a capability */

/* The capability that will stand in the results of a call that is out, `count` pointer fields down; it can be called at
 * once (promise pipelining), and such calls leave before the results come. A reference for the caller. Only for a call
 * that an object of a peer has (the target came from this vat). NULL: it is not, or a bound is reached: wait for the
 * results then. */
struct object *vat_pipeline(struct call *call, const uint16_t *fields, uint32_t count) REQUIRES(LOOP);

/* A capability whose object is not known yet: calls wait in it, in order. One reference for the caller, who ends it with
 * exactly one of vat_promise_resolve (to NULL: the null capability) or vat_promise_break. NULL: too many. */
struct object *vat_promise_new(struct vat *vat) REQUIRES(LOOP);
void vat_promise_resolve(struct object *promise, struct object *target) REQUIRES(LOOP);
void vat_promise_break(struct object *promise, enum exception type, const char *reason) REQUIRES(LOOP);

/* The contract vat.v1 is `struct vat *`. */
struct vat *rpc_vat_provide_vat(void) REQUIRES(BOOT);
