/* SPDX-License-Identifier: MIT OR Apache-2.0
 * virtio_net_tx.c: sending: a slot holds the header that goes before a frame, and the client's token.
 *
 *  (1) slot[i].token != NULL exactly while the frame is with the device; then slot i is the token of its chain.
 *  (2) sent() is called from the device's turn only, never from inside send.
 */
#define LOG_TAG "virtio-net"
#include "virtio_net.h"
#include "core/assert.h"
#include "core/mem.h"
#include "core/stack.h"

static void on_tx_bell(struct work *work)
{
    (void)work;
    room_assert_loop();
    virtio_notify(virtio_net_self.device, QUEUE_TX, &virtio_net_self.tx);
}

static void on_tx_again(struct work *work)
{
    (void)work;
    room_assert_loop();
    virtio_net_tx_reap();
}

bool virtio_net_tx_overdue(void)
{
    struct virtio_net *net = &virtio_net_self;

    for (uint16_t i = 0; i < net->slots; i++) {
        if (net->slot[i].token != NULL && net->slot[i].watch != net->watches) {
            return true;
        }
    }
    return false;
}

status_t virtio_net_tx_init(void)
{
    struct virtio_net *net = &virtio_net_self;
    struct dma_memory memory;

    net->slots = net->tx.size / 2; /* a chain has at least two descriptors */
    status_t s = dma_alloc(net->device->grant, &memory, sizeof(struct virtio_net_header) * net->slots);
    if (s != ST_OK) {
        return s;
    }
    net->slot = boot_alloc(sizeof(struct tx_slot) * net->slots, _Alignof(struct tx_slot));
    for (uint16_t i = 0; i < net->slots; i++) {
        net->slot[i].header = (struct virtio_net_header *)memory.cpu + i;
        net->slot[i].header_dma.value = memory.dev.value + i * sizeof(struct virtio_net_header);
        net->slot[i].next = (uint16_t)(i + 1);
    }
    work_init(&net->tx_bell, on_tx_bell);
    work_init(&net->tx_again, on_tx_again);
    return ST_OK;
}

/* Whether the frame is one that this device sends; adds up its bytes. */
static status_t frame_check(const struct netdev *netdev, const struct netdev_frame *frame)
{
    uint32_t most = (uint32_t)netdev->mtu + NETDEV_HEADER_BYTES;
    uint32_t total = 0;

    if (frame->segment_count > netdev->segments_max) {
        return ST_BADARG;
    }
    for (uint16_t i = 0; i < frame->segment_count; i++) {
        if (frame->segment[i].size == 0 || frame->segment[i].size > most - total) {
            return ST_BADARG;
        }
        total += frame->segment[i].size;
    }
    if (total < NETDEV_HEADER_BYTES) {
        return ST_BADARG;
    }
    if (!frame->checksum) {
        return ST_OK;
    }
    uint32_t end = (uint32_t)frame->checksum_start + frame->checksum_offset + 2;
    return netdev->tx_checksum && end <= total ? ST_OK : ST_BADARG;
}

static void header_fill(struct virtio_net_header *header, const struct netdev_frame *frame)
{
    *header = (struct virtio_net_header){0};
    if (frame->checksum) {
        header->flags = HEADER_NEEDS_CSUM;
        header->checksum_start = frame->checksum_start;
        header->checksum_offset = frame->checksum_offset;
    }
}

static status_t frame_submit(struct virtio_net *net, const struct netdev_frame *frame)
{
    UNINITIALIZED struct virtq_segment segment[NETDEV_SEGMENTS_MAX + 1]; /* as many are written as are passed on */
    const struct device_grant *grant = net->device->grant;

    if (net->slot_free == net->slots) {
        return ST_FULL;
    }
    struct tx_slot *slot = &net->slot[net->slot_free];
    header_fill(slot->header, frame);
    segment[0] = (struct virtq_segment){.address = slot->header_dma, .size = sizeof(struct virtio_net_header)};
    for (uint16_t i = 0; i < frame->segment_count; i++) {
        segment[i + 1] =
            (struct virtq_segment){.address = dma_lend(grant, frame->segment[i].data), .size = frame->segment[i].size};
    }
    status_t s = virtq_submit(&net->tx, segment, (uint16_t)(frame->segment_count + 1), 0, slot);
    if (s == ST_OK) {
        ASSERT(slot->token == NULL); /* (1) */
        slot->token = frame->token;
        slot->watch = net->watches;
        net->slot_free = slot->next;
    }
    return s;
}

status_t virtio_net_tx_send(struct netdev *netdev, const struct netdev_frame *frame)
{
    struct virtio_net *net = &virtio_net_self;

    room_assert_loop();
    ASSERT(netdev == &net->netdev);
    if (netdev->dead) {
        return ST_CLOSED;
    }
    status_t s = frame_check(netdev, frame);
    if (s != ST_OK) {
        return s;
    }
    s = frame_submit(net, frame);
    if (s == ST_FULL) {
        netdev->count.tx_full++;
        net->room_wanted = true;
        return s;
    }
    if (s != ST_OK) {
        return s;
    }
    netdev->count.tx_frames++;
    for (uint16_t i = 0; i < frame->segment_count; i++) {
        netdev->count.tx_bytes += frame->segment[i].size;
    }
    loop_at_turn_end(&net->tx_bell);
    return ST_OK;
}

static void slot_sent(struct tx_slot *slot) REQUIRES(LOOP)
{
    struct virtio_net *net = &virtio_net_self;
    void *token = slot->token;

    ASSERT(token != NULL); /* (1) */
    slot->token = NULL;
    slot->next = net->slot_free;
    net->slot_free = (uint16_t)(slot - net->slot);
    net->netdev.client->sent(net->netdev.client, token);
}

static void room_tell(struct virtio_net *net) REQUIRES(LOOP)
{
    struct netdev_client *client = net->netdev.client;

    if (net->room_wanted) {
        net->room_wanted = false;
        if (client->room != NULL) {
            client->room(client);
        }
    }
}

/* What has been sent, at most a ring full a turn. */
void virtio_net_tx_reap(void)
{
    struct virtio_net *net = &virtio_net_self;
    void *slot = NULL;
    uint32_t none = 0;
    unsigned count = 0;
    status_t s = ST_OK;

    if (net->device->state != VIRTIO_RUNNING) {
        return; /* it was failed between the posting and now */
    }
    while (count < net->tx.size && (s = virtq_reap(&net->tx, &slot, &none)) == ST_OK) {
        slot_sent(slot);
        count++;
    }
    if (s == ST_PROTO) {
        virtio_net_lied("transmit queue");
        return;
    }
    if (s == ST_OK || !virtq_interrupts_on(&net->tx)) {
        loop_post(&net->tx_again);
    }
    if (count != 0) {
        room_tell(net);
    }
}

void virtio_net_tx_stopped(void)
{
    struct tx_slot *slot;

    while ((slot = virtq_reclaim(&virtio_net_self.tx)) != NULL) {
        slot_sent(slot);
    }
}

void virtio_net_tx_restarted(void)
{
    room_tell(&virtio_net_self);
}
