/* SPDX-License-Identifier: MIT OR Apache-2.0
 * virtio_net_test.c: a network card played by the test: frames of one and of many buffers, offloads, back-pressure, lies.
 */
#include "test.h"
#include "../virtio_net.c"
#undef LOG_TAG
#include "../virtio_net_rx.c"
#undef LOG_TAG
#include "../virtio_net_tx.c"
#include "lib/virtio/test/fake_device.h"

static struct netbuf *received[256];
static unsigned received_count, rooms, links, tokens_back;
static bool link_last;
static char tokens[1024];
static uint8_t bytes[4096];
static bool keep;

static void on_receive(struct netdev_client *client, struct netbuf *frame)
{
    (void)client;
    received[received_count++] = frame;
    if (!keep) {
        netdev_release(&virtio_net_self.netdev, frame);
    }
}

static void on_sent(struct netdev_client *client, void *token)
{
    (void)client;
    REQUIRE((char *)token >= tokens && (char *)token < tokens + sizeof tokens && *(char *)token == 1);
    *(char *)token = 0;
    tokens_back++;
}

static void on_room(struct netdev_client *client)
{
    (void)client;
    rooms++;
}

static void on_link(struct netdev_client *client, bool up)
{
    (void)client;
    links++;
    link_last = up;
}

static struct netdev_client client = {.receive = on_receive, .sent = on_sent, .room = on_room, .link = on_link};

static status_t start(uint64_t offered)
{
    memset(&virtio_net_self, 0, sizeof virtio_net_self);
    memset(tokens, 0, sizeof tokens);
    received_count = rooms = links = tokens_back = 0;
    keep = true;
    virtio_net_wire_bus(&fake.bus);
    fake.offered |= offered;
    memcpy(fake.config, "\x52\x54\x00\x12\x34\x56", 6);
    return virtio_net_start();
}

static struct netdev *begin(uint64_t offered)
{
    fake_begin(VIRTIO_NET, 0);
    fake.config[CONFIG_STATUS] = 1;
    REQUIRE(start(offered | NET_F_MAC) == ST_OK);
    struct netdev *netdev = virtio_net_provide_port();
    netdev_attach(netdev, &client);
    test_room = ROOM_LOOP;
    return netdev;
}

/* The card receives: a header and `size` bytes into the next buffer; says `buffers` in the header. */
static void card_receives(uint8_t flags, uint16_t buffers, uint32_t size)
{
    struct fake_chain chain;
    struct virtio_net_header header = {.flags = flags, .buffers = buffers};

    REQUIRE(fake_pop(QUEUE_RX, &chain) && chain.out == 0 && chain.in == 1 && chain.segment[0].size == 2048);
    memcpy(chain.segment[0].bytes, &header, sizeof header);
    memset(chain.segment[0].bytes + 12, 0x42, size);
    fake_push(QUEUE_RX, chain.head, 12 + size);
}

static void card_continues(uint32_t size)
{
    struct fake_chain chain;

    REQUIRE(fake_pop(QUEUE_RX, &chain));
    memset(chain.segment[0].bytes, 0x43, size);
    fake_push(QUEUE_RX, chain.head, size);
}

static status_t send(unsigned token, uint16_t count, uint32_t size)
{
    struct netdev_segment segment[NETDEV_SEGMENTS_MAX + 1];

    for (unsigned i = 0; i <= NETDEV_SEGMENTS_MAX; i++) {
        segment[i] = (struct netdev_segment){bytes, size};
    }
    struct netdev_frame frame = {.segment = segment, .segment_count = count, .token = &tokens[token]};
    status_t s = netdev_send(&virtio_net_self.netdev, &frame);
    if (s == ST_OK) {
        tokens[token] = 1;
    }
    return s;
}

