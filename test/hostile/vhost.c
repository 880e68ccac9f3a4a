/* SPDX-License-Identifier: MIT OR Apache-2.0
 * vhost.c: messages of QEMU's, and rings in the image's memory.
 */
#include "vhost.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "lies.h"
#include "util.h"

enum request {
    GET_FEATURES = 1,
    SET_FEATURES = 2,
    SET_OWNER = 3,
    SET_MEM_TABLE = 5,
    SET_VRING_NUM = 8,
    SET_VRING_ADDR = 9,
    SET_VRING_BASE = 10,
    GET_VRING_BASE = 11,
    SET_VRING_KICK = 12,
    SET_VRING_CALL = 13,
    SET_VRING_ERR = 14,
    GET_PROTOCOL_FEATURES = 15,
    SET_PROTOCOL_FEATURES = 16,
    SET_VRING_ENABLE = 18,
    GET_CONFIG = 24,
    SET_CONFIG = 25,
};
#define FLAG_VERSION 1u
#define FLAG_REPLY 4u
#define NO_FD 0x100u

enum { RING_INDEX = 1, RING_ENTRIES = 2 };
enum { DESC_NEXT = 1, DESC_WRITE = 2 };

struct message {
    uint32_t request, flags, size;
    union {
        uint64_t u64;
        struct {
            uint32_t index, number;
        } ring;
        struct {
            uint32_t index, flags;
            uint64_t desc, used, avail, log;
        } address;
        struct {
            uint32_t count, padding;
            struct {
                uint64_t guest, size, user, offset;
            } region[REGIONS_MAX];
        } memory;
        struct {
            uint32_t offset, size, flags;
            unsigned char bytes[256];
        } config;
    } body;
} __attribute__((packed));
#define HEADER_BYTES 12u

static void fault(struct vhost *vhost, const char *what)
{
    if (vhost->fault == NULL) {
        vhost->fault = what;
    }
}

/* --- sockets --------------------------------------------------------------------------------------------------------- */

static void fd_drop(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
    }
    *fd = -1;
}

void vhost_open(struct vhost *vhost, const struct device_kind *kind, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    *vhost = (struct vhost){.kind = kind, .fd = -1};
    for (unsigned i = 0; i < RINGS_MAX; i++) {
        vhost->ring[i] = (struct ring){.number = i, .kick = -1, .call = -1};
    }
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    vhost->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)unlink(path);
    if (vhost->listener < 0 || bind(vhost->listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(vhost->listener, 1) != 0) {
        sim_fail("%s: %s", path, strerror(errno));
    }
}

void vhost_accept(struct vhost *vhost)
{
    vhost->fd = accept4(vhost->listener, NULL, NULL, SOCK_CLOEXEC);
    fd_drop(&vhost->listener);
}

static void memory_drop(struct vhost *vhost)
{
    for (unsigned i = 0; i < vhost->region_count; i++) {
        munmap(vhost->region[i].mapped, vhost->region[i].mapped_size);
    }
    vhost->region_count = 0;
}

static void ring_stop(struct ring *ring)
{
    fd_drop(&ring->kick);
    fd_drop(&ring->call);
    ring->desc = NULL;
    memset(ring->lent, 0, sizeof ring->lent);
    ring->lent_count = 0;
}

void vhost_close(struct vhost *vhost)
{
    for (unsigned i = 0; i < RINGS_MAX; i++) {
        ring_stop(&vhost->ring[i]);
    }
    memory_drop(vhost);
    fd_drop(&vhost->fd);
    fd_drop(&vhost->listener);
}

/* --- the image's memory ---------------------------------------------------------------------------------------------- */

static void memory_set(struct vhost *vhost, const struct message *message, int *fds, unsigned fd_count)
{
    memory_drop(vhost);
    if (message->body.memory.count > REGIONS_MAX || message->body.memory.count != fd_count) {
        fault(vhost, "QEMU: a memory table that is none");
        return;
    }
    for (unsigned i = 0; i < fd_count; i++) {
        uint64_t offset = message->body.memory.region[i].offset;
        struct region region = {.guest = message->body.memory.region[i].guest,
                                .user = message->body.memory.region[i].user,
                                .size = message->body.memory.region[i].size,
                                .mapped_size = message->body.memory.region[i].size + offset};
        region.mapped = mmap(NULL, region.mapped_size, PROT_READ | PROT_WRITE, MAP_SHARED, fds[i], 0);
        if (region.mapped == MAP_FAILED) {
            sim_fail("the image's memory cannot be mapped: %s", strerror(errno));
        }
        region.memory = (char *)region.mapped + offset;
        vhost->region[vhost->region_count++] = region;
    }
}

/* `user`: an address of QEMU's, else of the image's. NULL: not all of it is memory. */
static void *memory_at(const struct vhost *vhost, bool user, uint64_t address, uint64_t size)
{
    for (unsigned i = 0; i < vhost->region_count; i++) {
        const struct region *region = &vhost->region[i];
        uint64_t offset = address - (user ? region->user : region->guest);
        if (offset < region->size && size <= region->size - offset) {
            return region->memory + offset;
        }
    }
    return NULL;
}

