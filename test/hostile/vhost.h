/* SPDX-License-Identifier: MIT OR Apache-2.0
 * vhost.h: the device's end of vhost-user (QEMU, docs/interop/vhost-user.rst) and of split virtqueues (virtio 1.2, 2.7).
 *
 *  (1) Towards QEMU this end is always honest and prompt: QEMU waits for its answers with the whole machine.
 *  (2) The image is a stranger here too: a chain that no driver may make ends the case, as its fault.
 *  (3) What is told to the image goes through vhost_finish(), where the device's lie stands in the way (lies.h).
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REGIONS_MAX 8u
#define RINGS_MAX 2u
#define RING_SIZE_MAX 1024u
#define PIECES_MAX 80u
#define CONFIG_BYTES 60u

struct desc {
    uint64_t address;
    uint32_t size;
    uint16_t flags, next;
};

struct used {
    uint32_t id, size;
};

struct region {
    uint64_t guest, user, size;
    char *memory;
    void *mapped;
    size_t mapped_size;
};

struct ring {
    unsigned number;
    uint16_t size, avail_seen, used_next;
    uint64_t user[3]; /* descriptors, used, avail: in QEMU's addresses */
    struct desc *desc;
    uint16_t *avail, *used;   /* both: flags, index, entries, event */
    int kick, call;           /* -1: none */
    bool lent[RING_SIZE_MAX]; /* heads that the device has */
    unsigned lent_count;
};

/* A chain of buffers: what is to be read comes first. */
struct chain {
    uint16_t head;
    unsigned readable, count;
    uint32_t writable_bytes;
    struct piece {
        char *bytes;
        uint32_t size;
    } piece[PIECES_MAX];
};

struct vhost;

/* What is behind a socket. */
struct device_kind {
    const char *name; /* as in "drv/virtio-NAME" */
    uint64_t features, protocol_features;
    unsigned rings;
    void (*kicked)(struct vhost *vhost, struct ring *ring); /* the image put chains there */
};

struct lie;

struct vhost {
    const struct device_kind *kind;
    int listener, fd; /* -1: none */
    uint64_t features;
    struct region region[REGIONS_MAX];
    unsigned region_count;
    struct ring ring[RINGS_MAX];
    unsigned char config[CONFIG_BYTES];
    struct lie *lie;
    void *own;         /* the kind's */
    bool silent;       /* it has said what an honest word would hide: it takes no more chains */
    const char *fault; /* of the image (2), or of QEMU; NULL: none */
};

void vhost_open(struct vhost *vhost, const struct device_kind *kind, const char *path);
void vhost_close(struct vhost *vhost);
void vhost_accept(struct vhost *vhost);
/* A message of QEMU's is there, or its end. */
void vhost_message(struct vhost *vhost);
/* The image rang. */
void vhost_kicked(struct vhost *vhost, struct ring *ring);

/* The next chain that the image made; false: none. */
bool vhost_take(struct vhost *vhost, struct ring *ring, struct chain *chain);
/* The device is through with a chain and wrote so many bytes. */
void vhost_finish(struct vhost *vhost, struct ring *ring, const struct chain *chain, uint32_t written);

/* For lies: an entry at the next place, the index, an interrupt. */
void ring_entry(struct ring *ring, uint16_t at, uint32_t id, uint32_t size);
void ring_index(struct ring *ring, uint16_t index);
void ring_interrupt(const struct ring *ring);
/* The honest end of a chain, without the interrupt. */
void ring_give(struct ring *ring, const struct chain *chain, uint32_t written);
static inline bool ring_runs(const struct ring *ring)
{
    return ring->desc != NULL && ring->kick >= 0;
}
