/* SPDX-License-Identifier: MIT OR Apache-2.0
 * blobs_service.h: what the component's capabilities share: one volume and the pools for what is under way on it.
 */
#pragma once
#include "blobs_volume.h"
#include "core/health.h"
#include "core/loop.h"
#include "core/object.h"

/* A change that a peer asked for. */
struct blobs_change {
    struct blobs_op op;
    struct call *call;
};

struct blobs_service {
    struct blobs_volume volume;
    struct object store; /* Store */
    struct object names; /* Namespace */
    struct pool changes;
    struct call *format_call; /* [L] waits for the end of a format */
    uint32_t open;            /* [L] uploads and sources */
    struct ready ready;       /* [L] held until a disk is mounted, or known not to be */
    struct health health;     /* [L] ill when it is not mounted, or takes no writes */
};
extern struct blobs_service blobs_service;

/* Fails the call when the volume is not mounted, with the reason and what to do. */
bool blobs_available(struct call *call) REQUIRES(LOOP);
/* False: that is no digest, and the call failed. */
bool blobs_digest_valid(struct call *call, const uint8_t *bytes, uint32_t size) REQUIRES(LOOP);
void blobs_fail(struct call *call, status_t status, const char *what) REQUIRES(LOOP);

/* A change for this call, or NULL and the call failed. */
struct blobs_change *blobs_change_new(struct call *call, enum blobs_record_kind kind,
                                      void (*done)(struct blobs_op *op, status_t status)) REQUIRES(LOOP);
/* Gives the change back; returns its call. */
struct call *blobs_change_end(struct blobs_op *op) REQUIRES(LOOP);

void blobs_objects_init(void) REQUIRES(BOOT);
/* New capabilities, one reference the caller's; NULL and *status on refusal. */
struct object *blobs_upload_object(uint64_t size, status_t *status) REQUIRES(LOOP);
struct object *blobs_source_object(struct blobs_blob *blob, status_t *status) REQUIRES(LOOP);

extern const struct object_ops blobs_names_ops;
