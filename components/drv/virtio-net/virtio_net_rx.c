/* SPDX-License-Identifier: MIT OR Apache-2.0
 * virtio_net_rx.c: receiving: buffers to the device, frames to the client, buffers back.
 *
 *        fill                 reap: a frame            release
 *   DRIVER ------> DEVICE ------------------> CLIENT -----------> DRIVER
 *      ^-------------'  (dropped: too short)
 *
 *  (1) A buffer is in exactly one place. Only DRIVER buffers are submitted, only DEVICE ones come out of the queue.
 *  (2) The header that the device wrote is read once, checked, then used. The bytes behind it are a stranger's, and the
 *      client knows.
 *  (3) A frame of several buffers is whole in the used ring when its first buffer is there (virtio 1.2, 5.1.6.4.1).
 */
#define LOG_TAG "virtio-net"
#include "virtio_net.h"
#include "core/assert.h"
#include "core/mem.h"

static void on_rx_again(struct work *work)
{
    (void)work;
    room_assert_loop();
    virtio_net_rx_reap();
}

static void on_rx_bell(struct work *work)
{
    (void)work;
    room_assert_loop();
    virtio_notify(virtio_net_self.device, QUEUE_RX, &virtio_net_self.rx);
}

_Static_assert(VIRTIO_NET_MEMORY_BYTES >=
                   VIRTIO_QUEUE_ARENA_BYTES(VIRTIO_NET_RX_RING_SIZE) +
                       VIRTIO_QUEUE_ARENA_BYTES(VIRTIO_NET_TX_RING_SIZE) +
                       DMA_ARENA_BYTES(VIRTIO_NET_RX_BUFFERS * RX_BUFFER_BYTES) +
                       VIRTIO_NET_RX_BUFFERS * sizeof(struct rx_buffer) +
                       DMA_ARENA_BYTES(VIRTIO_NET_TX_RING_SIZE / 2 * sizeof(struct virtio_net_header)) +
                       VIRTIO_NET_TX_RING_SIZE / 2 * sizeof(struct tx_slot),
               "the `memory` line of component.conf says less than is taken");

status_t virtio_net_rx_init(void)
{
    struct virtio_net *net = &virtio_net_self;
    struct dma_memory memory;

    status_t s = dma_alloc(net->device->grant, &memory, (size_t)VIRTIO_NET_RX_BUFFERS * RX_BUFFER_BYTES);
    if (s != ST_OK) {
        return s;
    }
    net->buffer = boot_alloc(sizeof(struct rx_buffer) * VIRTIO_NET_RX_BUFFERS, _Alignof(struct rx_buffer));
    list_init(&net->idle);
    work_init(&net->rx_again, on_rx_again);
    work_init(&net->rx_bell, on_rx_bell);
    for (size_t i = 0; i < VIRTIO_NET_RX_BUFFERS; i++) {
        struct rx_buffer *buffer = &net->buffer[i];
        buffer->memory = (uint8_t *)memory.cpu + i * RX_BUFFER_BYTES;
        buffer->dma.value = memory.dev.value + i * RX_BUFFER_BYTES;
        buffer->place = RX_WITH_DRIVER;
        list_push_back(&net->idle, &buffer->node);
    }
    net->netdev.rx_buffers = VIRTIO_NET_RX_BUFFERS;
    net->netdev.rx_buffer_bytes = RX_BUFFER_BYTES - (uint32_t)sizeof(struct virtio_net_header);
    return ST_OK;
}

_Static_assert(VIRTIO_NET_DMA_BYTES >= VIRTIO_QUEUE_DMA_BYTES(VIRTIO_NET_RX_RING_SIZE) +
                                           VIRTIO_QUEUE_DMA_BYTES(VIRTIO_NET_TX_RING_SIZE) +
                                           DMA_BYTES(VIRTIO_NET_RX_BUFFERS * RX_BUFFER_BYTES) +
                                           DMA_BYTES(VIRTIO_NET_TX_RING_SIZE / 2 * sizeof(struct virtio_net_header)),
               "the `dma` line says less than is asked for");

/* As many idle buffers as the ring takes. */
void virtio_net_rx_fill(void)
{
    struct virtio_net *net = &virtio_net_self;

    while (!list_empty(&net->idle)) {
        struct rx_buffer *buffer = CONTAINER_OF(net->idle.next, struct rx_buffer, node);
        struct virtq_segment segment = {.address = buffer->dma, .size = RX_BUFFER_BYTES};
        ASSERT(buffer->place == RX_WITH_DRIVER);
        if (virtq_submit(&net->rx, &segment, 0, 1, buffer) != ST_OK) {
            return; /* the ring is full, or the device is dead: they stay here */
        }
        list_remove(&buffer->node);
        buffer->place = RX_WITH_DEVICE;
    }
}

static void buffer_idle(struct rx_buffer *buffer) REQUIRES(LOOP)
{
    buffer->place = RX_WITH_DRIVER;
    list_push_back(&virtio_net_self.idle, &buffer->node);
    virtio_net_rx_fill();
    loop_at_turn_end(&virtio_net_self.rx_bell);
}

void virtio_net_rx_release(struct netdev *netdev, struct netbuf *netbuf)
{
    room_assert_loop();
    struct rx_buffer *buffer = CONTAINER_OF(netbuf, struct rx_buffer, netbuf);

    ASSERT(netdev == &virtio_net_self.netdev);
    ASSERT(buffer >= virtio_net_self.buffer && buffer < virtio_net_self.buffer + VIRTIO_NET_RX_BUFFERS);
    ASSERT(buffer->place == RX_WITH_CLIENT); /* (1): released twice, or never received */
    buffer_idle(buffer);
    if (netdev->dead) {
        virtio_idle(virtio_net_self.device); /* it may have waited for this one */
    }
}

