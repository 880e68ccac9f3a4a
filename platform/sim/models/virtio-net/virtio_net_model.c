/* SPDX-License-Identifier: MIT OR Apache-2.0
 * virtio_net_model.c: a virtio network device (virtio 1.2, 5.1) on a wire.
 *
 *  (1) Back-pressure both ways: a frame that finds no receive buffer waits here and the wire is not read; a frame that the
 *      wire does not take stays in the ring until the wire has room.
 *  (2) It offers transmit checksums, and does them, for the wire takes none that are unfinished.
 */
#include "models/virtio-net/virtio_net_model.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "models/virtio/virtio_model.h"

#define F_CSUM (1ull << 0)
#define F_MTU (1ull << 3)
#define F_MAC (1ull << 5)
#define F_MRG_RXBUF (1ull << 15)
#define F_STATUS (1ull << 16)

enum { QUEUE_RX = 0, QUEUE_TX = 1 };
enum { NEEDS_CSUM = 1 };
#define FRAME_MAX 65536u
#define BUFFERS_MAX 64u /* of one received frame */

struct __attribute__((packed)) config { /* virtio 1.2, 5.1.4 */
    uint8_t mac[6];
    uint16_t status;
    uint16_t queue_pairs;
    uint16_t mtu;
};

struct header { /* virtio 1.2, 5.1.6 */
    uint8_t flags, gso_type;
    uint16_t header_length, gso_size, checksum_start, checksum_offset, buffers;
};
_Static_assert(sizeof(struct header) == 12, "virtio 1.2, 5.1.6");

static struct net_model {
    struct vm_device device;
    struct config config;
    const struct net_wire *wire;
    uint8_t waiting[FRAME_MAX]; /* a frame from the wire */
    size_t waiting_size;        /* 0: none */
    bool tx_blocked;
    bool started;
} self;

static void interest_update(void)
{
    self.wire->want(self.waiting_size == 0, self.tx_blocked);
}

/* --- to the wire ------------------------------------------------------------------------------------------------------- */

/* RFC 1071 over everything from the start; the pseudo header's sum stands in the field already. */
static void checksum_finish(uint8_t *frame, size_t size, const struct header *header)
{
    size_t start = header->checksum_start;
    size_t field = start + header->checksum_offset;
    uint32_t sum = 0;

    if (field + 2 > size) {
        sim_die("virtio-net: a checksum beyond the frame (5.1.6.2)");
    }
    for (size_t i = start; i < size; i++) {
        sum += (i - start) % 2 == 0 ? (uint32_t)frame[i] << 8 : frame[i];
    }
    while (sum >> 16 != 0) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum = ~sum & 0xffff;
    frame[field] = (uint8_t)(sum >> 8);
    frame[field + 1] = (uint8_t)sum;
}

static enum net_wire_result frame_send(const struct vm_chain *chain)
{
    static uint8_t frame[FRAME_MAX];
    struct header header;

    if (vm_chain_read(chain, 0, &header, sizeof header) != sizeof header || chain->in != 0) {
        sim_die("virtio-net: a frame to send without header, or writable (5.1.6.2)");
    }
    if (header.gso_type != 0 || ((header.flags & NEEDS_CSUM) != 0 && !vm_has(&self.device, F_CSUM))) {
        sim_die("virtio-net: an offload that was not agreed on (5.1.6.2.1)");
    }
    size_t size = vm_chain_read(chain, sizeof header, frame, sizeof frame);
    if ((header.flags & NEEDS_CSUM) != 0) {
        checksum_finish(frame, size, &header);
    }
    return self.wire->send(frame, size);
}

static void tx_run(void)
{
    static struct vm_chain chain;

    self.tx_blocked = false;
    while (!self.tx_blocked && vm_pop(&self.device, QUEUE_TX, &chain)) {
        if (frame_send(&chain) == NET_WIRE_LATER) {
            vm_unpop(&self.device, QUEUE_TX); /* (1) */
            self.tx_blocked = true;
        } else {
            vm_push(&self.device, QUEUE_TX, &chain, 0);
        }
    }
    vm_signal(&self.device, QUEUE_TX);
}

/* --- from the wire ----------------------------------------------------------------------------------------------------- */

