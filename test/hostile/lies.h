/* SPDX-License-Identifier: MIT OR Apache-2.0
 * lies.h: what a device says that is not so. One lie a device and boot, told once, at a moment that the seed chose.
 */
#pragma once
#include "random.h"
#include "vhost.h"

/* What must become of the device in the image. */
enum outcome {
    FOUND_OUT,  /* the driver says so, resets it and uses it no more */
    STILL_USED, /* it did nothing that a driver gives a device up for */
    EITHER,
};

struct lie_kind {
    const char *name;
    const char *of; /* "blk", "net", or NULL: any */
    unsigned ring;  /* for net: 0 what it receives, 1 what it sends */
    enum outcome outcome;
    void (*tell)(struct vhost *vhost, struct ring *ring, const struct chain *chain, uint32_t written);
};

extern const struct lie_kind lie_kinds[];
extern const unsigned lie_kind_count;

struct lie {
    const struct lie_kind *kind;
    struct random random;
    unsigned wait; /* so many chains of its ring are finished honestly before */
    bool told;
};

/* Draws one for a device of that name. `name`: that one; NULL: any. False: there is none of that name for it. */
bool lie_draw(struct lie *lie, const char *of, const char *name, struct random *random);
/* The moment is here; to be asked for each chain. */
bool lie_now(struct lie *lie, const struct ring *ring);
void lie_tell(struct vhost *vhost, struct ring *ring, const struct chain *chain, uint32_t written);