static void ring_map(struct vhost *vhost, struct ring *ring)
{
    size_t size = ring->size;

    ring->desc = memory_at(vhost, true, ring->user[0], size * sizeof(struct desc));
    ring->used = memory_at(vhost, true, ring->user[1], size * sizeof(struct used) + 6);
    ring->avail = memory_at(vhost, true, ring->user[2], size * 2 + 6);
    if (ring->desc == NULL || ring->used == NULL || ring->avail == NULL || size == 0 || size > RING_SIZE_MAX) {
        ring->desc = NULL;
        fault(vhost, "a ring that is not in memory");
        return;
    }
    ring->used_next = __atomic_load_n(&ring->used[RING_INDEX], __ATOMIC_RELAXED);
}

/* --- messages -------------------------------------------------------------------------------------------------------- */

static void reply(const struct vhost *vhost, struct message *message, uint32_t size)
{
    message->flags = FLAG_VERSION | FLAG_REPLY;
    message->size = size;
    if (send(vhost->fd, message, HEADER_BYTES + size, MSG_NOSIGNAL) < 0 && errno != EPIPE) {
        sim_fail("vhost: %s", strerror(errno));
    }
}

static void config_get(const struct vhost *vhost, struct message *message)
{
    uint32_t offset = message->body.config.offset;
    uint32_t size = message->body.config.size;

    if (size > sizeof message->body.config.bytes || offset > CONFIG_BYTES || size > CONFIG_BYTES - offset) {
        message->body.config.size = 0;
        reply(vhost, message, 12);
        return;
    }
    memcpy(message->body.config.bytes, vhost->config + offset, size);
    reply(vhost, message, 12 + size);
}

static void fd_set_to(int *place, const struct message *message, int *fds, unsigned *fd_count)
{
    fd_drop(place);
    if ((message->body.u64 & NO_FD) == 0 && *fd_count == 1) {
        *place = fds[0];
        *fd_count = 0;
    }
}

static void ring_message(struct vhost *vhost, struct message *message, int *fds, unsigned *fd_count)
{
    struct ring *ring = &vhost->ring[message->body.ring.index & 0xff & (RINGS_MAX - 1)];

    switch (message->request) {
    case SET_VRING_NUM:
        ring->size = (uint16_t)message->body.ring.number;
        return;
    case SET_VRING_ADDR:
        ring->user[0] = message->body.address.desc;
        ring->user[1] = message->body.address.used;
        ring->user[2] = message->body.address.avail;
        ring_map(vhost, ring);
        return;
    case SET_VRING_BASE:
        ring->avail_seen = (uint16_t)message->body.ring.number;
        return;
    case GET_VRING_BASE:
        message->body.ring.number = ring->avail_seen;
        ring_stop(ring);
        reply(vhost, message, 8);
        return;
    case SET_VRING_CALL:
        fd_set_to(&ring->call, message, fds, fd_count);
        ring_interrupt(ring); /* what was said to the one before may be lost: QEMU's libvhost-user does the same */
        return;
    default:
        fd_set_to(&ring->kick, message, fds, fd_count);
        vhost_kicked(vhost, ring); /* it may have rung before */
        return;
    }
}

static void message_take(struct vhost *vhost, struct message *message, int *fds, unsigned *fd_count)
{
    switch (message->request) {
    case GET_FEATURES:
        message->body.u64 = vhost->kind->features;
        reply(vhost, message, 8);
        return;
    case GET_PROTOCOL_FEATURES:
        message->body.u64 = vhost->kind->protocol_features;
        reply(vhost, message, 8);
        return;
    case SET_FEATURES:
        vhost->features = message->body.u64;
        return;
    case SET_MEM_TABLE:
        memory_set(vhost, message, fds, *fd_count);
        return;
    case SET_VRING_NUM:
    case SET_VRING_ADDR:
    case SET_VRING_BASE:
    case GET_VRING_BASE:
    case SET_VRING_CALL:
    case SET_VRING_KICK:
        ring_message(vhost, message, fds, fd_count);
        return;
    case GET_CONFIG:
        config_get(vhost, message);
        return;
    case SET_OWNER:
    case SET_VRING_ERR:
    case SET_PROTOCOL_FEATURES:
    case SET_VRING_ENABLE:
    case SET_CONFIG:
        return;
    default:
        fault(vhost, "QEMU: a request that was not agreed upon");
    }
}

static void body_receive(struct vhost *vhost, struct message *message)
{
    char *to = (char *)&message->body;
    size_t left = message->size;

    if (left > sizeof message->body) {
        sim_fail("vhost: request %u has %u bytes", message->request, message->size);
    }
    while (left > 0) {
        ssize_t n = recv(vhost->fd, to, left, 0);
        if (n <= 0) {
            return;
        }
        to += n;
        left -= (size_t)n;
    }
}

