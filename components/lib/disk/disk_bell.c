/* SPDX-License-Identifier: MIT OR Apache-2.0
 * disk_bell.c: a thread's endpoint beside its disk. Rules in disk_bell.h.
 */
#include "lib/disk/disk_bell.h"
#include <string.h>
#include "core/assert.h"
#include "core/thread.h"

status_t disk_bell_start(struct disk_bell *bell, const struct disk_bell_thread *thread)
{
    struct cap_table *table = domain_table(thread->domain);

    bell->memory = region_new("disk buffers", DISK_CLIENT_REGION, REGION_READ | REGION_WRITE);
    status_t s = domain_cap(thread->domain, "disk", &bell->disk);
    if (s == ST_OK) {
        s = domain_give(table, &bell->memory->object, CAP_ALL, &bell->region);
    }
    if (s == ST_OK) {
        s = domain_give(table, thread->endpoint, CAP_SERVE, &bell->serve);
    }
    if (s == ST_OK) {
        (void)thread_new(&(struct thread_config){.name = thread->name,
                                                 .entry = thread->entry,
                                                 .stack_bytes = thread->stack_bytes,
                                                 .sq_size = 32,
                                                 .cq_size = 64,
                                                 .area_bytes = DISK_CLIENT_AREA + DISK_BELL_AREA,
                                                 .caps = table});
    }
    return s;
}

struct disk_client_config disk_bell_begin(struct disk_bell *bell, struct ring_shared *ring)
{
    bell->ring = ring;
    return (struct disk_client_config){.ring = ring,
                                       .disk = bell->disk,
                                       .region = bell->region,
                                       .memory = bell->memory,
                                       .other = disk_bell_completed,
                                       .context = bell};
}

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
                                    .results_offset = DISK_CLIENT_AREA,
                                    .results_words_max = 8,
                                    .user_data = bell->number});
}

void disk_bell_answer(struct disk_bell *bell)
{
    ASSERT(bell->rang);
    bell->rang = false;
    memset((char *)bell->ring->area + DISK_CLIENT_AREA, 0, 8);
    submit(bell,
           &(struct ring_sqe){
               .op = RING_RETURN, .params_offset = DISK_CLIENT_AREA, .params_words = 1, .user_data = bell->number});
}
