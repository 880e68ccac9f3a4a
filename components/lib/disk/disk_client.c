/* SPDX-License-Identifier: MIT OR Apache-2.0
 * disk_client.c: blocking reads and writes that run ahead, over a thread's ring. Rules in disk_client.h and disk_io.h.
 *
 *  (1) A slot that is `out` has exactly one completion coming, with its index in user_data.
 *  (2) A write that is out is not overtaken: whoever reads or writes its block waits for it first.
 *  (3) A call that found no memory (the ring's, the service's) says nothing about the disk: it stays out, and is made again.
 */
#include "lib/disk/disk_client.h"
#include <string.h>
#include "core/assert.h"

enum method { METHOD_INFO, METHOD_READ, METHOD_WRITE, METHOD_FLUSH }; /* as disk.capnp numbers them */

#define SYNC 0u
#define PARAMS_WORDS 5u
#define CAPS_AT 48u    /* in a slot's part of the area: the one capability that is passed */
#define RESULTS_AT 64u /* and its results, or the reason */
#define RESULTS_WORDS ((DISK_CLIENT_SLOT_BYTES - RESULTS_AT) / 8)
#define SECTOR 512u
#define SECTORS (DISK_BLOCK_BYTES / SECTOR)
_Static_assert(PARAMS_WORDS * 8 <= CAPS_AT, "params end before the capability");

static uint32_t area_of(const struct disk_client *client, uint32_t slot)
{
    return client->config.area_offset + slot * DISK_CLIENT_SLOT_BYTES;
}

static unsigned char *area_at(const struct disk_client *client, uint32_t slot)
{
    return (unsigned char *)client->config.ring->area + area_of(client, slot);
}

/* Where in the region a slot's data stands: the read's blocks first. */
static uint64_t memory_of(uint32_t slot)
{
    return slot == SYNC ? 0 : (uint64_t)(DISK_CLIENT_READ_MAX + slot - 1) * DISK_BLOCK_BYTES;
}

/* Builds the params once: calls change numbers in them only. */
static void slot_init(struct disk_client *client, uint32_t i)
{
    struct disk_slot *slot = &client->slot[i];
    uint64_t *words = (uint64_t *)(void *)area_at(client, i);

    capnp_message_build(&slot->message, &slot->segment, words, PARAMS_WORDS, NULL, 0);
    slot->params = block_device_read_params_init(capnp_root(&slot->message));
    capnp_set_cap_index(capnp_slot(slot->params.s, 0), 0);
    memcpy(area_at(client, i) + CAPS_AT, &client->config.region, sizeof client->config.region);
    ASSERT(!slot->message.failed && slot->segment.used == PARAMS_WORDS);
}

/* --- calls and completions ------------------------------------------------------------------------------------------- */

static void completion(struct disk_client *client, const struct ring_cqe *cqe)
{
    uint64_t i = cqe->user_data - DISK_CLIENT_TAG;

    if (i >= DISK_CLIENT_SLOTS) {
        ASSERT(client->config.other != NULL);
        client->config.other(client->config.context, cqe);
        return;
    }
    struct disk_slot *slot = &client->slot[i];
    ASSERT(slot->out && !slot->again);                               /* (1) */
    slot->again = cqe->status == ST_AGAIN || cqe->status == ST_FULL; /* (3) */
    if (slot->again) {
        return;
    }
    slot->out = false;
    slot->status = (status_t)cqe->status;
    if (i != SYNC && slot->status != ST_OK) {
        client->failed = slot->status;
    }
}

/* False: the ring is full. */
static bool submit(struct disk_client *client, uint32_t slot) REQUIRES(THREAD)
{
    struct ring_sqe sqe = {.op = RING_CALL,
                           .cap = client->config.disk,
                           .interface_id = BLOCK_DEVICE_ID,
                           .method_id = client->slot[slot].method,
                           .params_offset = area_of(client, slot),
                           .params_words = PARAMS_WORDS,
                           .results_offset = area_of(client, slot) + RESULTS_AT,
                           .results_words_max = RESULTS_WORDS,
                           .caps_count = 1,
                           .caps_offset = area_of(client, slot) + CAPS_AT,
                           .user_data = DISK_CLIENT_TAG + slot};

    return ring_submit(client->config.ring, &sqe);
}

/* (3) */
static void submit_again(struct disk_client *client) REQUIRES(THREAD)
{
    for (uint32_t i = 0; i < DISK_CLIENT_SLOTS; i++) {
        client->slot[i].again = client->slot[i].again && !submit(client, i);
    }
}

void disk_client_turn(struct disk_client *client, bool wait)
{
    struct ring_cqe cqe;
    status_t s = cap_enter(wait ? 1 : 0, UINT64_MAX);

    ASSERT(s == ST_OK); /* nobody but this thread writes its indices, and it never times out */
    while (ring_take(client->config.ring, &cqe)) {
        completion(client, &cqe);
    }
    submit_again(client);
}

static void wait_for(struct disk_client *client, uint32_t slot) REQUIRES(THREAD)
{
    while (client->slot[slot].out) {
        disk_client_turn(client, true);
    }
}

static void call(struct disk_client *client, uint32_t slot, uint16_t method) REQUIRES(THREAD)
{
    ASSERT(!client->slot[slot].out);
    client->slot[slot].out = true;
    client->slot[slot].method = method;
    while (!submit(client, slot)) {
        disk_client_turn(client, false);
    }
}

