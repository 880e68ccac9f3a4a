/* SPDX-License-Identifier: MIT OR Apache-2.0
 * lan_test.c: the switch's core on its own: who gets a frame, what chance does to it, and what runs full.
 */
#include "test.h"
#include "../../build-scripts/host/switch/dhcp.c"
#include "../../build-scripts/host/switch/lan.c"
#include "../../build-scripts/host/switch/wire_fate.c"

static struct lan lan;

static void lan_make(unsigned ports)
{
    lan_init(&lan);
    while (lan.port_count < ports) {
        (void)lan_port_add(&lan);
    }
}

/* A frame of `size` bytes from station `from` to station `to` (255: all), IPv4, its last byte `mark`. */
static void say(unsigned port, uint64_t now, uint8_t from, uint8_t to, size_t size, uint8_t mark)
{
    char frame[WIRE_FRAME_MAX + 1] = {2, 0, 0, 0, 0, (char)to, 2, 0, 0, 0, 0, (char)from, 8, 0};

    if (to == 255) {
        memset(frame, 0xff, 6);
    }
    frame[size - 1] = (char)mark;
    lan_receive(&lan, port, now, frame, size);
}

/* Everything reaches its port; the marks of a port's frames come as a text and are taken. */
static const char *marks(unsigned port)
{
    static char text[LAN_FRAMES + 1];
    const struct lan_frame *frame;
    size_t n = 0;

    lan_tick(&lan, LAN_NEVER - 1);
    while ((frame = lan_next(&lan, port)) != NULL) {
        text[n++] = frame->bytes[frame->size - 1];
        lan_sent(&lan, port, true);
    }
    text[n] = '\0';
    return text;
}

static unsigned slots_free(void)
{
    unsigned count = 0;

    for (const struct lan_frame *frame = lan.free; frame != NULL; frame = frame->next) {
        count++;
    }
    return count;
}

static void test_learns(void)
{
    lan_make(3);
    say(0, 0, 1, 2, 60, 'a'); /* nobody has heard of 2 */
    CHECK_STR(marks(1), "a");
    CHECK_STR(marks(2), "a");
    CHECK_STR(marks(0), "");
    say(1, 0, 2, 1, 60, 'b');
    CHECK_STR(marks(0), "b");
    CHECK_STR(marks(2), "");
    say(2, 0, 2, 1, 60, 'c'); /* 2 has moved */
    (void)marks(0);
    say(0, 0, 1, 2, 60, 'd');
    CHECK_STR(marks(1), "");
    CHECK_STR(marks(2), "d");
    say(0, 0, 1, 255, 60, 'e');
    CHECK_STR(marks(1), "e");
    CHECK_STR(marks(2), "e");
}

/* Nobody's address is no station's, though empty places in the tables look like it. */
static void test_nobody(void)
{
    char frame[60] = {[6] = 2, [11] = 1, [59] = 'a'};

    lan_make(3);
    lan_receive(&lan, 1, 0, frame, sizeof frame);
    CHECK_STR(marks(0), "a");
    CHECK_STR(marks(2), "a");
}

/* Who speaks under many names loses his own old ones, and nobody else's. */
static void test_stations_bounded(void)
{
    lan_make(3);
    say(0, 0, 1, 255, 60, 'x');
    for (uint8_t i = 0; i <= PORT_STATIONS; i++) {
        say(1, 0, (uint8_t)(100 + i), 255, 60, 'x');
    }
    (void)marks(0);
    (void)marks(1);
    (void)marks(2);
    say(2, 0, 3, 1, 60, 'a');
    CHECK_STR(marks(0), "a");
    CHECK_STR(marks(1), "");
    say(2, 0, 3, 101, 60, 'b');
    CHECK_STR(marks(0), "");
    CHECK_STR(marks(1), "b");
    say(2, 0, 3, 100, 60, 'c'); /* forgotten: to all */
    CHECK_STR(marks(0), "c");
    CHECK_STR(marks(1), "c");
}

static void test_refuses(void)
{
    char frame[60] = {0};

    lan_make(2);
    say(0, 0, 1, 255, 13, 'a');
    say(0, 0, 1, 255, WIRE_FRAME_MAX + 1, 'a');
    lan_receive(&lan, 0, 0, frame, sizeof frame); /* from nobody */
    frame[6] = 1;
    lan_receive(&lan, 0, 0, frame, sizeof frame); /* from a group */
    CHECK_STR(marks(1), "");
    CHECK_EQ(lan.port[0].count.too_short, 1);
    CHECK_EQ(lan.port[0].count.too_long, 1);
    CHECK_EQ(lan.port[0].count.bad_source, 2);
    say(0, 0, 1, 255, 15, 'b');
    say(0, 0, 1, 255, WIRE_FRAME_MAX, 'c');
    CHECK_STR(marks(1), "bc");
    CHECK_EQ(lan.port[0].count.in, 6);
    CHECK_EQ(lan.port[1].count.out, 2);
}

