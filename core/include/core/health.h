/* SPDX-License-Identifier: MIT OR Apache-2.0
 * health.h: what a component says of itself when it serves less than it should: shown by `status`, Node.info, `capos node ls`.
 *
 * A component is well until it says otherwise. That it refuses a caller is no illness; that it can serve nobody is.
 */
#pragma once
#include "core/list.h"
#include "core/room.h"

/* Embedded in its owner. Keys: [I] fixed after BOOT  [L] the owning loop */
struct health {
    const char *component; /* [I] */
    const char *why;       /* [L] in words, its owner's text; NULL: well */
    struct list node;      /* [I] */
};

void health_add(struct health *health, const char *component) REQUIRES(BOOT);
/* `why` is kept until the next call; NULL: well again. */
void health_set(struct health *health, const char *why) REQUIRES(LOOP);
/* The first that is ill, in the order of health_add(); NULL: all are well. LOOP. */
const struct health *health_ill(void);
