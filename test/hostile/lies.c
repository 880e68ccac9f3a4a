/* SPDX-License-Identifier: MIT OR Apache-2.0
 * lies.c: the lies.
 */
#include "lies.h"
#include <string.h>
#include <time.h>

#define WAIT_MAX 24u
#define FLIP_NS 1500000u
#define STORM 3000u

static uint64_t chance(const struct vhost *vhost, uint64_t bound)
{
    return random_below(&vhost->lie->random, bound);
}

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* --- the used ring --------------------------------------------------------------------------------------------------- */

static void say(struct ring *ring, uint32_t id, uint32_t size)
{
    ring_entry(ring, ring->used_next, id, size);
    ring_index(ring, ++ring->used_next);
}

static void id_beyond(struct vhost *vhost, struct ring *ring, const struct chain *chain, uint32_t written)
{
    (void)chain;
    say(ring, (uint32_t)(ring->size + chance(vhost, UINT32_MAX - ring->size)), written);
}

/* A descriptor that is no lent chain's head. */
static void id_free(struct vhost *vhost, struct ring *ring, const struct chain *chain, uint32_t written)
{
    uint16_t start = (uint16_t)chance(vhost, ring->size);

    for (uint16_t i = 0; i < ring->size; i++) {
        uint16_t id = (uint16_t)((start + i) % ring->size);
        if (!ring->lent[id]) {
            say(ring, id, written);
            return;
        }
    }
    id_beyond(vhost, ring, chain, written);
}

static void replay(struct vhost *vhost, struct ring *ring, const struct chain *chain, uint32_t written)
{
    vhost->silent = true; /* whose that chain is now, nobody can know */
    ring_entry(ring, (uint16_t)(ring->used_next + 1), chain->head, written);
    ring_entry(ring, ring->used_next, chain->head, written);
    ring->used_next = (uint16_t)(ring->used_next + 2);
    ring_index(ring, ring->used_next);
}

static void length_beyond(struct vhost *vhost, struct ring *ring, const struct chain *chain, uint32_t written)
{
    (void)written;
    uint32_t lent = chain->writable_bytes;
    say(ring, chain->head, (uint32_t)(lent + 1 + chance(vhost, chance(vhost, 2) ? 64 : UINT32_MAX - lent - 1)));
}

/* More than can be with a device is ahead; and no later word hides that. */
static void index_jump(struct vhost *vhost, struct ring *ring, const struct chain *chain, uint32_t written)
{
    uint64_t most = 65535u - ring->size;

    vhost->silent = true;
    ring_entry(ring, ring->used_next, chain->head, written);
    ring_index(ring, (uint16_t)(ring->used_next + ring->size + 1u + chance(vhost, chance(vhost, 2) ? 4 : most)));
}

/* Further than the image may be behind: less would only take back what it has not looked at. */
static void index_back(struct vhost *vhost, struct ring *ring, const struct chain *chain, uint32_t written)
{
    (void)chain;
    (void)written;
    vhost->silent = true;
    ring_index(ring, (uint16_t)(ring->used_next - ring->size - 1u - chance(vhost, 100)));
}

static void never(struct vhost *vhost, struct ring *ring, const struct chain *chain, uint32_t written)
{
    (void)vhost;
    (void)ring;
    (void)chain;
    (void)written;
}

/* --- interrupts ------------------------------------------------------------------------------------------------------ */

static void storm(struct vhost *vhost, struct ring *ring, const struct chain *chain, uint32_t written)
{
    (void)vhost;
    for (unsigned i = 0; i < STORM; i++) {
        ring_interrupt(ring);
    }
    ring_give(ring, chain, written);
    for (unsigned i = 0; i < STORM; i++) {
        ring_interrupt(ring);
    }
}

/* --- between two reads ----------------------------------------------------------------------------------------------- */

static void flip_entry(struct vhost *vhost, struct ring *ring, const struct chain *chain, uint32_t written)
{
    uint16_t at = ring->used_next;
    uint64_t until_ns = now_ns() + FLIP_NS;
    bool id = chance(vhost, 2) != 0;
    uint32_t other =
        (uint32_t)(id ? ring->size + chance(vhost, UINT32_MAX - ring->size) : UINT32_MAX - chance(vhost, 64));

    ring_give(ring, chain, written);
    ring_interrupt(ring);
    while (now_ns() < until_ns) {
        for (unsigned i = 0; i < 64; i++) {
            ring_entry(ring, at, id && i % 2 != 0 ? other : chain->head, !id && i % 2 != 0 ? other : written);
        }
    }
}