static void test_what_it_is(void)
{
    struct netdev *netdev = begin(NET_F_CSUM | NET_F_GUEST_CSUM | NET_F_STATUS | NET_F_MRG_RXBUF);

    CHECK_BYTES(netdev->mac, "\x52\x54\x00\x12\x34\x56", 6);
    CHECK(netdev->mtu == 1500 && netdev->tx_checksum && netdev->rx_checksum && netdev->link_up);
    CHECK_EQ(netdev->rx_buffer_bytes, 2036);
    netdev = begin(0);
    CHECK(!netdev->tx_checksum && !netdev->rx_checksum && netdev->link_up);

    fake_begin(VIRTIO_NET, 0);
    fake.config[CONFIG_MTU] = 0x28; /* 9000 */
    fake.config[CONFIG_MTU + 1] = 0x23;
    CHECK(start(NET_F_MAC | NET_F_MTU | NET_F_MRG_RXBUF) == ST_OK);
    CHECK_EQ(virtio_net_self.netdev.mtu, 9000);
    fake_begin(VIRTIO_NET, 0);
    fake.config[CONFIG_MTU] = 0x28;
    fake.config[CONFIG_MTU + 1] = 0x23;
    CHECK(start(NET_F_MAC | NET_F_MTU) == ST_OK);
    CHECK_EQ(virtio_net_self.netdev.mtu, 2036 - 14); /* what one buffer holds */
}

static void test_nonsense_is_refused(void)
{
    fake_begin(VIRTIO_NET, 0);
    CHECK(start(NET_F_MAC | NET_F_MTU) == ST_PROTO); /* MTU 0 */
    fake_begin(VIRTIO_NET, 0);
    CHECK(start(0) == ST_UNSUPPORTED); /* no address */
    fake_begin(VIRTIO_BLK, 0);
    CHECK(start(NET_F_MAC) == ST_UNSUPPORTED); /* no such device */
    CHECK(strstr(test_log_last, "no virtio network device") != NULL);
}

static void test_receives(void)
{
    struct netdev *netdev = begin(NET_F_GUEST_CSUM | NET_F_MRG_RXBUF);

    CHECK_EQ(fake.notified[QUEUE_RX], 1);
    card_receives(0, 1, 60);
    card_receives(HEADER_DATA_VALID, 1, 1514);
    card_receives(HEADER_NEEDS_CSUM, 3, 2036);
    card_continues(2048);
    card_continues(5);
    fake_interrupt(QUEUE_RX);
    CHECK_EQ(received_count, 3);
    CHECK(received[0]->size == 60 && received[0]->frame_size == 60 && !received[0]->checksum_ok);
    CHECK(received[0]->data[0] == 0x42 && received[0]->data[59] == 0x42 && received[0]->next == NULL);
    CHECK(received[1]->size == 1514 && received[1]->checksum_ok);
    struct netbuf *third = received[2];
    CHECK(third->frame_size == 2036 + 2048 + 5 && third->checksum_ok && third->next->size == 2048);
    CHECK(third->next->next->size == 5 && third->next->next->data[4] == 0x43 && third->next->next->next == NULL);
    CHECK(netdev->count.rx_frames == 3 && netdev->count.rx_bytes == 60 + 1514 + 4089);
}

/* Without the feature the flags have no meaning, and the number of buffers neither. */
static void test_receives_without_offloads(void)
{
    begin(0);
    card_receives(HEADER_DATA_VALID, 0, 60);
    fake_interrupt(QUEUE_RX);
    CHECK(received_count == 1 && !received[0]->checksum_ok);
}

/* Buffers go round: released ones are lent again, in the end with one doorbell a turn. */
static void test_buffers_go_round(void)
{
    begin(NET_F_MRG_RXBUF);
    unsigned before = fake.notified[QUEUE_RX];
    for (unsigned round = 0; round < 1000; round++) {
        keep = round % 3 != 0;
        received_count = 0;
        card_receives(0, 1, 100);
        card_receives(0, 1, 100);
        fake_interrupt(QUEUE_RX);
        CHECK_EQ(received_count, 2);
        for (unsigned i = 0; keep && i < 2; i++) {
            netdev_release(&virtio_net_self.netdev, received[i]);
        }
        const struct virtq *q = fake.queue[QUEUE_RX];
        q->used[2 + 4 * q->size] = q->avail_rung; /* it wants to hear of each */
        fake_turn();
    }
    CHECK(fake.notified[QUEUE_RX] - before >= 990 && fake.notified[QUEUE_RX] - before <= 1000);
    CHECK_PANICS(netdev_release(&virtio_net_self.netdev, received[0])); /* twice */
}

