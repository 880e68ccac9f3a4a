/* SPDX-License-Identifier: MIT OR Apache-2.0
 * thread.h: threads: what may block, in cap_enter only. Preempted in favour of the loop; share the CPU by one-shot slices.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "core/ring.h"
#include "core/room.h"

struct thread_config {
    const char *name;
    void (*entry)(struct ring_shared *ring,
                  void *context); /* THREAD; begins with room_assert_thread(); its return ends it */
    void *context;
    size_t stack_bytes; /* a guard page stands below */
    uint32_t sq_size, cq_size, area_bytes;
    struct cap_table *caps; /* its domain; kept */
};
struct thread;
/* From the boot arena. Runs when the loop first idles. */
struct thread *thread_new(const struct thread_config *config) REQUIRES(BOOT);
/* The caps table of a component's domain, with what the profile grants it already inside (caps.c), by name. ST_STALE. */
struct cap_table *domain_table(const char *component) REQUIRES(BOOT);
status_t domain_cap(const char *component, const char *name, cap_t *cap) REQUIRES(BOOT);
/* Puts an object of the component's own making into a domain's table (an endpoint that its thread serves). ST_FULL. */
status_t domain_give(struct cap_table *table, struct object *object, uint32_t rights, cap_t *cap) REQUIRES(BOOT);