static void flip_index(struct vhost *vhost, struct ring *ring, const struct chain *chain, uint32_t written)
{
    uint64_t until_ns = now_ns() + FLIP_NS;
    uint16_t other = (uint16_t)chance(vhost, 65536);

    vhost->silent = true;
    ring_give(ring, chain, written);
    ring_interrupt(ring);
    while (now_ns() < until_ns) {
        for (unsigned i = 0; i < 64; i++) {
            ring_index(ring, i % 2 != 0 ? other : ring->used_next);
        }
    }
    ring_index(ring, ring->used_next);
}

/* What stands with what it was given: a disk's word on how it went, a card's header before a frame. What lies further in is
 * the image's again once it is told so, and a device that can write to it can write to anything. */
static void flip_head(struct vhost *vhost, struct ring *ring, const struct chain *chain, uint32_t written)
{
    bool disk = chain->readable != 0;
    const struct piece *piece = &chain->piece[disk ? chain->count - 1 : 0];
    uint32_t size = disk ? piece->size : 12;
    uint64_t until_ns = now_ns() + FLIP_NS;

    ring_give(ring, chain, written);
    ring_interrupt(ring);
    while (now_ns() < until_ns) {
        for (unsigned i = 0; i < 64; i++) {
            piece->bytes[chance(vhost, size)] = (char)chance(vhost, 4);
        }
    }
}

/* All that it can write there but the index, which would give it away at once. */
static void scribble(struct vhost *vhost, struct ring *ring, const struct chain *chain, uint32_t written)
{
    char *desc = (char *)ring->desc;
    char *avail = (char *)ring->avail;

    for (size_t i = 0; i < ring->size * sizeof(struct desc); i++) {
        desc[i] = (char)chance(vhost, 256);
    }
    for (size_t i = 0; i < ring->size * 2u + 6; i++) {
        avail[i] = (char)chance(vhost, 256);
    }
    ring->used[0] = (uint16_t)chance(vhost, 65536);
    for (uint16_t i = 0; i < ring->size; i++) {
        ring_entry(ring, i, (uint32_t)chance(vhost, ring->size), (uint32_t)chance(vhost, 4096));
    }
    vhost->silent = true; /* it cannot serve what it spoilt itself */
    ring_give(ring, chain, written);
}

/* --- a disk's -------------------------------------------------------------------------------------------------------- */

static char *status_of(const struct chain *chain)
{
    const struct piece *last = &chain->piece[chain->count - 1];

    return last->bytes + last->size - 1;
}

/* Not this chain, but the next. */
static void later(struct vhost *vhost, struct ring *ring, const struct chain *chain, uint32_t written)
{
    vhost->lie->told = false;
    vhost->lie->wait = 0;
    ring_give(ring, chain, written);
}

/* The disk's name is asked for first; a driver may take any status but success for "it has none". */
#define NAME_BYTES 21u

static void status_strange(struct vhost *vhost, struct ring *ring, const struct chain *chain, uint32_t written)
{
    if (chain->readable == 1 && chain->writable_bytes == NAME_BYTES) {
        later(vhost, ring, chain, written);
        return;
    }
    *status_of(chain) = (char)(3 + chance(vhost, 253));
    ring_give(ring, chain, written);
}

static void status_error(struct vhost *vhost, struct ring *ring, const struct chain *chain, uint32_t written)
{
    *status_of(chain) = (char)(1 + chance(vhost, 2));
    ring_give(ring, chain, written);
}

static void data_other(struct vhost *vhost, struct ring *ring, const struct chain *chain, uint32_t written)
{
    for (unsigned i = chain->readable; i + 1 < chain->count; i++) {
        for (uint32_t at = 0; at < chain->piece[i].size; at++) {
            chain->piece[i].bytes[at] = (char)chance(vhost, 256);
        }
    }
    ring_give(ring, chain, written);
}

/* Less than was asked for, and yet all is well. Only a read can be told so: else the next is tried. */
static void data_short(struct vhost *vhost, struct ring *ring, const struct chain *chain, uint32_t written)
{
    if (chain->readable == 1 && chain->writable_bytes > 512) {
        ring_give(ring, chain, (uint32_t)chance(vhost, chain->writable_bytes - 1));
    } else {
        later(vhost, ring, chain, written);
    }
}

/* --- a card's: frames that it received ------------------------------------------------------------------------------- */

/* virtio 1.2, 5.1.6: where in the header before a frame the number of its buffers stands. */
#define BUFFERS_AT 10u

static void buffers_none(struct vhost *vhost, struct ring *ring, const struct chain *chain, uint32_t written)
{
    (void)vhost;
    memset(chain->piece[0].bytes + BUFFERS_AT, 0, 2);
    ring_give(ring, chain, written);
}

static void buffers_many(struct vhost *vhost, struct ring *ring, const struct chain *chain, uint32_t written)
{
    uint16_t count = (uint16_t)(ring->size + 1 + chance(vhost, 65535u - ring->size));

    memcpy(chain->piece[0].bytes + BUFFERS_AT, &count, sizeof count);
    ring_give(ring, chain, written);
}

