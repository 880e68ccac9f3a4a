/* SPDX-License-Identifier: MIT OR Apache-2.0
 * pack_test.c: the packed form against the specification's examples, and there and back in pieces of every size.
 */
#include "test.h"
#include "../capnp_pack.c"

static void check_form(const uint8_t *plain, size_t plain_bytes, const uint8_t *packed, size_t packed_bytes)
{
    uint64_t words[16];
    uint8_t made[256];
    uint8_t back[128];
    struct capnp_unpack unpack = {0};
    memcpy(words, plain, plain_bytes);
    size_t count = plain_bytes / 8;
    CHECK_EQ(capnp_pack(words, &count, made, sizeof(made)), packed_bytes);
    CHECK_EQ(count, plain_bytes / 8);
    CHECK_BYTES(made, packed, packed_bytes);
    size_t size = packed_bytes;
    CHECK_EQ(capnp_unpack(&unpack, packed, &size, back, plain_bytes), plain_bytes);
    CHECK_EQ(size, packed_bytes);
    CHECK_BYTES(back, plain, plain_bytes);
    CHECK(capnp_unpack_whole(&unpack));
}
#define BYTES(...) (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})

static void test_examples(void)
{
    check_form(BYTES(8, 0, 0, 0, 3, 0, 2, 0, 0x19, 0, 0, 0, 0xaa, 1, 0, 0), BYTES(0x51, 8, 3, 2, 0x31, 0x19, 0xaa, 1));
    check_form(BYTES(0, 0, 0, 0, 0, 0, 0, 0), BYTES(0, 0));
    check_form(BYTES(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), BYTES(0, 2));
    check_form(BYTES(1, 2, 3, 4, 5, 6, 7, 8), BYTES(0xff, 1, 2, 3, 4, 5, 6, 7, 8, 0));
    check_form(BYTES(1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 0, 6, 7, 8, 8, 0, 0, 0, 0, 0, 0, 0),
               BYTES(0xff, 1, 2, 3, 4, 5, 6, 7, 8, 1, 1, 2, 3, 4, 0, 6, 7, 8, 1, 8));
}

#define WORDS 700u
static uint64_t words[WORDS];
static uint8_t packed[WORDS * 10 + 10];
static uint8_t back[WORDS * 8];

/* Words of which many are zero, many full, in runs longer than a count can say. */
static void random_words(void)
{
    uint32_t i = 0;
    while (i < WORDS) {
        uint64_t kind = test_random() % 4;
        for (uint64_t run = test_random() % 2 ? test_random() % 4 : test_random() % 400; run > 0 && i < WORDS; run--) {
            uint64_t r = test_random() | test_random();
            words[i++] = kind == 0   ? 0
                         : kind == 1 ? r | 0x0101010101010101
                         : kind == 2 ? r & test_random() & test_random()
                                     : r % 7;
        }
    }
}
static void test_there_and_back_in_pieces(void)
{
    for (int round = 0; round < 300; round++) {
        random_words();
        size_t packed_size = 0;
        for (size_t at = 0; at < WORDS;) {
            size_t count = WORDS - at;
            size_t room = 10 + test_random() % (round % 2 ? 30 : 5000);
            room = room < sizeof(packed) - packed_size ? room : sizeof(packed) - packed_size;
            packed_size += capnp_pack(words + at, &count, packed + packed_size, room);
            REQUIRE(count > 0);
            at += count;
        }
        struct capnp_unpack unpack = {0};
        size_t in = 0, out = 0;
        while (in < packed_size || out < sizeof(back)) {
            size_t size = test_random() % 20, room = test_random() % 50;
            size = size < packed_size - in ? size : packed_size - in;
            room = room < sizeof(back) - out ? room : sizeof(back) - out;
            out += capnp_unpack(&unpack, packed + in, &size, back + out, room);
            in += size;
        }
        CHECK_EQ(out, sizeof(back));
        CHECK(capnp_unpack_whole(&unpack));
        CHECK_BYTES(back, words, sizeof(back));
    }
}
/* Two bytes become 2 KiB, but never more than there is room for. */
static void test_bounded_by_room(void)
{
    static const uint8_t bomb[] = {0, 255, 0, 255, 0, 255};
    struct capnp_unpack unpack = {0};
    uint8_t room[16];
    size_t size = sizeof(bomb), total = 0;
    CHECK_EQ(capnp_unpack(&unpack, bomb, &size, room, sizeof(room)), 16);
    CHECK_EQ(size, 2);
    CHECK(!capnp_unpack_whole(&unpack));
    for (size_t got = 16; got > 0; total += got) {
        size_t none = 0;
        got = capnp_unpack(&unpack, bomb, &none, room, sizeof(room));
    }
    CHECK_EQ(total, 16 + 2048 - 32);
}
static void test_pack_needs_room(void)
{
    uint64_t word = 5;
    uint8_t bytes[10];
    size_t count = 1;
    CHECK_EQ(capnp_pack(&word, &count, bytes, 9), 0);
    CHECK_EQ(count, 0);
    count = 1;
    CHECK_EQ(capnp_pack(&word, &count, bytes, 10), 2);
    CHECK_EQ(count, 1);
}

int main(void)
{
    RUN(test_examples);
    RUN(test_there_and_back_in_pieces);
    RUN(test_bounded_by_room);
    RUN(test_pack_needs_room);
    return test_end();
}
