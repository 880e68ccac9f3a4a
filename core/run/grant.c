/* SPDX-License-Identifier: MIT OR Apache-2.0
 * grant.c: whose a device is: holding, budgets, and taking it back (core/device.h has the states).
 *
 *  (1) dma_bytes is the sum of `buffer`, interrupts is how many struct irq name this grant; neither passes the holder's budget.
 *  (2) In GONE both are 0, the memory is zeroed, and no window has the grant's generation.
 */
#include <string.h>
#include "../mem/mem_private.h"
#include "core/assert.h"
#define LOG_TAG "device"
#include "core/log.h"
#include "core/raw.h"
#include "run_private.h"

#define PAGE_BYTES 4096u

struct dma_buffer { /* what dma_alloc() gave out */
    void *cpu;
    size_t size;
    struct dma_buffer *next;
};
_Static_assert(sizeof(struct dma_buffer) <= 32 && DMA_BYTES(1) == PAGE_BYTES, "DMA_ARENA_BYTES, DMA_BYTES");

static struct list grants = {&grants, &grants};

void raw_grant_init(struct device_grant *grant, const char *where, void (*off)(struct device_grant *grant))
{
    *grant = (struct device_grant){.where = where, .off = off, .generation = 1};
}

void device_hold(struct device_grant *grant, void (*quiesce)(void *driver), void *driver)
{
    ASSERT(grant->state == DEVICE_FREE && quiesce != NULL);
    grant->holder = ledger_selected();
    grant->quiesce = quiesce;
    grant->driver = driver;
    grant->state = DEVICE_HELD;
    list_push_back(&grants, &grant->node);
}

status_t dma_alloc(struct device_grant *grant, struct dma_memory *memory, size_t size)
{
    if (grant->state != DEVICE_HELD) {
        return ST_CLOSED;
    }
    size_t budget = grant->holder->dma_bytes;
    size_t bytes = DMA_BYTES(size);
    if (size > budget || bytes > budget - grant->dma_bytes) {
        log_err("%s asks for %zu KiB more of device memory for %s; it has %zu of the %zu KiB of its `dma` line",
                grant->holder->name, bytes / 1024, grant->where, grant->dma_bytes / 1024, budget / 1024);
        return ST_FULL;
    }
    struct dma_buffer *buffer = boot_alloc(sizeof *buffer, _Alignof(struct dma_buffer));
    *buffer = (struct dma_buffer){
        .cpu = boot_alloc_named("device memory", bytes, PAGE_BYTES), .size = bytes, .next = grant->buffer};
    grant->buffer = buffer;
    grant->dma_bytes += bytes;
    *memory = (struct dma_memory){.cpu = buffer->cpu, .dev = dma_lend(grant, buffer->cpu), .size = bytes};
    return ST_OK;
}

dma_t dma_lend(const struct device_grant *grant, const void *p)
{
    ASSERT(device_held(grant));
    return (dma_t){plat_dma_of(p)};
}

void device_revoke(struct device_grant *grant)
{
    if (grant->state == DEVICE_HELD) {
        grant->state = DEVICE_REVOKING;
        grant->quiesce(grant->driver);
    }
}

void device_silence(struct device_grant *grant)
{
    ASSERT(device_held(grant));
    if (grant->off != NULL) {
        grant->off(grant);
    }
    irqs_close(grant);
}

void device_release(struct device_grant *grant)
{
    device_silence(grant);
    for (const struct dma_buffer *buffer = grant->buffer; buffer != NULL; buffer = buffer->next) {
        memset(buffer->cpu, 0, buffer->size);
    }
    log_info("%s: %s has it no more, %zu KiB of its memory are zeroed", grant->where, grant->holder->name,
             grant->dma_bytes / 1024);
    grant->dma_bytes = 0;
    grant->generation++;
    grant->state = DEVICE_GONE;
}

void device_grant_each(void (*each)(const struct device_grant *grant, void *context), void *context)
{
    for (struct list *at = grants.next; at != &grants; at = at->next) {
        each(CONTAINER_OF(at, struct device_grant, node), context);
    }
}
