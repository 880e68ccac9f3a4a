/* SPDX-License-Identifier: MIT OR Apache-2.0
 * cap_private.h: what core/run knows of core/cap beyond core/cap.h and core/ring.h.
 */
#pragma once
#include "core/cap.h"
#include "core/ring.h"
#include "core/room.h"

/* The loop's side of a thread's ring. What the thread may write is only looked at through here. */
struct ring;
struct ring_config {
    struct ring_shared *shared;     /* kept: sizes, sq, cq and area are filled and are the thread's memory */
    struct cap_table *caps;         /* kept */
    void (*completed)(void *owner); /* LOOP: a completion was posted outside ring_serve() */
    void *owner;
};
struct ring *ring_new(const struct ring_config *config) REQUIRES(BOOT);
/* Serves at most `most` submissions. ST_OK: nothing is left, or the CQ has no room for more; ST_AGAIN: more is left;
 * ST_PROTO: the indices make no sense, nothing was done. */
status_t ring_serve(struct ring *ring, unsigned most) REQUIRES(LOOP);
/* Completions that the thread has not taken; UINT32_MAX when its index makes no sense. */
uint32_t ring_completions(const struct ring *ring);
/* The thread is over: cancels its calls, fails those that it serves, posts nothing more. */
void ring_close(struct ring *ring) REQUIRES(LOOP);
