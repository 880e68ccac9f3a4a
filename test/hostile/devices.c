/* SPDX-License-Identifier: MIT OR Apache-2.0
 * devices.c: virtio 1.2, 5.2 (block) and 5.1 (network), as much as our drivers ask for.
 */
#include "devices.h"
#include <string.h>
#include "dhcp.h"
#include "util.h"

#define F_VERSION_1 (1ull << 32)
#define F_PROTOCOL (1ull << 30) /* vhost-user's own */
#define F_EVENT_IDX (1ull << 29)

/* --- the disk -------------------------------------------------------------------------------------------------------- */

#define BLK_F_SEG_MAX (1ull << 2)
#define BLK_F_FLUSH (1ull << 9)
#define PROTOCOL_CONFIG (1ull << 9)
enum { TYPE_IN = 0, TYPE_OUT = 1, TYPE_FLUSH = 4, TYPE_GET_ID = 8 };
enum { STATUS_OK = 0, STATUS_IOERR = 1, STATUS_UNSUPPORTED = 2 };

struct header {
    uint32_t type, reserved;
    uint64_t sector;
};

void disk_init(struct vhost *vhost)
{
    static const char mark[] = "capos blank disk v1\n";
    uint64_t sectors = DISK_BYTES / 512;
    uint32_t segments = 32;

    vhost->own = sim_alloc(DISK_BYTES);
    memcpy(vhost->own, mark, sizeof mark - 1);
    memcpy(vhost->config, &sectors, sizeof sectors);
    memcpy(vhost->config + 12, &segments, sizeof segments);
}

/* The pieces from `first` to before `end`, to or from the disk. */
static unsigned char transfer(char *disk, const struct chain *chain, unsigned first, unsigned end, uint64_t sector)
{
    uint64_t at = sector * 512;

    for (unsigned i = first; i < end; i++) {
        const struct piece *piece = &chain->piece[i];
        if (sector > DISK_BYTES / 512 || piece->size > DISK_BYTES - at) {
            return STATUS_IOERR;
        }
        if (i < chain->readable) {
            memcpy(disk + at, piece->bytes, piece->size);
        } else {
            memcpy(piece->bytes, disk + at, piece->size);
        }
        at += piece->size;
    }
    return STATUS_OK;
}

static unsigned char request_do(struct vhost *vhost, const struct chain *chain, const struct header *header)
{
    switch (header->type) {
    case TYPE_IN:
        return transfer(vhost->own, chain, chain->readable, chain->count - 1, header->sector);
    case TYPE_OUT:
        return transfer(vhost->own, chain, 1, chain->readable, header->sector);
    case TYPE_FLUSH:
        return STATUS_OK;
    case TYPE_GET_ID:
        memset(chain->piece[1].bytes, 'h', chain->piece[1].size);
        return STATUS_OK;
    default:
        return STATUS_UNSUPPORTED;
    }
}

static void disk_kicked(struct vhost *vhost, struct ring *ring)
{
    struct chain chain;

    while (vhost_take(vhost, ring, &chain)) {
        struct header header;
        if (chain.readable == 0 || chain.readable == chain.count || chain.piece[0].size != sizeof header) {
            vhost->fault = "the image asked its disk for what is no request";
            return;
        }
        memcpy(&header, chain.piece[0].bytes, sizeof header);
        *chain.piece[chain.count - 1].bytes = (char)request_do(vhost, &chain, &header);
        vhost_finish(vhost, ring, &chain, chain.writable_bytes);
    }
}

const struct device_kind disk_kind = {
    .name = "blk",
    .features = F_VERSION_1 | F_PROTOCOL | F_EVENT_IDX | BLK_F_SEG_MAX | BLK_F_FLUSH,
    .protocol_features = PROTOCOL_CONFIG,
    .rings = 1,
    .kicked = disk_kicked,
};

/* --- the card -------------------------------------------------------------------------------------------------------- */

#define NET_F_MRG_RXBUF (1ull << 15)
#define NET_HEADER 12u
#define FRAME_MAX 1514u

static void frame_deliver(struct vhost *vhost, const char *frame, size_t size)
{
    struct ring *ring = &vhost->ring[0];
    struct chain chain;

    if (!ring_runs(ring) || !vhost_take(vhost, ring, &chain)) {
        return; /* the image has no room: lost, as frames are */
    }
    if (chain.readable != 0 || chain.piece[0].size < NET_HEADER + size) {
        vhost->fault = "the image gave its card a buffer that holds no frame";
        return;
    }
    memset(chain.piece[0].bytes, 0, NET_HEADER);
    chain.piece[0].bytes[10] = 1; /* one buffer */
    memcpy(chain.piece[0].bytes + NET_HEADER, frame, size);
    vhost_finish(vhost, ring, &chain, (uint32_t)(NET_HEADER + size));
}

void card_tick(struct vhost *vhost)
{
    static const unsigned char ask[60] = {
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x52, 0x54, 0,    0,    0,  1, 8, 6, /* to all, ARP */
        0,    1,    8,    0,    6,    4,    0,    1,    0x52, 0x54, 0,  0, 0, 1, /* who has ... */
        10,   9,    0,    1,    0,    0,    0,    0,    0,    0,    10, 9, 0, 10};

    frame_deliver(vhost, (const char *)ask, sizeof ask);
}

/* The frame of a chain, its header left out; gives its size. */
static size_t frame_gather(const struct chain *chain, char *frame)
{
    size_t skip = NET_HEADER;
    size_t size = 0;

    for (unsigned i = 0; i < chain->readable; i++) {
        size_t left_out = skip < chain->piece[i].size ? skip : chain->piece[i].size;
        size_t n = chain->piece[i].size - left_out;
        if (n > FRAME_MAX - size) {
            return 0;
        }
        memcpy(frame + size, chain->piece[i].bytes + left_out, n);
        skip -= left_out;
        size += n;
    }
    return size;
}

static void card_kicked(struct vhost *vhost, struct ring *ring)
{
    char frame[FRAME_MAX];
    char answer[DHCP_REPLY_MAX];
    struct chain chain;

    while (ring->number == 1 && vhost_take(vhost, ring, &chain)) {
        size_t size = frame_gather(&chain, frame);
        if (size < 14 || chain.readable != chain.count) {
            vhost->fault = "the image sent what is no frame";
            return;
        }
        vhost_finish(vhost, ring, &chain, 0);
        size_t answer_size = dhcp_answer(frame, size, DHCP_FIRST, answer);
        if (answer_size > 0) {
            frame_deliver(vhost, answer, answer_size);
        }
    }
}

const struct device_kind card_kind = {
    .name = "net",
    .features = F_VERSION_1 | F_PROTOCOL | F_EVENT_IDX | NET_F_MRG_RXBUF,
    .rings = 2,
    .kicked = card_kicked,
};
