/* SPDX-License-Identifier: MIT OR Apache-2.0
 * virtio_net.c: a virtio network device (virtio 1.2, 5.1): what it is, and its life. One queue each way, no segmentation.
 *
 *  (1) The device runs once it has a client: before netdev_attach() it is opened and quiet.
 *  (2) What the device says is checked once. When it lies, or does not send, it is reset and counted; the client's frames
 *      come back by sent(), and link(false) tells it. When the device has been started again, link(true) does: that frames
 *      were lost is what a client expects of a network.
 *  (3) Every watch_s the device is looked at. A frame that it has had since before the last look is overdue. One that no
 *      frame came from is asked whether it runs: a server that only listens would never notice.
 */
#define LOG_TAG "virtio-net"
#include "virtio_net.h"
#include "core/assert.h"
#include "core/fmt.h"
#include "core/log.h"

enum { CONFIG_MAC = 0, CONFIG_STATUS = 6, CONFIG_MTU = 10 }; /* virtio 1.2, 5.1.4 */
enum { STATUS_LINK_UP = 1 };

#define MTU_DEFAULT 1500u
#define MTU_LEAST 576u /* less cannot carry IPv4: RFC 791 */

struct virtio_net virtio_net_self;

static void dead(void) REQUIRES(LOOP)
{
    virtio_net_self.netdev.dead = true;
    health_set(&virtio_net_self.health, "the network card failed and has not come back yet");
}

void virtio_net_die(const char *why)
{
    dead();
    virtio_fail(virtio_net_self.device, why);
}

void virtio_net_lied(const char *what)
{
    virtio_net_self.netdev.count.broken_rules++;
    virtio_net_die(what);
}

static void note_write(const struct netdev *netdev)
{
    const uint8_t *m = netdev->mac;

    fmt_text(virtio_net_self.device->note.text, sizeof virtio_net_self.device->note.text,
             "%s %02x:%02x:%02x:%02x:%02x:%02x at %s, mtu %u, link %s", netdev->name, m[0], m[1], m[2], m[3], m[4],
             m[5], virtio_net_self.device->where, (unsigned)netdev->mtu, netdev->link_up ? "up" : "down");
}

static status_t link_read(bool *up)
{
    uint64_t status = STATUS_LINK_UP;

    if (virtio_has(virtio_net_self.device, NET_F_STATUS)) {
        status_t s = virtio_config_read(virtio_net_self.device, CONFIG_STATUS, 2, &status);
        if (s != ST_OK) {
            return s;
        }
    }
    *up = (status & STATUS_LINK_UP) != 0;
    return ST_OK;
}

/* --- in the loop ---------------------------------------------------------------------------------------------------- */

static void on_interrupt(struct virtio_device *device, uint32_t queues)
{
    (void)device;
    room_assert_loop();
    if ((queues & 1u << QUEUE_TX) != 0) {
        virtio_net_tx_reap();
    }
    if ((queues & 1u << QUEUE_RX) != 0) {
        virtio_net_rx_reap();
    }
}

static void on_config(struct virtio_device *device)
{
    struct netdev *netdev = &virtio_net_self.netdev;
    bool up = false;

    (void)device;
    room_assert_loop();
    if (link_read(&up) != ST_OK) {
        virtio_net_lied("configuration");
        return;
    }
    if (up != netdev->link_up) {
        netdev->link_up = up;
        note_write(netdev);
        log_info("%s: link %s", netdev->name, up ? "up" : "down");
        netdev->client->link(netdev->client, up);
    }
}

static void on_stopped(struct virtio_device *device)
{
    struct netdev *netdev = &virtio_net_self.netdev;

    (void)device;
    room_assert_loop();
    dead();
    netdev->link_up = false;
    virtio_net_rx_stopped();
    virtio_net_tx_stopped();
    if (netdev->client != NULL) { /* revoked before anybody came */
        netdev->client->link(netdev->client, false);
    }
}

static bool is_busy(const struct virtio_device *device)
{
    (void)device;
    return virtio_net_rx_busy();
}

static void ops_revoke(struct netdev *netdev)
{
    room_assert_loop();
    ASSERT(netdev == &virtio_net_self.netdev);
    dead();
    device_revoke(virtio_net_self.device->grant);
}

/* (3) */
static void on_watch(struct timer *timer)
{
    struct virtio_net *net = &virtio_net_self;

    room_assert_loop();
    ASSERT(timer == &net->watch);
    if (net->netdev.dead) {
        return; /* armed again when it is back */
    }
    if (virtio_net_tx_overdue()) {
        net->netdev.count.overdue++;
        virtio_net_die("a frame was not sent in time");
        return;
    }
    if (net->netdev.count.rx_frames == net->watched_rx_frames && !virtio_alive(net->device)) {
        net->netdev.count.overdue++;
        virtio_net_die("it stopped");
        return;
    }
    net->watches++;
    net->watched_rx_frames = net->netdev.count.rx_frames;
    timer_set(&net->watch, clock_ns() + VIRTIO_NET_WATCH_S * NS_PER_S);
}

/* What it is (address, MTU, offloads) is taken to be what it was: the features are the same. */
static void on_restarted(struct virtio_device *device)
{
    struct virtio_net *net = &virtio_net_self;

    room_assert_loop();
    ASSERT(device == net->device && !net->netdev.link_up);
    net->netdev.dead = false;
    health_set(&net->health, NULL);
    virtio_net_rx_fill();
    virtio_notify(net->device, QUEUE_RX, &net->rx);
    note_write(&net->netdev);
    on_config(device);
    virtio_net_tx_restarted();
    timer_set(&net->watch, clock_ns() + VIRTIO_NET_WATCH_S * NS_PER_S);
}