/* One that takes nothing costs the others nothing; and every slot comes back. */
static void test_full(void)
{
    lan_make(6);
    for (unsigned i = 0; i < PORT_FRAMES + 10; i++) {
        say(0, i, 1, 255, 60, 'a');
        for (unsigned port = 2; port < 6; port++) {
            (void)marks(port);
        }
    }
    CHECK_EQ(lan.port[1].count.full, 10);
    CHECK_EQ(lan.port[1].frames, PORT_FRAMES);
    CHECK_EQ(lan.port[5].count.full, 0);
    CHECK_EQ(lan.port[5].count.out, PORT_FRAMES + 10);
    CHECK_EQ(slots_free(), LAN_FRAMES - PORT_FRAMES);
    CHECK_EQ(strlen(marks(1)), PORT_FRAMES);
    for (unsigned i = 0; i < PORT_FRAMES; i++) {
        say(0, 0, 1, 255, 60, 'a'); /* all slots, to five ports */
    }
    CHECK_EQ(slots_free(), 0);
    CHECK(lan.port[5].count.full > 0);
    for (unsigned port = 1; port < 6; port++) {
        (void)marks(port);
    }
    CHECK_EQ(slots_free(), LAN_FRAMES);
}

static void test_order(void)
{
    lan_make(2);
    for (uint8_t i = 0; i < 20; i++) {
        say(0, 5, 1, 255, 60, (uint8_t)('a' + i));
    }
    CHECK_STR(marks(1), "abcdefghijklmnopqrst");
    lan.faults = (struct wire_faults){.delay = CHANCE_ALWAYS / 2, .delay_ns_max = 1000000};
    for (uint8_t i = 0; i < 20; i++) {
        say(0, 5, 1, 255, 60, (uint8_t)('a' + i));
    }
    const char *later = marks(1);
    CHECK_EQ(strlen(later), 20);
    CHECK(strcmp(later, "abcdefghijklmnopqrst") != 0);
    CHECK(lan.port[1].count.delayed > 2 && lan.port[1].count.delayed < 18);
}

/* Nothing arrives before its time. */
static void test_time(void)
{
    lan_make(2);
    CHECK_EQ(lan_due(&lan), LAN_NEVER);
    say(0, 1000, 1, 255, 60, 'a');
    CHECK(lan_due(&lan) > 1000);
    lan_tick(&lan, lan_due(&lan) - 1);
    CHECK(lan_next(&lan, 1) == NULL);
    lan_tick(&lan, lan_due(&lan));
    CHECK(lan_next(&lan, 1) != NULL);
    CHECK_EQ(lan_due(&lan), LAN_NEVER);
    lan_sent(&lan, 1, false);
    CHECK_EQ(lan.port[1].count.refused, 1);
    CHECK_EQ(lan.port[1].count.out, 0);
}

static void test_chance(void)
{
    lan_make(2);
    lan.faults.loss = CHANCE_ALWAYS;
    say(0, 0, 1, 255, 60, 'a');
    CHECK_STR(marks(1), "");
    CHECK_EQ(lan.port[1].count.lost, 1);
    lan.faults = (struct wire_faults){.duplicate = CHANCE_ALWAYS};
    say(0, 0, 1, 255, 60, 'a');
    CHECK_STR(marks(1), "aa");
    lan.faults = (struct wire_faults){.loss = CHANCE_ALWAYS / 10};
    for (unsigned i = 0; i < 1000; i++) {
        say(0, 0, 1, 255, 60, 'a');
        (void)marks(1);
    }
    CHECK(lan.port[1].count.lost > 60 && lan.port[1].count.lost < 140);
}

static unsigned bits_of(const struct lan_frame *frame)
{
    static const char sent[60] = {[0 ... 5] = -1, 2, 0, 0, 0, 0, 1, 8, 0, [59] = 'a'};
    unsigned bits = 0;

    for (size_t i = 0; i < sizeof sent; i++) {
        bits += (unsigned)__builtin_popcount((unsigned char)(sent[i] ^ frame->bytes[i]));
        CHECK(i >= WIRE_FRAME_MIN || sent[i] == frame->bytes[i]); /* a card would have seen it */
    }
    return bits;
}

