/* SPDX-License-Identifier: MIT OR Apache-2.0
 * netdev.h: contract netdev.v1: a network device that moves Ethernet frames, and the one client that uses it.
 *
 * Everything after netdev_attach() happens in LOOP. Callbacks come from the device's own turn, never from inside a
 * netdev_* call that the client makes: a client may send and release from any callback.
 *
 *  (1) A netbuf that `receive` got is the client's until netdev_release(), each buffer of a frame by itself and exactly
 *      once. The device receives into the buffers that it holds: a client that keeps them all starves itself.
 *  (2) The memory that netdev_send() was shown is lent until sent(token), which comes exactly once for each ST_OK, also
 *      when the device dies. sent() says that the memory is free again, not that the frame arrived anywhere.
 *  (3) What is in a frame is a stranger's. `size` and `frame_size` are facts; the bytes are allegations.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/assert.h"
#include "core/room.h"
#include "core/status.h"

#define NETDEV_HEADER_BYTES 14u /* Ethernet II: MTU does not count it */
#define NETBUF_CLIENT_BYTES 64u /* for example a pbuf_custom and a pointer */
#define NETDEV_SEGMENTS_MAX 16u /* of a frame to send, whatever the device */

struct netdev;

/* One receive buffer. Keys: [I] fixed while the client has it  [L] the client's */
struct netbuf {
    struct netbuf *next; /* [I] the rest of the frame; NULL in the last buffer */
    uint8_t *data;       /* [I] the first byte of the frame in this buffer; the client may change the bytes */
    uint32_t size;       /* [I] bytes in this buffer, never 0 */
    uint32_t frame_size; /* [I] bytes in all buffers of the frame; valid in the first only */
    bool checksum_ok;    /* [I] first only: the TCP or UDP checksum need not be looked at */
    uint64_t client[NETBUF_CLIENT_BYTES / 8]; /* [L] the client's to use; not zeroed between frames */
};

struct netdev_segment {
    const void *data; /* boot_alloc, pool, arena, DMA or static memory; never a stack */
    uint32_t size;    /* not 0 */
};

/* A frame to send, Ethernet header first. The struct and the array are borrowed for the call; the bytes are lent. */
struct netdev_frame {
    const struct netdev_segment *segment;
    uint16_t segment_count;   /* 1..netdev.segments_max */
    bool checksum;            /* fill in a 16-bit one's-complement sum: needs netdev.tx_checksum */
    uint16_t checksum_start;  /* first byte that is summed, from the start of the frame */
    uint16_t checksum_offset; /* where the sum goes, from checksum_start; the pseudo-header sum stands there already */
    void *token;              /* not NULL; comes back in sent() */
};

struct netdev_client {
    void (*receive)(struct netdev_client *client, struct netbuf *frame); /* given: (1) */
    void (*sent)(struct netdev_client *client, void *token);             /* (2) */
    void (*room)(struct netdev_client *client); /* once after an ST_FULL: sending may succeed again. May be NULL */
    void (*link)(struct netdev_client *client,
                 bool up); /* changed; also false when the device died, true when it is back */
};

struct netdev_ops {
    status_t (*send)(struct netdev *device, const struct netdev_frame *frame);
    void (*release)(struct netdev *device, struct netbuf *buffer);
    void (*attached)(struct netdev *device); /* BOOT: client is set, receiving may begin */
    void (*revoke)(struct netdev *device);
};

struct netdev_counters {
    uint64_t rx_frames, rx_bytes, rx_dropped; /* dropped: too short, too long, or without a client */
    uint64_t tx_frames, tx_bytes, tx_full;
    uint64_t broken_rules; /* times that the device said something untrue */
    uint64_t overdue;      /* times that it was reset because it did not send, or had stopped */
};

/* Filled by the driver before it is provided. Keys: [I] fixed after init  [L] the owning loop only */
struct netdev {
    const struct netdev_ops *ops; /* [I] called only by the wrappers below */
    const char *name;             /* [I] "net0" */
    uint8_t mac[6];               /* [I] */
    uint16_t mtu;                 /* [I] bytes after the Ethernet header */
    uint16_t segments_max;        /* [I] of a frame to send, at most NETDEV_SEGMENTS_MAX */
    bool tx_checksum;             /* [I] netdev_frame.checksum may be set */
    bool rx_checksum;             /* [I] netbuf.checksum_ok may come true */
    uint32_t rx_buffers;          /* [I] how many netbufs there are, for sizing windows */
    uint32_t rx_buffer_bytes;     /* [I] frame bytes that one netbuf holds at most */
    bool link_up;                 /* [L] */
    bool dead;                    /* [L] until link(true); netdev_send() answers ST_CLOSED */
    struct netdev_client *client; /* [I] after netdev_attach */
    struct netdev_counters count; /* [L] */
};

/* Kept: the client lives as long as the image. Once per device. */
static inline void netdev_attach(struct netdev *device, struct netdev_client *client) REQUIRES(BOOT)
{
    ASSERT(device->client == NULL);
    ASSERT(client->receive != NULL && client->sent != NULL && client->link != NULL);
    device->client = client;
    device->ops->attached(device);
}

/* Lends the frame. ST_FULL: nothing happened, room() follows. ST_BADARG: too many segments, too long, or a checksum that
 * this device does not do. ST_CLOSED: the device is dead. The doorbell rings once at the end of the turn. */
static inline status_t netdev_send(struct netdev *device, const struct netdev_frame *frame) REQUIRES(LOOP)
{
    ASSERT(frame->token != NULL && frame->segment_count > 0);
    return device->ops->send(device, frame);
}

/* Gives one buffer back to the device it came from. */
static inline void netdev_release(struct netdev *device, struct netbuf *buffer) REQUIRES(LOOP)
{
    device->ops->release(device, buffer);
}

/* Takes the card away for good: ST_CLOSED from here on. It is reset (quiesce); when it confirmed that, or is gone, frames that were
 * out come back by sent(), and link(false) comes. When the client has released its last netbuf, the driver's memory for the
 * device is zeroed (scrub). */
static inline void netdev_revoke(struct netdev *device) REQUIRES(LOOP)
{
    device->ops->revoke(device);
}