static void test_starved_and_fed(void)
{
    /* More buffers than the ring holds: those that wait in the driver take the places of those with the client. */
    CHECK(VIRTIO_NET_RX_BUFFERS > VIRTIO_NET_RX_RING_SIZE);
    begin(0);
    for (unsigned i = 0; i < VIRTIO_NET_RX_BUFFERS; i++) {
        card_receives(0, 1, 60);
        fake_interrupt(QUEUE_RX);
    }
    struct fake_chain chain;
    CHECK(received_count == VIRTIO_NET_RX_BUFFERS && !fake_pop(QUEUE_RX, &chain)); /* the client has them all */
    fake_turn();
    unsigned before = fake.notified[QUEUE_RX];
    netdev_release(&virtio_net_self.netdev, received[5]);
    fake_turn();
    CHECK_EQ(fake.notified[QUEUE_RX], before + 1); /* a card that starves is woken */
    card_receives(0, 1, 61);
    fake_interrupt(QUEUE_RX);
    CHECK_EQ(received[VIRTIO_NET_RX_BUFFERS]->size, 61);
}

static void test_short_frames_are_dropped(void)
{
    struct netdev *netdev = begin(0);

    card_receives(0, 1, 13);
    card_receives(0, 1, 14);
    fake_interrupt(QUEUE_RX);
    CHECK(received_count == 1 && netdev->count.rx_dropped == 1 && netdev->count.rx_frames == 1);
}

static void test_budget(void)
{
    begin(0);
    keep = false;
    for (unsigned i = 0; i < VIRTIO_NET_RX_RING_SIZE; i++) {
        card_receives(0, 1, 60);
    }
    fake_interrupt(QUEUE_RX);
    CHECK_EQ(received_count, RX_BUDGET);
    CHECK(!list_empty(&fake_posted)); /* the rest, if any, next turn */
}

static void test_sends(void)
{
    struct netdev *netdev = begin(NET_F_CSUM);
    struct fake_chain chain;
    struct netdev_segment segment[2] = {{bytes, 40}, {bytes + 100, 50}};
    struct netdev_frame frame = {segment, 2, true, 34, 16, &tokens[0]};

    CHECK(netdev_send(netdev, &frame) == ST_OK);
    tokens[0] = 1;
    CHECK_EQ(fake.notified[QUEUE_TX], 0);
    fake_turn();
    CHECK_EQ(fake.notified[QUEUE_TX], 1);
    REQUIRE(fake_pop(QUEUE_TX, &chain));
    CHECK(chain.out == 3 && chain.in == 0 && chain.segment[0].size == 12);
    CHECK_BYTES(chain.segment[0].bytes, "\1\0\0\0\0\0\x22\0\x10\0\0\0", 12);
    CHECK(chain.segment[1].bytes == bytes && chain.segment[2].bytes == bytes + 100 && chain.segment[2].size == 50);
    CHECK_EQ(tokens_back, 0);
    fake_push(QUEUE_TX, chain.head, 1234); /* what it says it wrote has no meaning */
    fake_interrupt(QUEUE_TX);
    CHECK(tokens_back == 1 && fake.device.state == VIRTIO_RUNNING);
    frame.checksum_start = 73;
    CHECK(netdev_send(netdev, &frame) == ST_BADARG); /* ends one byte beyond */
    frame.checksum_start = 72;
    CHECK(netdev_send(netdev, &frame) == ST_OK);
    begin(0);
    CHECK(netdev_send(netdev, &frame) == ST_BADARG);
}