static void test_corrupt(void)
{
    unsigned arrived = 0;

    lan_make(2);
    lan.faults.corrupt = CHANCE_ALWAYS;
    for (unsigned i = 0; i < 200; i++) {
        say(0, 0, 1, 255, 60, 'a');
        lan_tick(&lan, LAN_NEVER - 1);
        if (lan_next(&lan, 1) != NULL) {
            CHECK_EQ(bits_of(lan_next(&lan, 1)), 1);
            arrived++;
            lan_sent(&lan, 1, true);
        }
    }
    CHECK_EQ(lan.port[1].count.corrupted, 200);
    CHECK_EQ(lan.port[1].count.lost, 200 - arrived);
    CHECK(arrived > 100 && arrived < 200);
}

/* Of 16-bit words, as TCP sums them. */
static unsigned sum_of(const char *frame)
{
    unsigned sum = 0;

    for (size_t i = WIRE_FRAME_MIN; i < 60; i += 2) {
        sum += (unsigned)(uint8_t)frame[i] << 8 | (uint8_t)frame[i + 1];
    }
    return sum % 0xffff;
}

static void test_corrupt_unseen(void)
{
    unsigned unseen = 0;

    lan_make(2);
    lan.faults.corrupt = lan.faults.blind = CHANCE_ALWAYS;
    for (unsigned i = 0; i < 400; i++) {
        say(0, 0, 1, 255, 60, 'a');
        lan_tick(&lan, LAN_NEVER - 1);
        const struct lan_frame *frame = lan_next(&lan, 1);
        if (frame != NULL && bits_of(frame) == 2) {
            CHECK_EQ(sum_of(frame->bytes), 'a');
            unseen++;
        }
        if (frame != NULL) {
            lan_sent(&lan, 1, true);
        }
    }
    CHECK(unseen > 20); /* this frame has few bits that are set */
}

static void test_split(void)
{
    lan_make(3);
    lan.split = 1u << 1;
    say(0, 0, 1, 255, 60, 'a');
    CHECK_STR(marks(1), "");
    CHECK_STR(marks(2), "a");
    CHECK_EQ(lan.port[1].count.split, 1);
    lan.split = 0;
    say(0, 0, 1, 255, 60, 'b');
    CHECK_STR(marks(1), "b");
}

/* A DISCOVER of 2 is offered the address of its place. */
static void test_lease(void)
{
    char ask[14 + 20 + 8 + 244] = {[0 ... 5] = -1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45};

    ask[14 + 9] = 17;
    ask[14 + 20 + 3] = 67;
    ask[14 + 20 + 8] = 1;
    memcpy(ask + 14 + 20 + 8 + 240, "\x35\x01\x01\xff", 4);
    lan_make(3);
    lan_receive(&lan, 2, 0, ask, sizeof ask);
    CHECK_EQ(strlen(marks(0)), 1);
    CHECK_EQ(strlen(marks(2)), 0); /* nobody leases anything unless told to */
    lan.leases = true;
    lan_receive(&lan, 2, 0, ask, sizeof ask);
    lan_tick(&lan, LAN_NEVER - 1);
    REQUIRE(lan_next(&lan, 2) != NULL);
    CHECK_BYTES(lan_next(&lan, 2)->bytes + 14 + 20 + 8 + 16, "\x0a\x09\x00\x0c", 4);
}

/* The same seed does the same. */
static void test_seed(void)
{
    char first[LAN_FRAMES + 1];

    for (unsigned seed = 0; seed < 3; seed++) {
        lan_make(2);
        lan_seed(&lan, seed < 2 ? 9 : 10);
        lan.faults = (struct wire_faults){.loss = CHANCE_ALWAYS / 3, .delay = CHANCE_ALWAYS / 2, .delay_ns_max = 99999};
        for (uint8_t i = 0; i < 26; i++) {
            say(0, 0, 1, 255, 60, (uint8_t)('a' + i));
        }
        if (seed == 0) {
            strcpy(first, marks(1));
        } else {
            CHECK((strcmp(first, marks(1)) == 0) == (seed == 1));
        }
    }
}

int main(void)
{
    RUN(test_learns);
    RUN(test_nobody);
    RUN(test_stations_bounded);
    RUN(test_refuses);
    RUN(test_full);
    RUN(test_order);
    RUN(test_time);
    RUN(test_chance);
    RUN(test_corrupt);
    RUN(test_corrupt_unseen);
    RUN(test_split);
    RUN(test_lease);
    RUN(test_seed);
    return test_end();
}