/* Buffers for `size` bytes; 0: there are not enough now, and none is taken. */
static unsigned buffers_pop(struct vm_chain *chain, size_t size)
{
    size_t room = 0;
    unsigned count = 0;
    unsigned most = vm_has(&self.device, F_MRG_RXBUF) ? BUFFERS_MAX : 1;

    while (room < size && count < most && vm_pop(&self.device, QUEUE_RX, &chain[count])) {
        if (chain[count].out != 0) {
            sim_die("virtio-net: a readable receive buffer (5.1.6.3)");
        }
        room += chain[count++].in_bytes;
    }
    if (room < size) {
        for (; count > 0; count--) {
            vm_unpop(&self.device, QUEUE_RX);
        }
    }
    return count;
}

/* False: no buffers now. */
static bool waiting_deliver(void)
{
    static struct vm_chain chain[BUFFERS_MAX];
    static uint8_t bytes[sizeof(struct header) + FRAME_MAX];
    size_t size = sizeof(struct header) + self.waiting_size;
    unsigned count = buffers_pop(chain, size);

    if (count == 0) {
        return false;
    }
    struct header header = {.buffers = (uint16_t)count};
    memcpy(bytes, &header, sizeof header);
    memcpy(bytes + sizeof header, self.waiting, self.waiting_size);
    size_t at = 0;
    for (unsigned i = 0; i < count; i++) {
        size_t n = vm_chain_write(&chain[i], 0, bytes + at, size - at);
        vm_push(&self.device, QUEUE_RX, &chain[i], (uint32_t)n);
        at += n;
    }
    self.waiting_size = 0;
    return true;
}

static void rx_run(void)
{
    for (unsigned i = 0; vm_running(&self.device) && i < 256; i++) {
        if (self.waiting_size == 0) {
            ssize_t n = self.wire->receive(self.waiting, sizeof self.waiting);
            if (n <= 0) {
                break;
            }
            self.waiting_size = (size_t)n;
        }
        if (!waiting_deliver()) {
            break;
        }
    }
    vm_signal(&self.device, QUEUE_RX);
}

void net_model_ready(bool frame, bool room)
{
    if (room) {
        tx_run();
    }
    if (vm_running(&self.device)) {
        rx_run();
    } else if (frame) {
        /* Nobody listens: what came is lost, as on a machine that boots. */
        while (self.wire->receive(self.waiting, sizeof self.waiting) > 0) {
        }
    }
    interest_update();
}

void net_model_state(bool up, const uint8_t mac[6])
{
    static const uint8_t none[6];

    if (memcmp(mac, none, sizeof none) != 0) {
        memcpy(self.config.mac, mac, sizeof self.config.mac);
    }
    self.config.status = up ? 1 : 0;
    vm_config_changed(&self.device);
}

static void notify(struct vm_device *device, unsigned queue)
{
    (void)device;
    if (queue == QUEUE_TX) {
        tx_run();
    } else if (self.waiting_size != 0) {
        rx_run();
    }
    interest_update();
}

static void reset(struct vm_device *device)
{
    (void)device;
    self.waiting_size = 0;
    self.tx_blocked = false;
    interest_update();
}

/* Locally administered, the same for the same wire: FNV-1a of the argument. */
static void mac_make(uint8_t mac[6], const char *argument)
{
    uint32_t hash = 2166136261u;

    for (const char *c = argument; *c != '\0'; c++) {
        hash = (hash ^ (uint8_t)*c) * 16777619u;
    }
    mac[0] = 0x52;
    mac[1] = 0x54;
    mac[2] = 0;
    mac[3] = (uint8_t)(hash >> 16);
    mac[4] = (uint8_t)(hash >> 8);
    mac[5] = (uint8_t)hash;
}

static bool start(const char *argument, char *why, size_t why_size)
{
    if (self.started) {
        snprintf(why, why_size, "a second network card is not supported yet");
        return false;
    }
    snprintf(why, why_size, "'sim' is for a lock-step run: --coordinator");
    self.wire = strcmp(argument, "sim") == 0 ? net_port_open() : net_wire_open(argument, why, why_size);
    if (self.wire == NULL) {
        return false;
    }
    self.started = true;
    self.config.status = 1;
    self.config.mtu = 1500;
    mac_make(self.config.mac, argument);
    self.device =
        (struct vm_device){.name = "virtio-net", .type = 1, .queue_count = 2, .queue_size = 256, .notify = notify};
    self.device.features = F_CSUM | F_MTU | F_MAC | F_MRG_RXBUF | F_STATUS;
    self.device.config = &self.config;
    self.device.config_size = sizeof self.config;
    self.device.reset = reset;
    vm_device_add(&self.device);
    interest_update();
    return true;
}

const struct sim_model virtio_net_model = {.name = "virtio-net", .start = start};
