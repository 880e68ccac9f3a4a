/* SPDX-License-Identifier: MIT OR Apache-2.0
 * virtio_net.h: what the files of this driver share: its one state.
 */
#pragma once
#include "config.h"
#include "core/device.h"
#include "core/health.h"
#include "core/list.h"
#include "core/loop.h"
#include "core/room.h"
#include "lib/netdev/netdev.h"
#include "lib/virtio/virtio.h"

enum { QUEUE_RX = 0, QUEUE_TX = 1, QUEUES = 2 }; /* virtio 1.2, 5.1.2 */

/* virtio 1.2, 5.1.3 */
#define NET_F_CSUM (1ull << 0)
#define NET_F_GUEST_CSUM (1ull << 1)
#define NET_F_MTU (1ull << 3)
#define NET_F_MAC (1ull << 5)
#define NET_F_MRG_RXBUF (1ull << 15)
#define NET_F_STATUS (1ull << 16)

struct virtio_net_header { /* virtio 1.2, 5.1.6; with VERSION_1 always of this size */
    uint8_t flags;
    uint8_t gso_type;
    uint16_t header_length;
    uint16_t gso_size;
    uint16_t checksum_start;
    uint16_t checksum_offset;
    uint16_t buffers;
};
_Static_assert(sizeof(struct virtio_net_header) == 12, "virtio 1.2, 5.1.6");
enum { HEADER_NEEDS_CSUM = 1, HEADER_DATA_VALID = 2 };

#define RX_BUFFER_BYTES 2048u
#define RX_BUDGET 64u /* frames a turn */

enum rx_place { RX_WITH_DRIVER, RX_WITH_DEVICE, RX_WITH_CLIENT };

/* Keys: [I] fixed after BOOT  [L] the owning loop only */
struct rx_buffer {
    struct netbuf netbuf; /* first: netdev_release() gets it back */
    uint8_t *memory;      /* [I] RX_BUFFER_BYTES that the device writes */
    dma_t dma;            /* [I] */
    enum rx_place place;  /* [L] */
    struct list node;     /* [L] in `idle` while with the driver */
};

struct tx_slot {
    struct virtio_net_header *header; /* [I] DMA memory */
    dma_t header_dma;                 /* [I] */
    void *token;                      /* [L] the client's; NULL: free */
    uint32_t watch;                   /* [L] virtio_net.watches when the device got it */
    uint16_t next;                    /* [L] of the free list */
};

struct virtio_net {
    struct virtio_bus *bus;       /* [I] */
    struct virtio_device *device; /* [I] */
    struct netdev netdev;
    bool mergeable; /* [I] */

    struct virtq rx;          /* [L] */
    struct rx_buffer *buffer; /* [I] VIRTIO_NET_RX_BUFFERS entries */
    struct list idle;         /* [L] with the driver because the ring was full */
    struct work rx_again;     /* [L] more may have come, and no interrupt will say so */
    struct work rx_bell;      /* [L] at turn end: buffers were given back */

    struct virtq tx;      /* [L] */
    struct tx_slot *slot; /* [I] slots entries */
    uint16_t slots;       /* [I] */
    uint16_t slot_free;   /* [L] head of the free list; == slots: none */
    bool room_wanted;     /* [L] somebody got ST_FULL */
    struct work tx_bell;  /* [L] at turn end: frames were submitted */
    struct work tx_again; /* [L] more may have been sent, and no interrupt will say so */

    struct timer watch;         /* [L] armed while the device runs */
    uint32_t watches;           /* [L] how often it fired */
    uint64_t watched_rx_frames; /* [L] netdev.count.rx_frames when it last did */
    struct health health;       /* [L] */
};
extern struct virtio_net virtio_net_self;

/* The device is of no use as it is: it is reset, and used again when it is back. */
void virtio_net_die(const char *why) REQUIRES(LOOP);
/* The same because what it said was untrue, which is counted. */
void virtio_net_lied(const char *what) REQUIRES(LOOP);

status_t virtio_net_rx_init(void) REQUIRES(BOOT);
void virtio_net_rx_fill(void);
void virtio_net_rx_reap(void) REQUIRES(LOOP);
void virtio_net_rx_stopped(void) REQUIRES(LOOP);
/* Whether the client has buffers. */
bool virtio_net_rx_busy(void);
void virtio_net_rx_release(struct netdev *netdev, struct netbuf *netbuf); /* LOOP */

status_t virtio_net_tx_init(void) REQUIRES(BOOT);
status_t virtio_net_tx_send(struct netdev *netdev, const struct netdev_frame *frame); /* LOOP */
void virtio_net_tx_reap(void) REQUIRES(LOOP);
/* Whether the device has had a frame since before the last watch. */
bool virtio_net_tx_overdue(void);
void virtio_net_tx_stopped(void) REQUIRES(LOOP);
void virtio_net_tx_restarted(void) REQUIRES(LOOP);