/* The header comes alone with the descriptors; false: QEMU is gone. */
static bool header_receive(const struct vhost *vhost, struct message *message, int *fds, unsigned *fd_count)
{
    char control[CMSG_SPACE(sizeof(int) * REGIONS_MAX)];
    struct iovec part = {.iov_base = message, .iov_len = HEADER_BYTES};
    struct msghdr header = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};

    if (recvmsg(vhost->fd, &header, MSG_CMSG_CLOEXEC | MSG_WAITALL) != (ssize_t)HEADER_BYTES) {
        return false;
    }
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&header); c != NULL; c = CMSG_NXTHDR(&header, c)) {
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
            *fd_count = (unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
            memcpy(fds, CMSG_DATA(c), *fd_count * sizeof(int));
        }
    }
    return true;
}

void vhost_message(struct vhost *vhost)
{
    struct message message = {0};
    int fds[REGIONS_MAX];
    unsigned fd_count = 0;

    if (!header_receive(vhost, &message, fds, &fd_count)) {
        vhost_close(vhost);
        return;
    }
    body_receive(vhost, &message);
    message_take(vhost, &message, fds, &fd_count);
    for (unsigned i = 0; i < fd_count; i++) {
        close(fds[i]);
    }
}

/* --- rings ----------------------------------------------------------------------------------------------------------- */

void vhost_kicked(struct vhost *vhost, struct ring *ring)
{
    uint64_t times;

    if (ring->kick >= 0 && read(ring->kick, &times, sizeof times) < 0 && errno != EAGAIN) {
        sim_fail("vhost: kick: %s", strerror(errno));
    }
    if (ring_runs(ring)) {
        vhost->kind->kicked(vhost, ring);
    }
}

/* (2) */
static bool chain_read(struct vhost *vhost, const struct ring *ring, struct chain *chain)
{
    uint16_t at = chain->head;
    bool more = true;

    while (more) {
        if (at >= ring->size || chain->count == PIECES_MAX || chain->count == ring->size) {
            return false;
        }
        struct desc desc = ring->desc[at];
        char *bytes = memory_at(vhost, false, desc.address, desc.size);
        bool writable = (desc.flags & DESC_WRITE) != 0;
        if (bytes == NULL || desc.size == 0 || (!writable && chain->readable != chain->count)) {
            return false;
        }
        chain->readable += !writable;
        chain->writable_bytes += writable ? desc.size : 0;
        chain->piece[chain->count++] = (struct piece){bytes, desc.size};
        more = (desc.flags & DESC_NEXT) != 0;
        at = desc.next;
    }
    return true;
}

bool vhost_take(struct vhost *vhost, struct ring *ring, struct chain *chain)
{
    uint16_t there = __atomic_load_n(&ring->avail[RING_INDEX], __ATOMIC_ACQUIRE);
    uint16_t *event = &ring->used[RING_ENTRIES + 4u * ring->size];

    if (there == ring->avail_seen) {
        /* Ring again at the next one; and look again, for it may have come meanwhile. */
        __atomic_store_n(event, ring->avail_seen, __ATOMIC_SEQ_CST);
        there = __atomic_load_n(&ring->avail[RING_INDEX], __ATOMIC_SEQ_CST);
    }
    if (there == ring->avail_seen || vhost->silent || vhost->fault != NULL) {
        return false;
    }
    *chain = (struct chain){.head = ring->avail[RING_ENTRIES + ring->avail_seen % ring->size]};
    if ((uint16_t)(there - ring->avail_seen) > ring->size || chain->head >= ring->size || ring->lent[chain->head] ||
        !chain_read(vhost, ring, chain)) {
        fault(vhost, "the image made a chain that no driver may make");
        return false;
    }
    ring->avail_seen++;
    ring->lent[chain->head] = true;
    ring->lent_count++;
    return true;
}

void ring_entry(struct ring *ring, uint16_t at, uint32_t id, uint32_t size)
{
    uint16_t *entry = &ring->used[RING_ENTRIES + 4u * (at % ring->size)];
    struct used used = {id, size};

    memcpy(entry, &used, sizeof used);
}

void ring_index(struct ring *ring, uint16_t index)
{
    __atomic_store_n(&ring->used[RING_INDEX], index, __ATOMIC_RELEASE);
}

void ring_interrupt(const struct ring *ring)
{
    uint64_t once = 1;

    if (ring->call >= 0 && write(ring->call, &once, sizeof once) < 0) {
        sim_fail("vhost: call: %s", strerror(errno));
    }
}

void ring_give(struct ring *ring, const struct chain *chain, uint32_t written)
{
    ring->lent[chain->head] = false;
    ring->lent_count--;
    ring_entry(ring, ring->used_next, chain->head, written);
    ring_index(ring, ++ring->used_next);
}

void vhost_finish(struct vhost *vhost, struct ring *ring, const struct chain *chain, uint32_t written)
{
    if (lie_now(vhost->lie, ring)) {
        lie_tell(vhost, ring, chain, written); /* (3) */
    } else {
        ring_give(ring, chain, written);
    }
    ring_interrupt(ring);
}