static void test_refuses_to_send(void)
{
    struct netdev *netdev = begin(0);

    CHECK(send(0, 1, 1515) == ST_BADARG);
    CHECK(send(0, 1, 13) == ST_BADARG);
    CHECK(send(0, 1, 0) == ST_BADARG);
    CHECK(send(0, (uint16_t)(netdev->segments_max + 1), 20) == ST_BADARG);
    CHECK(send(0, 2, 757) == ST_OK);
    CHECK(send(1, 2, 758) == ST_BADARG);
}

static void test_full_and_room(void)
{
    struct fake_chain chain;
    unsigned n = 0;

    begin(0);
    while (send(n, (uint16_t)(1 + n % 3), 100) == ST_OK) {
        n++;
    }
    CHECK(n > 60 && n < VIRTIO_NET_TX_RING_SIZE && rooms == 0);
    for (unsigned i = 0; i < n; i++) {
        REQUIRE(fake_pop(QUEUE_TX, &chain));
        fake_push(QUEUE_TX, chain.head, 0);
        fake_interrupt(QUEUE_TX);
    }
    CHECK(rooms == 1 && tokens_back == n); /* one room() for one ST_FULL */
    CHECK(send(0, 1, 100) == ST_OK);
}

static void test_link(void)
{
    struct netdev *netdev = begin(NET_F_STATUS);

    fake.config[CONFIG_STATUS] = 0;
    virtio_interrupt(&fake.device, 0, true);
    CHECK(links == 1 && !link_last && !netdev->link_up);
    virtio_interrupt(&fake.device, 0, true); /* nothing new */
    CHECK_EQ(links, 1);
    fake.config[CONFIG_STATUS] = 1;
    virtio_interrupt(&fake.device, 0, true);
    CHECK(links == 2 && link_last);
}

/* After a lie: no more frames, what was being sent comes back once the reset is confirmed, the link is down. */
static void expect_death(unsigned sending)
{
    CHECK_EQ(fake.device.state, VIRTIO_STOPPING);
    CHECK(send(900, 1, 100) == ST_CLOSED);
    CHECK_EQ(tokens_back, 0);
    fake_turn();
    CHECK(tokens_back == sending && links == 1 && !link_last && virtio_net_self.netdev.count.broken_rules == 1);
    CHECK(send(900, 1, 100) == ST_CLOSED);
    for (unsigned i = 0; i < received_count; i++) {
        netdev_release(&virtio_net_self.netdev, received[i]); /* late, and harmless */
    }
    fake_turn();
}

static void test_lies(void)
{
    struct fake_chain chain;

    for (unsigned lie = 0; lie < 6; lie++) {
        begin(NET_F_MRG_RXBUF);
        CHECK(send(1, 1, 100) == ST_OK && send(2, 2, 100) == ST_OK);
        card_receives(0, 1, 60);
        fake_interrupt(QUEUE_RX);
        CHECK_EQ(received_count, 1);
        switch (lie) {
        case 0:
            card_receives(0, 0, 60); /* a frame of no buffers */
            break;
        case 1:
            card_receives(0, VIRTIO_NET_RX_RING_SIZE + 1, 60); /* of more than there are */
            break;
        case 2:
            card_receives(0, 2, 60); /* of two, and the second is not there */
            break;
        case 3:
            card_receives(0, 1, 0); /* of nothing */
            break;
        case 4:
            REQUIRE(fake_pop(QUEUE_RX, &chain));
            fake_push(QUEUE_RX, chain.head, 2049); /* written past the buffer, it says */
            break;
        default:
            card_receives(0, 2, 60);
            card_continues(0);
            break;
        }
        fake_interrupt(QUEUE_RX);
        CHECK_EQ(received_count, 1);
        expect_death(2);
    }
    begin(0);
    CHECK(send(1, 1, 100) == ST_OK);
    REQUIRE(fake_pop(QUEUE_TX, &chain));
    fake_push(QUEUE_TX, chain.head + 1u, 0);
    fake_interrupt(QUEUE_TX);
    expect_death(1);
}

