/* SPDX-License-Identifier: MIT OR Apache-2.0
 * engine_hash.c: how much of what comes in is hashed in one turn of the loop: SHA-256 of a chunk is the longest thing that a turn
 * does, and there may be chunks of many peers.
 *
 *  (1) All uploads together have HASH_TURN bytes a turn. Who wants more waits, in order, and those who wait come before others.
 *  (2) While somebody waits, either the end of this turn is awaited, or `go_on` is posted.
 */
#include "core/assert.h"
#include "engine.h"

#define HASH_TURN ENGINE_CHUNK_MAX

static struct {
    uint32_t left;              /* bytes, in this turn */
    struct list waiting;        /* uploads, by `hashing` */
    bool going_on;              /* the uploads that ask now have waited */
    struct work turn_end, next; /* (2) */
} self;

uint32_t engine_hash_take(struct engine_upload *u, uint32_t wanted)
{
    bool mine = self.going_on || list_empty(&self.waiting);
    uint32_t taken = !mine ? 0 : wanted < self.left ? wanted : self.left;

    self.left -= taken;
    loop_at_turn_end(&self.turn_end);
    if (taken < wanted && list_empty(&u->hashing)) {
        list_push_back(&self.waiting, &u->hashing);
    }
    return taken;
}

static void turn_ended(struct work *work)
{
    room_assert_loop();
    (void)work;
    self.left = HASH_TURN;
    if (!list_empty(&self.waiting)) {
        loop_post(&self.next);
    }
}

static void go_on(struct work *work)
{
    room_assert_loop();
    (void)work;
    self.going_on = true;
    while (self.left > 0 && !list_empty(&self.waiting)) {
        engine_upload_go_on(CONTAINER_OF(list_pop_front(&self.waiting), struct engine_upload, hashing));
    }
    self.going_on = false;
}

void engine_hash_init(void)
{
    self.left = HASH_TURN;
    list_init(&self.waiting);
    work_init(&self.turn_end, turn_ended);
    work_init(&self.next, go_on);
}