static void frame_drop(struct netbuf *frame) REQUIRES(LOOP)
{
    virtio_net_self.netdev.count.rx_dropped++;
    while (frame != NULL) {
        struct netbuf *next = frame->next;
        buffer_idle(CONTAINER_OF(frame, struct rx_buffer, netbuf));
        frame = next;
    }
}

bool virtio_net_rx_busy(void)
{
    for (size_t i = 0; i < VIRTIO_NET_RX_BUFFERS; i++) {
        if (virtio_net_self.buffer[i].place == RX_WITH_CLIENT) {
            return true;
        }
    }
    return false;
}

/* One buffer out of the queue, `skip` bytes of it not the frame's. */
static status_t buffer_reap(uint32_t skip, struct rx_buffer **result) REQUIRES(LOOP)
{
    void *token = NULL;
    uint32_t written = 0;

    status_t s = virtq_reap(&virtio_net_self.rx, &token, &written);
    if (s != ST_OK) {
        return s;
    }
    struct rx_buffer *buffer = token;
    ASSERT(buffer->place == RX_WITH_DEVICE);
    buffer->place = RX_WITH_DRIVER; /* in no list: the caller has it */
    buffer->netbuf.next = NULL;
    buffer->netbuf.data = buffer->memory + skip;
    buffer->netbuf.size = written < skip ? 0 : written - skip;
    *result = buffer;
    return written <= skip ? ST_PROTO : ST_OK; /* it used a buffer and put nothing in */
}

/* The rest of a frame of `count` buffers: (3). */
static status_t frame_extend(struct netbuf *frame, uint16_t count) REQUIRES(LOOP)
{
    struct netbuf *last = frame;

    for (uint16_t i = 1; i < count; i++) {
        struct rx_buffer *buffer = NULL;
        if (buffer_reap(0, &buffer) != ST_OK) {
            return ST_PROTO;
        }
        last->next = &buffer->netbuf;
        last = &buffer->netbuf;
        frame->frame_size += buffer->netbuf.size;
    }
    return ST_OK;
}

/* ST_AGAIN: none. ST_PROTO: the device lied. */
static status_t frame_reap(struct netbuf **frame) REQUIRES(LOOP)
{
    struct rx_buffer *buffer = NULL;

    status_t s = buffer_reap(sizeof(struct virtio_net_header), &buffer);
    if (s != ST_OK) {
        return s;
    }
    const struct virtio_net_header *header = (const struct virtio_net_header *)(const void *)buffer->memory;
    uint8_t flags = __atomic_load_n(&header->flags, __ATOMIC_RELAXED);
    uint16_t count = __atomic_load_n(&header->buffers, __ATOMIC_RELAXED);
    if (!virtio_net_self.mergeable) {
        count = 1; /* the field says 1 then, and devices were seen that leave it 0 */
    }
    if (count == 0 || count > virtio_net_self.rx.size) {
        return ST_PROTO;
    }
    buffer->netbuf.frame_size = buffer->netbuf.size;
    /* A frame whose sum is still to be filled in came from this very machine: nothing has damaged it on the way. */
    buffer->netbuf.checksum_ok =
        virtio_net_self.netdev.rx_checksum && (flags & (HEADER_NEEDS_CSUM | HEADER_DATA_VALID)) != 0;
    *frame = &buffer->netbuf;
    return frame_extend(&buffer->netbuf, count);
}

static void frame_deliver(struct netbuf *frame) REQUIRES(LOOP)
{
    struct netdev *netdev = &virtio_net_self.netdev;

    if (frame->size < NETDEV_HEADER_BYTES) {
        frame_drop(frame);
        return;
    }
    netdev->count.rx_frames++;
    netdev->count.rx_bytes += frame->frame_size;
    for (struct netbuf *at = frame; at != NULL; at = at->next) {
        CONTAINER_OF(at, struct rx_buffer, netbuf)->place = RX_WITH_CLIENT;
    }
    netdev->client->receive(netdev->client, frame);
}

/* What is there, at most a turn's budget; then either an interrupt is asked for or the rest is posted. */
void virtio_net_rx_reap(void)
{
    struct virtio_net *net = &virtio_net_self;

    if (net->device->state != VIRTIO_RUNNING) {
        return; /* it was failed between the posting and now */
    }
    virtq_interrupts_off(&net->rx);
    struct netbuf *frame = NULL;
    status_t s = ST_OK;
    for (unsigned i = 0; i < RX_BUDGET && (s = frame_reap(&frame)) == ST_OK; i++) {
        frame_deliver(frame);
    }
    if (s == ST_PROTO) {
        virtio_net_lied("receive queue");
        return;
    }
    if (!list_empty(&net->idle)) {
        virtio_net_rx_fill(); /* buffers that found the ring full take the places of those that the client has now */
        loop_at_turn_end(&net->rx_bell);
    }
    if (s == ST_OK || !virtq_interrupts_on(&net->rx)) {
        loop_post(&net->rx_again);
    }
}

void virtio_net_rx_stopped(void)
{
    struct rx_buffer *buffer;

    while ((buffer = virtq_reclaim(&virtio_net_self.rx)) != NULL) {
        buffer->place = RX_WITH_DRIVER;
        list_push_back(&virtio_net_self.idle, &buffer->node);
    }
}