/* And as many turns as a restart takes. */
static void after_ns(uint64_t ns)
{
    test_clock_ns += ns;
    for (unsigned i = 0; i < VIRTIO_QUEUES_MAX + 3; i++) {
        fake_turn();
    }
}

/* After its reset the card is used again: its client hears of it, sends, receives; buffers that it gave back meanwhile are lent. */
static void test_comes_back(void)
{
    struct netdev *netdev = begin(NET_F_STATUS);
    struct fake_chain chain;

    CHECK(send(1, 1, 100) == ST_OK);
    card_receives(0, 1, 60);
    fake_interrupt(QUEUE_RX);
    fake_push(QUEUE_RX, 300, 0);
    fake_interrupt(QUEUE_RX);
    expect_death(1);
    CHECK(virtio_net_self.health.why != NULL);
    after_ns(NS_PER_S);
    CHECK(links == 2 && link_last && netdev->link_up && !netdev->dead && virtio_net_self.health.why == NULL);
    CHECK(send(2, 1, 100) == ST_OK);
    fake_turn();
    REQUIRE(fake_pop(QUEUE_TX, &chain));
    fake_push(QUEUE_TX, chain.head, 0);
    fake_interrupt(QUEUE_TX);
    CHECK_EQ(tokens_back, 2);
    received_count = 0;
    for (unsigned i = 0; i < VIRTIO_NET_RX_BUFFERS; i++) { /* all of them */
        card_receives(0, 1, 60);
        fake_interrupt(QUEUE_RX);
    }
    CHECK(received_count == VIRTIO_NET_RX_BUFFERS && !fake_pop(QUEUE_RX, &chain));
    CHECK_EQ(fake.device.state, VIRTIO_RUNNING);
}

/* A client that waits for room when the card dies is told when it is back; a link that is down then stays so. */
static void test_comes_back_to_a_client_that_waits(void)
{
    struct netdev *netdev = begin(NET_F_STATUS);
    unsigned n = 0;

    while (send(n, 1, 100) == ST_OK) {
        n++;
    }
    fake.status |= VIRTIO_STATUS_NEEDS_RESET;
    virtio_interrupt(&fake.device, 0, true);
    fake_turn();
    CHECK(tokens_back == n && rooms == 0);
    fake.config[CONFIG_STATUS] = 0;
    after_ns(NS_PER_S);
    CHECK(fake.device.state == VIRTIO_RUNNING && !netdev->dead && !netdev->link_up && !link_last && rooms == 1);
}

/* A frame that the card keeps is given up, not before the deadline, and not later than twice that; others hide nothing. */
static void test_overdue(void)
{
    struct fake_chain chain;

    begin(0);
    CHECK(send(1, 1, 100) == ST_OK);
    REQUIRE(fake_pop(QUEUE_TX, &chain));
    after_ns(VIRTIO_NET_WATCH_S * NS_PER_S - 1);
    CHECK(send(2, 1, 100) == ST_OK);
    REQUIRE(fake_pop(QUEUE_TX, &chain));
    fake_push(QUEUE_TX, chain.head, 0);
    fake_interrupt(QUEUE_TX);
    after_ns(1);
    CHECK(tokens_back == 1 && fake.device.state == VIRTIO_RUNNING);
    after_ns(VIRTIO_NET_WATCH_S * NS_PER_S);
    CHECK(tokens_back == 2 && virtio_net_self.netdev.count.overdue == 1);
    after_ns(NS_PER_S);
    CHECK(fake.device.state == VIRTIO_RUNNING && link_last);
    after_ns(VIRTIO_NET_WATCH_S * NS_PER_S);
    after_ns(VIRTIO_NET_WATCH_S * NS_PER_S);
    CHECK_EQ(virtio_net_self.netdev.count.overdue, 1);
}