static void transfer(struct disk_client *client, uint32_t slot, uint16_t method, uint64_t sector, uint32_t bytes)
    REQUIRES(THREAD)
{
    struct block_device_read_params_builder params = client->slot[slot].params;

    block_device_read_params_set_sector(params, sector);
    block_device_read_params_set_bytes(params, bytes);
    block_device_read_params_set_offset(params, memory_of(slot));
    call(client, slot, method);
}

/* (2) */
static void wait_for_writes(struct disk_client *client, uint64_t block, uint64_t count) REQUIRES(THREAD)
{
    for (uint32_t i = 1; i < DISK_CLIENT_SLOTS; i++) {
        if (client->slot[i].out && client->slot[i].block - block < count) {
            wait_for(client, i);
        }
    }
}

static status_t failure(struct disk_client *client)
{
    status_t s = client->failed;

    client->failed = ST_OK;
    return s;
}

/* --- disk_io --------------------------------------------------------------------------------------------------------- */

static struct disk_client *client_of(struct disk_io *io)
{
    return CONTAINER_OF(io, struct disk_client, io);
}

status_t disk_client_read(struct disk_client *client, uint64_t sector, uint32_t sectors, void *data)
{
    const uint32_t most = DISK_CLIENT_READ_MAX * SECTORS;

    if (sector > client->sectors || sectors > client->sectors - sector) {
        return ST_RANGE;
    }
    for (uint32_t done = 0; done < sectors;) {
        uint32_t part = sectors - done < most ? sectors - done : most;
        transfer(client, SYNC, METHOD_READ, sector + done, part * SECTOR);
        wait_for(client, SYNC);
        if (client->slot[SYNC].status != ST_OK) {
            return client->slot[SYNC].status;
        }
        memcpy((unsigned char *)data + (size_t)done * SECTOR, client->config.memory->base, (size_t)part * SECTOR);
        done += part;
    }
    return ST_OK;
}

static status_t client_read(struct disk_io *io, uint64_t block, uint32_t count, void *data)
{
    room_assert_thread();
    struct disk_client *client = client_of(io);

    wait_for_writes(client, block, count);
    return disk_client_read(client, block * SECTORS, count * SECTORS, data);
}

static uint32_t slot_to_write(struct disk_client *client) REQUIRES(THREAD)
{
    for (;;) {
        for (uint32_t i = 1; i <= client->writes_max; i++) {
            if (!client->slot[i].out) {
                return i;
            }
        }
        disk_client_turn(client, true);
    }
}

static status_t client_write(struct disk_io *io, uint64_t block, const void *data)
{
    room_assert_thread();
    struct disk_client *client = client_of(io);

    wait_for_writes(client, block, 1);
    uint32_t slot = slot_to_write(client);
    client->slot[slot].block = block;
    memcpy(client->config.memory->base + memory_of(slot), data, DISK_BLOCK_BYTES);
    transfer(client, slot, METHOD_WRITE, block * SECTORS, DISK_BLOCK_BYTES);
    return failure(client);
}

static status_t client_flush(struct disk_io *io)
{
    room_assert_thread();
    struct disk_client *client = client_of(io);

    for (uint32_t i = 1; i < DISK_CLIENT_SLOTS; i++) {
        wait_for(client, i);
    }
    status_t s = failure(client);
    if (s != ST_OK) {
        return s;
    }
    call(client, SYNC, METHOD_FLUSH);
    wait_for(client, SYNC);
    return client->slot[SYNC].status;
}

static status_t ask_info(struct disk_client *client) REQUIRES(THREAD)
{
    struct message message;
    struct message_segment segment;

    call(client, SYNC, METHOD_INFO);
    wait_for(client, SYNC);
    if (client->slot[SYNC].status != ST_OK) {
        return client->slot[SYNC].status;
    }
    capnp_message_read(&message, &segment, (const uint64_t *)(void *)(area_at(client, SYNC) + RESULTS_AT),
                       RESULTS_WORDS);
    struct block_device_info_results_reader info = block_device_info_results_read(capnp_root(&message));
    uint32_t depth = block_device_info_results_get_depth(info);
    uint32_t bytes_max = block_device_info_results_get_bytes_max(info);
    uint32_t logical = block_device_info_results_get_logical_bytes(info);
    client->sectors = block_device_info_results_get_sectors(info);
    client->io.blocks = client->sectors / SECTORS;
    client->logical_bytes = logical;
    client->physical_bytes = block_device_info_results_get_physical_bytes(info);
    client->writes_max = depth <= DISK_CLIENT_WRITES ? depth - 1 : DISK_CLIENT_WRITES;
    bool whole = logical >= SECTOR && logical <= DISK_BLOCK_BYTES && (logical & (logical - 1)) == 0;
    bool fits = depth >= 2 && whole && bytes_max >= DISK_CLIENT_READ_MAX * DISK_BLOCK_BYTES &&
                (client->config.reads_only || !block_device_info_results_get_read_only(info));
    return fits ? ST_OK : ST_UNSUPPORTED;
}

status_t disk_client_open(struct disk_client *client, const struct disk_client_config *config)
{
    static const struct disk_io_ops ops = {client_read, client_write, client_flush};

    ASSERT(config->memory->bytes >= DISK_CLIENT_REGION);
    ASSERT(config->area_offset % 8 == 0 && config->area_offset + DISK_CLIENT_AREA <= config->ring->area_bytes);
    ASSERT(config->ring->cq_size >= DISK_CLIENT_COMPLETIONS);
    *client = (struct disk_client){.io.ops = &ops, .config = *config};
    for (uint32_t i = 0; i < DISK_CLIENT_SLOTS; i++) {
        slot_init(client, i);
    }
    return ask_info(client);
}