static void frame_none(struct vhost *vhost, struct ring *ring, const struct chain *chain, uint32_t written)
{
    (void)written;
    ring_give(ring, chain, (uint32_t)chance(vhost, 13));
}

static void frame_tiny(struct vhost *vhost, struct ring *ring, const struct chain *chain, uint32_t written)
{
    (void)written;
    ring_give(ring, chain, 13 + (uint32_t)chance(vhost, 13));
}

/* Noise behind addresses that the image listens to. */
static void frame_noise(struct vhost *vhost, struct ring *ring, const struct chain *chain, uint32_t written)
{
    (void)written;
    uint32_t size = 12 + 15 + (uint32_t)chance(vhost, 1400);

    memset(chain->piece[0].bytes + 12, 0xff, 6);
    for (uint32_t i = 12 + 12; i < size; i++) {
        chain->piece[0].bytes[i] = (char)chance(vhost, 256);
    }
    memcpy(chain->piece[0].bytes + 12 + 12, chance(vhost, 2) ? "\x08\x00" : "\x08\x06", 2);
    chain->piece[0].bytes[12 + 14] = 0x45;
    chain->piece[0].bytes[0] = (char)chance(vhost, 4); /* sums that are said to be right */
    ring_give(ring, chain, size);
}

const struct lie_kind lie_kinds[] = {
    {"id-beyond", NULL, 0, FOUND_OUT, id_beyond},
    {"id-free", NULL, 0, FOUND_OUT, id_free},
    {"replay", NULL, 0, EITHER, replay}, /* it may have been lent again meanwhile */
    {"length-beyond", NULL, 0, FOUND_OUT, length_beyond},
    {"index-jump", NULL, 0, FOUND_OUT, index_jump},
    {"index-back", NULL, 0, FOUND_OUT, index_back},
    {"never", NULL, 0, STILL_USED, never},
    {"storm", NULL, 0, STILL_USED, storm},
    {"flip-entry", NULL, 0, EITHER, flip_entry},
    {"flip-index", NULL, 0, EITHER, flip_index},
    {"flip-head", NULL, 0, EITHER, flip_head},
    {"scribble", NULL, 0, EITHER, scribble},
    {"status-strange", "blk", 0, FOUND_OUT, status_strange},
    {"status-error", "blk", 0, STILL_USED, status_error},
    {"data-other", "blk", 0, STILL_USED, data_other},
    {"data-short", "blk", 0, FOUND_OUT, data_short},
    {"buffers-none", "net", 0, FOUND_OUT, buffers_none},
    {"buffers-many", "net", 0, FOUND_OUT, buffers_many},
    {"frame-none", "net", 0, FOUND_OUT, frame_none},
    {"frame-tiny", "net", 0, STILL_USED, frame_tiny},
    {"frame-noise", "net", 0, STILL_USED, frame_noise},
    {"sent-id-beyond", "net", 1, FOUND_OUT, id_beyond},
    {"sent-id-free", "net", 1, FOUND_OUT, id_free},
    {"sent-index-jump", "net", 1, FOUND_OUT, index_jump},
    {"sent-never", "net", 1, STILL_USED, never},
    {"sent-storm", "net", 1, STILL_USED, storm},
    {"sent-flip-entry", "net", 1, EITHER, flip_entry},
};
const unsigned lie_kind_count = sizeof lie_kinds / sizeof lie_kinds[0];

/* --- when ------------------------------------------------------------------------------------------------------------ */

static bool fits(const struct lie_kind *kind, const char *of, const char *name)
{
    return (kind->of == NULL || strcmp(kind->of, of) == 0) && (name == NULL || strcmp(kind->name, name) == 0);
}

bool lie_draw(struct lie *lie, const char *of, const char *name, struct random *random)
{
    unsigned count = 0;

    *lie = (struct lie){.random = {random_next(random)}, .wait = (unsigned)random_below(random, WAIT_MAX)};
    for (unsigned i = 0; i < lie_kind_count; i++) {
        count += fits(&lie_kinds[i], of, name);
    }
    uint64_t chosen = random_below(random, count);
    for (unsigned i = 0; i < lie_kind_count; i++) {
        if (fits(&lie_kinds[i], of, name) && chosen-- == 0) {
            lie->kind = &lie_kinds[i];
        }
    }
    return lie->kind != NULL;
}

bool lie_now(struct lie *lie, const struct ring *ring)
{
    return lie->kind != NULL && !lie->told && lie->kind->ring == ring->number && lie->wait-- == 0;
}

void lie_tell(struct vhost *vhost, struct ring *ring, const struct chain *chain, uint32_t written)
{
    vhost->lie->told = true;
    vhost->lie->kind->tell(vhost, ring, chain, written);
}