/* A card that stopped without a word, while nothing is sent: asked when no frame came. */
static void test_stopped(void)
{
    begin(0);
    fake.status = 0;
    keep = false;
    card_receives(0, 1, 60);
    fake_interrupt(QUEUE_RX);
    after_ns(VIRTIO_NET_WATCH_S * NS_PER_S);
    CHECK_EQ(virtio_net_self.netdev.count.overdue, 0); /* it seems to be well */
    test_clock_ns += VIRTIO_NET_WATCH_S * NS_PER_S;
    fake_turn();
    CHECK(virtio_net_self.netdev.count.overdue == 1 && virtio_net_self.health.why != NULL);
    fake_turn();
    CHECK(links == 1 && !link_last);
    after_ns(NS_PER_S);
    CHECK(links == 2 && link_last && fake.device.state == VIRTIO_RUNNING);
    fake.gone = true;
    after_ns(VIRTIO_NET_WATCH_S * NS_PER_S);
    CHECK(virtio_net_self.netdev.count.overdue == 2 && !link_last);
}

/* Frames that were out come back, and the link goes for good; what the client has of the card's memory stays until it lets go. */
static void test_revoked(void)
{
    struct netdev *netdev = begin(NET_F_STATUS);

    CHECK(send(1, 1, 100) == ST_OK);
    card_receives(0, 1, 60);
    card_receives(0, 1, 60);
    fake_interrupt(QUEUE_RX);
    fake.never_resets = true;
    netdev_revoke(netdev);
    CHECK(send(2, 1, 100) == ST_CLOSED);
    fake_turn();
    netdev_release(netdev, received[0]);
    CHECK(tokens_back == 0 && links == 0 && fake_grant.state == DEVICE_REVOKING); /* it may still read and write */
    fake.status = 0;
    after_ns(NS_PER_S);
    CHECK(tokens_back == 1 && links == 1 && !link_last && netdev->dead && virtio_net_self.health.why != NULL);
    CHECK(fake_silenced > 0 && device_held(&fake_grant) && received[1]->data[0] == 0x42);
    netdev_release(netdev, received[1]);
    CHECK(fake_scrubbed(&fake_grant));
    CHECK(test_all_zero(virtio_net_self.buffer[0].memory, (size_t)VIRTIO_NET_RX_BUFFERS * RX_BUFFER_BYTES));
    CHECK(test_all_zero(virtio_net_self.slot[0].header, sizeof(struct virtio_net_header)));
    CHECK(test_all_zero(virtio_net_self.rx.memory.cpu, virtio_net_self.rx.memory.size));
    after_ns(60 * NS_PER_S);
    CHECK(links == 1 && netdev->dead && send(2, 1, 100) == ST_CLOSED && fake.status == 0);
    netdev_revoke(netdev); /* harmless */
}

static void test_revoked_without_a_client(void)
{
    fake_begin(VIRTIO_NET, 0);
    REQUIRE(start(NET_F_MAC) == ST_OK);
    test_room = ROOM_LOOP;
    netdev_revoke(virtio_net_provide_port());
    fake_turn();
    CHECK(fake_scrubbed(&fake_grant) && fake.status == 0);
}

int main(void)
{
    RUN(test_what_it_is);
    RUN(test_nonsense_is_refused);
    RUN(test_receives);
    RUN(test_receives_without_offloads);
    RUN(test_buffers_go_round);
    RUN(test_starved_and_fed);
    RUN(test_short_frames_are_dropped);
    RUN(test_budget);
    RUN(test_sends);
    RUN(test_refuses_to_send);
    RUN(test_full_and_room);
    RUN(test_link);
    RUN(test_lies);
    RUN(test_comes_back);
    RUN(test_comes_back_to_a_client_that_waits);
    RUN(test_overdue);
    RUN(test_stopped);
    RUN(test_revoked);
    RUN(test_revoked_without_a_client);
    return test_end();
}