static void on_attached(struct netdev *netdev)
{
    room_assert_boot();
    ASSERT(netdev == &virtio_net_self.netdev);
    virtio_net_rx_fill();
    virtio_go(virtio_net_self.device); /* (1) */
    virtio_notify(virtio_net_self.device, QUEUE_RX, &virtio_net_self.rx);
    note_write(netdev);
    timer_init(&virtio_net_self.watch, on_watch);
    timer_set_boot(&virtio_net_self.watch, clock_ns() + VIRTIO_NET_WATCH_S * NS_PER_S);
}

static const struct netdev_ops ops = {
    .send = virtio_net_tx_send,
    .release = virtio_net_rx_release,
    .attached = on_attached,
    .revoke = ops_revoke,
};

static const struct virtio_driver driver = {
    .name = "drv/virtio-net",
    .interrupt = on_interrupt,
    .config = on_config,
    .stopped = on_stopped,
    .restarted = on_restarted,
    .busy = is_busy,
};

/* --- start ---------------------------------------------------------------------------------------------------------- */

static status_t mtu_read(struct netdev *netdev)
{
    uint32_t most = virtio_net_self.mergeable ? UINT16_MAX : netdev->rx_buffer_bytes - NETDEV_HEADER_BYTES;
    uint64_t mtu = MTU_DEFAULT;

    if (virtio_has(virtio_net_self.device, NET_F_MTU)) {
        status_t s = virtio_config_read(virtio_net_self.device, CONFIG_MTU, 2, &mtu);
        if (s != ST_OK) {
            return s;
        }
        if (mtu < MTU_LEAST) {
            return ST_PROTO;
        }
    }
    netdev->mtu = (uint16_t)(mtu < most ? mtu : most);
    return ST_OK;
}

static status_t config_read(struct netdev *netdev)
{
    status_t s = virtio_config_bytes(virtio_net_self.device, CONFIG_MAC, netdev->mac, sizeof netdev->mac);
    if (s != ST_OK) {
        return s;
    }
    if ((netdev->mac[0] & 1) != 0) {
        return ST_PROTO; /* a group address is nobody's own */
    }
    s = mtu_read(netdev);
    return s != ST_OK ? s : link_read(&netdev->link_up);
}

static status_t queues_open(struct virtio_net *net) REQUIRES(BOOT)
{
    status_t s = virtio_interrupts(net->device, QUEUES);
    if (s == ST_OK) {
        s = virtio_queue_open(net->device, QUEUE_RX, VIRTIO_NET_RX_RING_SIZE, &net->rx);
    }
    if (s == ST_OK) {
        s = virtio_queue_open(net->device, QUEUE_TX, VIRTIO_NET_TX_RING_SIZE, &net->tx);
    }
    if (s == ST_OK && net->tx.size < 4) {
        s = ST_UNSUPPORTED;
    }
    return s;
}

static void netdev_fill(struct virtio_net *net)
{
    struct netdev *netdev = &net->netdev;

    netdev->ops = &ops;
    netdev->name = "net0";
    netdev->tx_checksum = virtio_has(net->device, NET_F_CSUM);
    netdev->rx_checksum = virtio_has(net->device, NET_F_GUEST_CSUM);
    netdev->segments_max = NETDEV_SEGMENTS_MAX;
    if (netdev->segments_max >= net->tx.size) {
        netdev->segments_max = (uint16_t)(net->tx.size - 1);
    }
}

static status_t device_open(struct virtio_net *net) REQUIRES(BOOT)
{
    const uint64_t wanted = NET_F_CSUM | NET_F_GUEST_CSUM | NET_F_MTU | NET_F_MRG_RXBUF | NET_F_STATUS;

    status_t s = virtio_open(net->device, &driver, wanted, NET_F_MAC);
    if (s != ST_OK) {
        return s;
    }
    net->mergeable = virtio_has(net->device, NET_F_MRG_RXBUF);
    s = queues_open(net);
    if (s == ST_OK) {
        netdev_fill(net);
        s = virtio_net_rx_init();
    }
    if (s == ST_OK) {
        s = virtio_net_tx_init();
    }
    if (s == ST_OK) {
        s = config_read(&net->netdev);
    }
    if (s != ST_OK) {
        virtio_give_up(net->device, status_name(s));
    }
    return s;
}

void virtio_net_wire_bus(struct virtio_bus *bus) REQUIRES(BOOT);
void virtio_net_wire_bus(struct virtio_bus *bus)
{
    virtio_net_self.bus = bus;
}

struct netdev *virtio_net_provide_port(void) REQUIRES(BOOT);
struct netdev *virtio_net_provide_port(void)
{
    ASSERT(virtio_net_self.netdev.ops != NULL);
    return &virtio_net_self.netdev;
}

status_t virtio_net_start(void) REQUIRES(BOOT);
status_t virtio_net_start(void)
{
    struct virtio_net *net = &virtio_net_self;

    net->device = virtio_bus_take(net->bus, VIRTIO_NET);
    if (net->device == NULL) {
        log_err("no virtio network device: add '-device virtio-net-pci,netdev=...' (microvm: virtio-net-device) to "
                "QEMU, or "
                "remove drv/virtio-net from the profile");
        return ST_UNSUPPORTED;
    }
    status_t s = device_open(net);
    if (s != ST_OK) {
        return s;
    }
    health_add(&net->health, "drv/virtio-net");
    log_info("%s at %s: mtu %u%s%s%s", net->netdev.name, net->device->where, (unsigned)net->netdev.mtu,
             net->netdev.tx_checksum ? ", tx checksum" : "", net->netdev.rx_checksum ? ", rx checksum" : "",
             net->mergeable ? ", mergeable buffers" : "");
    return ST_OK;
}
