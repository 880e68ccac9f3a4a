/* SPDX-License-Identifier: MIT OR Apache-2.0
 * disk_bell.c: a thread's endpoint beside its disk. Rules in disk_bell.h.
 */
#include "lib/disk/disk_bell.h"
#include <string.h>
#include "core/assert.h"

void disk_bell_completed(void *context, const struct ring_cqe *cqe)
{
    struct disk_bell *bell = context;

    ASSERT(cqe->status == ST_OK);
    if (cqe->user_data == bell->number && bell->listening) { /* not the end of the answer before */
        bell->listening = false;
        bell->rang = true;
    }
}

static void submit(const struct disk_bell *bell, const struct ring_sqe *sqe) REQUIRES(THREAD)
{
    bool taken = ring_submit(bell->ring, sqe); /* the disk client leaves room: what waits of its is out no more */

    ASSERT(taken);
}

void disk_bell_listen(struct disk_bell *bell)
{
    if (bell->listening || bell->rang) {
        return;
    }
    bell->listening = true;
    bell->number++;
    submit(bell, &(struct ring_sqe){.op = RING_RECV,
                                    .cap = bell->serve,
                                    .results_offset = bell->area_offset,
                                    .results_words_max = 8,
                                    .user_data = bell->number});
}

void disk_bell_answer(struct disk_bell *bell)
{
    ASSERT(bell->rang);
    bell->rang = false;
    memset((char *)bell->ring->area + bell->area_offset, 0, 8);
    submit(bell,
           &(struct ring_sqe){
               .op = RING_RETURN, .params_offset = bell->area_offset, .params_words = 1, .user_data = bell->number});
}
