/* SPDX-License-Identifier: MIT OR Apache-2.0
 * capnp_test.c: messages as a liar would write them, one named test each, and builders at the end of their room.
 */
#include "test.h"
#include "../capnp_build.c"
#include "../capnp_frame.c"
#include "../capnp_read.c"
#include "../capnp_walk.c"

/* A message out of raw words: as many segments as a test lays out, each in memory of exactly its size, so that ASan sees
 * the first byte beyond. */
struct raw {
    struct message message;
    struct message_segment segment[4];
    struct object *caps[2];
};

static void raw_add(struct raw *raw, const uint64_t *words, uint32_t count)
{
    uint64_t *copy = malloc(count * 8u + (count == 0));
    for (uint32_t i = 0; i < count; i++) {
        copy[i] = words[i];
    }
    raw->segment[raw->message.segment_count++] = (struct message_segment){copy, count, count};
    raw->message.segment = raw->segment;
    raw->message.segment_max = 4;
    raw->message.read_limit_words += CAPNP_READ_LIMIT(count);
    raw->message.caps = raw->caps;
    raw->message.cap_max = 2;
}
static void raw_free(struct raw *raw)
{
    for (unsigned i = 0; i < raw->message.segment_count; i++) {
        free(raw->segment[i].words);
    }
}
#define RAW(raw, ...)                                                                                                  \
    do {                                                                                                               \
        const uint64_t raw_words[] = {__VA_ARGS__};                                                                    \
        raw_add(&(raw), raw_words, (uint32_t)(sizeof(raw_words) / 8));                                                 \
    } while (0)

static uint64_t struct_to(int32_t offset, uint16_t data_words, uint16_t pointers)
{
    return wire_with_offset(wire_struct(data_words, pointers), offset);
}
static uint64_t list_to(int32_t offset, enum capnp_element element, uint32_t count)
{
    return wire_with_offset(wire_list(element, count), offset);
}
static uint64_t far_to(bool is_double, uint32_t segment, uint32_t word)
{
    return (uint64_t)segment << 32 | (uint64_t)word << 3 | (is_double ? 4 : 0) | WIRE_FAR;
}
static struct capnp_ref root(struct raw *raw)
{
    return capnp_payload_ref(capnp_root(&raw->message));
}

/* The message must be refused by the check, by a lazy reader of either kind, and by a copy, each on its own. */
static void check_refused(struct raw *raw)
{
    static uint64_t room[4096];
    struct message_segment segment;
    struct message target;
    uint64_t words;
    uint32_t caps;
    uint64_t budget = raw->message.read_limit_words;
    CHECK(!capnp_check(root(raw), NULL));
    CHECK(raw->message.malformed);
    raw->message.malformed = false;
    raw->message.read_limit_words = budget;
    CHECK(!capnp_measure(root(raw), &words, &caps));
    raw->message.malformed = false;
    raw->message.read_limit_words = budget;
    capnp_message_build(&target, &segment, room, 4096, NULL, 0);
    CHECK(!capnp_copy(capnp_payload_slot(capnp_root(&target)), root(raw)));
    CHECK(target.failed);
    raw->message.malformed = false;
    raw->message.read_limit_words = budget;
}
static void check_root_refused(struct raw *raw)
{
    check_refused(raw);
    struct capnp_reader r = capnp_read_struct(root(raw));
    CHECK_EQ(r.data_bytes, 0);
    CHECK_EQ(r.pointer_count, 0);
    CHECK(raw->message.malformed);
    raw_free(raw);
}
static void check_list_refused(struct raw *raw, enum capnp_element element)
{
    check_refused(raw);
    CHECK_EQ(capnp_read_list(root(raw), element).count, 0);
    CHECK(raw->message.malformed);
    raw_free(raw);
}

static void test_struct_out_of_bounds(void)
{
    struct raw beyond = {0}, before = {0}, tail = {0}, nothing = {0};
    RAW(beyond, struct_to(0, 1, 0));
    check_root_refused(&beyond);
    RAW(before, struct_to(-2, 1, 0));
    check_root_refused(&before);
    RAW(tail, struct_to(0, 1, 1), 0);
    check_root_refused(&tail);
    raw_add(&nothing, NULL, 0);
    CHECK_EQ(capnp_read_struct(root(&nothing)).data_bytes, 0);
    CHECK(nothing.message.malformed);
    raw_free(&nothing);
}

/* Offsets and sizes whose sum leaves 32 bits, or the address space when it becomes an address. */
static void test_cve_2015_2310_pointer_overflow(void)
{
    struct raw offset = {0}, list = {0}, structs = {0};
    RAW(offset, struct_to(0x1fffffff, 0xffff, 0xffff), 0);
    check_root_refused(&offset);
    RAW(list, list_to(0, CAPNP_EIGHT_BYTES, 0x1fffffff), 0);
    check_list_refused(&list, CAPNP_EIGHT_BYTES);
    RAW(structs, list_to(0, CAPNP_STRUCT, 0x1fffffff), struct_to(1, 1, 0), 0);
    check_list_refused(&structs, CAPNP_STRUCT);
}
/* A tag whose elements times size wraps to what the list has. */
static void test_cve_2015_2311_pointer_underflow(void)
{
    struct raw wraps = {0}, negative = {0};
    RAW(wraps, list_to(0, CAPNP_STRUCT, 2), struct_to(0x10000000, 8, 8), 0, 0);
    check_list_refused(&wraps, CAPNP_STRUCT);
    RAW(negative, list_to(0, CAPNP_STRUCT, 1), struct_to(-1, 1, 0), 0);
    check_list_refused(&negative, CAPNP_STRUCT);
}
static void test_cve_2015_2312_zero_size_structs(void)
{
    struct raw raw = {0};
    RAW(raw, list_to(0, CAPNP_STRUCT, 0), struct_to(0x1fffffff, 0, 0));
    check_list_refused(&raw, CAPNP_STRUCT);
}
static void test_cve_2015_2313_void_list(void)
{
    struct raw raw = {0}, affordable = {0};
    RAW(raw, list_to(0, CAPNP_VOID, 0x1fffffff));
    check_list_refused(&raw, CAPNP_VOID);
    RAW(affordable, list_to(0, CAPNP_VOID, 1000));
    CHECK_EQ(capnp_read_list(root(&affordable), CAPNP_VOID).count, 1000);
    CHECK(!affordable.message.malformed);
    raw_free(&affordable);
}
/* The bounds check must stand in numbers, not in addresses that the optimiser may assume not to wrap. */
static void test_cve_2017_7892_check_removed(void)
{
    struct raw up = {0}, down = {0};
    RAW(up, 0, struct_to(0x1fffffff, 0, 1));
    RAW(up, far_to(false, 0, 1), 0);
    up.message.segment[0].words[0] = far_to(false, 0, 1);
    check_root_refused(&up);
    RAW(down, struct_to(-0x20000000, 0, 1), 0);
    check_root_refused(&down);
}
/* A list of structs whose pointers come after data, read as a list of pointers: the data must not be taken for them. */
static void test_cve_2022_46149_pointer_list_upgrade(void)
{
    struct raw raw = {0};
    RAW(raw, list_to(0, CAPNP_STRUCT, 4), struct_to(2, 1, 1), 0x4141414141414141, list_to(2, CAPNP_BYTE, 3),
        0x4242424242424242, 0, 0x00006968);
    struct capnp_list l = capnp_read_list(root(&raw), CAPNP_POINTER);
    CHECK_EQ(l.count, 2);
    CHECK_STR(capnp_read_text(capnp_list_ref(l, 0)).text, "hi");
    CHECK_STR(capnp_read_text(capnp_list_ref(l, 1)).text, "");
    CHECK_STR(capnp_read_text(capnp_list_ref(l, 2)).text, "");
    CHECK(!raw.message.malformed);
    raw_free(&raw);
    struct raw none = {0};
    RAW(none, list_to(0, CAPNP_STRUCT, 1), struct_to(1, 1, 0), 0x4141414141414141);
    CHECK_EQ(capnp_read_list(root(&none), CAPNP_POINTER).count, 0);
    CHECK(none.message.malformed);
    raw_free(&none);
}
static void test_far_pointer_loop(void)
{
    struct raw self = {0}, pair = {0};
    RAW(self, far_to(false, 0, 0));
    check_root_refused(&self);
    RAW(pair, far_to(false, 1, 0));
    RAW(pair, far_to(false, 0, 0));
    check_root_refused(&pair);
}
static void test_double_far_to_double_far(void)
{
    struct raw raw = {0}, to_far = {0}, from_near = {0};
    RAW(from_near, far_to(true, 1, 0));
    RAW(from_near, struct_to(2, 1, 0), struct_to(0, 1, 0), 5); /* the first word would do as a far pointer */
    check_root_refused(&from_near);
    RAW(raw, far_to(true, 1, 0));
    RAW(raw, far_to(true, 0, 0), struct_to(0, 1, 0));
    check_root_refused(&raw);
    RAW(to_far, far_to(true, 1, 0));
    RAW(to_far, far_to(false, 0, 0), far_to(false, 0, 0));
    check_root_refused(&to_far);
}
static void test_far_out_of_bounds(void)
{
    struct raw segment = {0}, pad = {0}, half = {0}, content = {0};
    RAW(segment, far_to(false, 1, 0));
    segment.segment[1] = (struct message_segment){(uint64_t[]){struct_to(0, 1, 0), 1}, 2, 2}; /* not of the message */
    check_root_refused(&segment);
    RAW(pad, far_to(false, 0, 1));
    check_root_refused(&pad);
    RAW(half, far_to(true, 1, 0));
    RAW(half, far_to(false, 0, 0));
    check_root_refused(&half);
    RAW(content, far_to(true, 1, 0));
    RAW(content, far_to(false, 7, 0), struct_to(0, 1, 0));
    check_root_refused(&content);
}
static void test_far_and_double_far_read(void)
{
    struct raw one = {0}, two = {0};
    RAW(one, far_to(false, 1, 1));
    RAW(one, 0, struct_to(0, 1, 0), 77);
    CHECK_EQ(capnp_get_u64(capnp_read_struct(root(&one)), 0), 77);
    CHECK(!one.message.malformed);
    raw_free(&one);
    RAW(two, far_to(true, 1, 0));
    RAW(two, far_to(false, 2, 1), struct_to(0, 1, 0));
    RAW(two, 0, 78);
    CHECK_EQ(capnp_get_u64(capnp_read_struct(root(&two)), 0), 78);
    CHECK(capnp_check(root(&two), NULL));
    raw_free(&two);
}
/* Pointers that share content, level upon level: 2^30 ways through 31 words. */
static void test_overlapping_pointers(void)
{
    struct raw raw = {0};
    uint64_t words[62];
    words[0] = struct_to(0, 0, 2);
    for (uint32_t i = 1; i < 61; i += 2) {
        words[i] = struct_to(1, 0, 2);
        words[i + 1] = struct_to(0, 0, 2);
    }
    words[59] = words[60] = words[61] = 0;
    raw_add(&raw, words, 62);
    check_refused(&raw);
    raw_free(&raw);
    struct raw fine = {0}; /* Twice the same content is allowed, and paid twice. */
    RAW(fine, struct_to(0, 0, 2), struct_to(1, 1, 0), struct_to(0, 1, 0), 5);
    CHECK(capnp_check(root(&fine), NULL));
    raw_free(&fine);
}
static void test_depth(void)
{
    for (uint32_t levels = CAPNP_DEPTH_MAX - 1; levels <= CAPNP_DEPTH_MAX + 1; levels++) {
        struct raw raw = {0};
        uint64_t words[80];
        for (uint32_t i = 0; i < levels; i++) {
            words[i] = struct_to(0, 0, 1);
        }
        words[levels] = 0;
        raw_add(&raw, words, levels + 1);
        CHECK_EQ(capnp_check(root(&raw), NULL), levels <= CAPNP_DEPTH_MAX);
        raw_free(&raw);
    }
    struct raw self = {0};
    RAW(self, struct_to(-1, 0, 1));
    check_refused(&self);
    raw_free(&self);
}
/* Lists cost a level, and the structs in them one more, for the check and for a lazy reader alike. */
static void test_depth_of_lists(void)
{
    for (uint32_t levels = CAPNP_DEPTH_MAX - 1; levels <= CAPNP_DEPTH_MAX + 1; levels++) {
        struct raw raw = {0};
        uint64_t words[80] = {0};
        for (uint32_t i = 0; i < levels; i++) {
            words[i] = list_to(0, CAPNP_POINTER, 1);
        }
        raw_add(&raw, words, levels + 1);
        struct capnp_ref ref = root(&raw);
        CHECK_EQ(capnp_check(ref, NULL), levels <= CAPNP_DEPTH_MAX);
        raw.message.malformed = false;
        for (uint32_t i = 0; i < levels; i++) {
            ref = capnp_list_ref(capnp_read_list(ref, CAPNP_POINTER), 0);
        }
        CHECK_EQ(!raw.message.malformed, levels <= CAPNP_DEPTH_MAX);
        raw_free(&raw);
    }
    for (uint32_t levels = CAPNP_DEPTH_MAX / 2 - 1; levels <= CAPNP_DEPTH_MAX / 2 + 1; levels++) {
        struct raw raw = {0};
        uint64_t words[80] = {0};
        for (uint32_t i = 0; i < levels; i++) {
            words[2 * i] = list_to(0, CAPNP_STRUCT, 1);
            words[2 * i + 1] = struct_to(1, 0, 1);
        }
        raw_add(&raw, words, 2 * levels + 1);
        struct capnp_ref ref = root(&raw);
        CHECK_EQ(capnp_check(ref, NULL), levels <= CAPNP_DEPTH_MAX / 2);
        raw.message.malformed = false;
        for (uint32_t i = 0; i < levels; i++) {
            ref = capnp_get_ref(capnp_list_struct(capnp_read_list(ref, CAPNP_STRUCT), 0), 0);
        }
        CHECK_EQ(!raw.message.malformed, levels <= CAPNP_DEPTH_MAX / 2);
        raw_free(&raw);
    }
    struct raw odd = {0}; /* A list at the last level: its structs are one too deep. */
    uint64_t words[70] = {0};
    for (uint32_t i = 0; i < CAPNP_DEPTH_MAX - 1; i++) {
        words[i] = struct_to(0, 0, 1);
    }
    words[CAPNP_DEPTH_MAX - 1] = list_to(0, CAPNP_STRUCT, 1);
    words[CAPNP_DEPTH_MAX] = struct_to(1, 0, 1);
    raw_add(&odd, words, CAPNP_DEPTH_MAX + 2);
    check_refused(&odd);
    struct capnp_ref ref = root(&odd);
    for (uint32_t i = 0; i < CAPNP_DEPTH_MAX - 1; i++) {
        ref = capnp_get_ref(capnp_read_struct(ref), 0);
    }
    CHECK_EQ(capnp_list_struct(capnp_read_list(ref, CAPNP_STRUCT), 0).pointer_count, 0);
    CHECK(odd.message.malformed);
    raw_free(&odd);
}
static void test_capability_index_out_of_range(void)
{
    struct raw raw = {0}, other = {0}, none = {0};
    struct object object = {0};
    RAW(raw, (uint64_t)1 << 32 | WIRE_OTHER);
    raw.caps[0] = raw.caps[1] = &object;
    raw.message.cap_count = 1;
    check_refused(&raw);
    CHECK(capnp_read_cap(root(&raw)) == NULL);
    CHECK(raw.message.malformed);
    raw.message.malformed = false;
    raw.message.cap_count = 2;
    CHECK(capnp_read_cap(root(&raw)) == &object);
    raw_free(&raw);
    RAW(other, (uint64_t)0 << 32 | 7 << 2 | WIRE_OTHER); /* A kind of "other" that does not exist. */
    other.message.cap_count = 2;
    other.caps[0] = &object;
    check_refused(&other);
    CHECK(capnp_read_cap(root(&other)) == NULL);
    raw_free(&other);
    RAW(none, struct_to(0, 1, 0), 1);
    CHECK(capnp_read_cap(root(&none)) == NULL);
    CHECK(none.message.malformed);
    raw_free(&none);
}
static void test_text_without_nul(void)
{
    struct raw raw = {0}, empty = {0}, words = {0};
    RAW(raw, list_to(0, CAPNP_BYTE, 3), 0x636261);
    CHECK_STR(capnp_read_text(root(&raw)).text, "");
    CHECK(raw.message.malformed);
    raw.message.malformed = false;
    CHECK_EQ(capnp_read_data(root(&raw)).size, 3);
    raw_free(&raw);
    RAW(empty, list_to(0, CAPNP_BYTE, 0));
    CHECK_EQ(capnp_read_text(root(&empty)).size, 0);
    CHECK(empty.message.malformed);
    raw_free(&empty);
    RAW(words, list_to(0, CAPNP_EIGHT_BYTES, 1), 0x636261);
    CHECK_STR(capnp_read_text(root(&words)).text, "");
    CHECK(words.message.malformed);
    words.message.malformed = false;
    CHECK_EQ(capnp_read_data(root(&words)).size, 0);
    CHECK(words.message.malformed);
    raw_free(&words);
}
static void test_wrong_kind(void)
{
    struct raw raw = {0}, list = {0};
    RAW(raw, struct_to(0, 1, 0), 1);
    CHECK_EQ(capnp_read_list(root(&raw), CAPNP_BYTE).count, 0);
    CHECK(raw.message.malformed);
    raw_free(&raw);
    RAW(list, list_to(0, CAPNP_BYTE, 1), 1);
    CHECK_EQ(capnp_read_struct(root(&list)).data_bytes, 0);
    CHECK(list.message.malformed);
    raw_free(&list);
}
static void test_bit_list_is_only_bits(void)
{
    struct raw raw = {0}, bytes = {0};
    RAW(raw, list_to(0, CAPNP_BIT, 9), 0x101);
    struct capnp_list l = capnp_read_list(root(&raw), CAPNP_BIT);
    CHECK_EQ(l.count, 9);
    CHECK(capnp_list_bool(l, 0) && !capnp_list_bool(l, 1) && capnp_list_bool(l, 8) && !capnp_list_bool(l, 9));
    CHECK_EQ(capnp_read_list(root(&raw), CAPNP_STRUCT).count, 0);
    CHECK(raw.message.malformed);
    raw_free(&raw);
    RAW(bytes, list_to(0, CAPNP_BYTE, 8), 0x101);
    CHECK_EQ(capnp_read_list(root(&bytes), CAPNP_BIT).count, 0);
    CHECK(bytes.message.malformed);
    raw_free(&bytes);
}
static void test_list_tag_is_no_struct(void)
{
    struct raw raw = {0};
    RAW(raw, list_to(0, CAPNP_STRUCT, 1), list_to(0, CAPNP_BYTE, 1), 0);
    check_list_refused(&raw, CAPNP_STRUCT);
}
/* What is malformed stays malformed, and the budget of a check that passes is given back. */
static void test_marks_stick(void)
{
    struct raw raw = {0};
    RAW(raw, struct_to(0, 1, 1), 9, list_to(7, CAPNP_BYTE, 1));
    struct capnp_reader r = capnp_read_struct(root(&raw));
    CHECK_EQ(capnp_get_u64(r, 0), 9);
    CHECK(!raw.message.malformed);
    CHECK_EQ(capnp_read_data(capnp_get_ref(r, 0)).size, 0);
    CHECK(raw.message.malformed);
    CHECK_EQ(capnp_get_u64(capnp_read_struct(root(&raw)), 0), 9);
    CHECK(!capnp_check(root(&raw), NULL));
    raw_free(&raw);
    struct raw fine = {0};
    RAW(fine, struct_to(0, 1, 0), 9);
    fine.message.read_limit_words = 1;
    CHECK(capnp_check(root(&fine), NULL));
    CHECK_EQ(fine.message.read_limit_words, 1);
    fine.message.read_limit_words = 0;
    CHECK(!capnp_check(root(&fine), NULL));
    raw_free(&fine);
    struct raw empty = {0}; /* Even nothing costs a look. */
    RAW(empty, struct_to(-1, 0, 0));
    empty.message.read_limit_words = 0;
    CHECK(!capnp_check(root(&empty), NULL));
    raw_free(&empty);
}

/* ---- framing ---- */

static void test_segment_count_ffffffff(void)
{
    struct capnp_frame frame;
    uint8_t header[8] = {0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0};
    CHECK_EQ(capnp_frame_parse(&frame, header, 8, 1000), ST_PROTO);
    CHECK_EQ(capnp_frame_parse(&frame, header, 4, 1000), ST_PROTO);
    CHECK_EQ(capnp_frame_parse(&frame, header, 3, 1000), ST_AGAIN);
    uint8_t many[4] = {MESSAGE_SEGMENTS_MAX, 0, 0, 0};
    CHECK_EQ(capnp_frame_parse(&frame, many, 4, 1000), ST_PROTO);
    many[0] = MESSAGE_SEGMENTS_MAX - 1;
    CHECK_EQ(capnp_frame_parse(&frame, many, 4, 1000), ST_AGAIN);
}
static void test_segment_table_longer_than_message(void)
{
    struct capnp_frame frame;
    uint8_t header[16] = {2, 0, 0, 0, 5, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    CHECK_EQ(capnp_frame_parse(&frame, header, 16, 0xffffffff), ST_PROTO);
    CHECK_EQ(capnp_frame_parse(&frame, header, 15, 1000), ST_AGAIN);
    memset(header + 8, 0, 8);
    CHECK_EQ(capnp_frame_parse(&frame, header, 16, 4), ST_PROTO);
    CHECK_EQ(capnp_frame_parse(&frame, header, 16, 5), ST_OK);
    CHECK_EQ(frame.words, 5);
    CHECK_EQ(frame.segment_count, 3);
    CHECK_EQ(frame.header_bytes, 16);
    struct message_segment segment[3];
    struct message message = {.segment = segment, .segment_max = 2};
    uint64_t words[5] = {0};
    CHECK_EQ(capnp_frame_message(&frame, words, &message), ST_RANGE);
    message.segment_max = 3;
    CHECK_EQ(capnp_frame_message(&frame, words, &message), ST_OK);
    CHECK_EQ(segment[0].used, 5);
    CHECK_EQ(segment[2].used, 0);
    CHECK_EQ(capnp_message_words(&message), 5);
    uint8_t again[16];
    memset(again, 0xaa, sizeof(again));
    CHECK_EQ(capnp_frame_header(&message, again, sizeof(again)), 16);
    CHECK_BYTES(again, header, 16);
}

/* ---- building ---- */

/* Memory for a message that is full of an earlier one, and a grow that gives as many segments as a test allows. */
static uint64_t pool[16][64];
static uint32_t pool_words; /* of each further segment */
static uint32_t pool_left;

static bool grow(struct message *message, uint32_t words)
{
    if (pool_left == 0 || words > pool_words || message->segment_count == message->segment_max) {
        return false;
    }
    pool_left--;
    message->segment[message->segment_count] = (struct message_segment){pool[message->segment_count], 0, pool_words};
    message->segment_count++;
    return true;
}
static void build(struct message *message, struct message_segment *segment, uint32_t first_words, uint32_t more_words,
                  uint32_t more, struct object **caps)
{
    memset(pool, 0xaa, sizeof(pool));
    pool_words = more_words;
    pool_left = more;
    capnp_message_build(message, segment, pool[0], first_words, caps, 2);
    message->segment_max = 16;
    message->grow = grow;
}
/* A small tree; the same whatever the segments are. */
static void build_tree(struct message *message)
{
    struct capnp_builder b = capnp_init_struct(capnp_payload_slot(capnp_root(message)), 2, 4);
    capnp_put_u32(b, 4, 0xdeadbeef);
    capnp_put_bool(b, 64, true);
    capnp_set_text(capnp_slot(b, 0), capnp_text("a text of some length"));
    struct capnp_list_builder l = capnp_init_struct_list(capnp_slot(b, 1), 3, 1, 1);
    for (uint32_t i = 0; i < 3; i++) {
        capnp_put_u16(capnp_list_builder_struct(l, i), 2, (uint16_t)(i + 1));
        capnp_set_data(capnp_slot(capnp_list_builder_struct(l, i), 0), capnp_data("\1\2\3", i));
    }
    struct capnp_list_builder bits = capnp_init_list(capnp_slot(b, 2), CAPNP_BIT, 70);
    capnp_list_put_bool(bits, 69, true);
}
static void check_tree(struct message *message)
{
    struct capnp_reader r = capnp_read_struct(capnp_payload_ref(capnp_root(message)));
    CHECK_EQ(capnp_get_u32(r, 4), 0xdeadbeef);
    CHECK_EQ(capnp_get_u32(r, 0), 0);
    CHECK(capnp_get_bool(r, 64) && !capnp_get_bool(r, 65));
    CHECK_STR(capnp_read_text(capnp_get_ref(r, 0)).text, "a text of some length");
    struct capnp_list l = capnp_read_list(capnp_get_ref(r, 1), CAPNP_STRUCT);
    CHECK_EQ(l.count, 3);
    for (uint32_t i = 0; i < 3; i++) {
        CHECK_EQ(capnp_get_u16(capnp_list_struct(l, i), 2), i + 1);
        CHECK_EQ(capnp_read_data(capnp_get_ref(capnp_list_struct(l, i), 0)).size, i);
    }
    struct capnp_list bits = capnp_read_list(capnp_get_ref(r, 2), CAPNP_BIT);
    CHECK(capnp_list_bool(bits, 69) && !capnp_list_bool(bits, 0));
    CHECK(!capnp_has(r, 3));
    CHECK(capnp_check(capnp_payload_ref(capnp_root(message)), NULL));
}
static void test_build_across_segments(void)
{
    for (uint32_t first = 1; first < 40; first++) {
        struct message message;
        struct message_segment segment[16];
        build(&message, segment, first, 8, 15, NULL);
        build_tree(&message);
        CHECK(!message.failed);
        check_tree(&message);
    }
}
static void test_failure_sticks(void)
{
    uint32_t failures = 0;
    for (uint32_t words = 1; words < 40; words++) {
        struct message message;
        struct message_segment segment[16];
        build(&message, segment, words, 8, 0, NULL);
        build_tree(&message);
        failures += message.failed;
        if (message.failed) { /* Nothing after the failure has any effect. */
            uint32_t used = segment[0].used;
            CHECK(capnp_payload_slot(capnp_root(&message)).at == NULL);
            CHECK_EQ(capnp_init_data((struct capnp_slot){&message, segment[0].words, 0}, 1).size, 0);
            CHECK_EQ(segment[0].used, used);
        } else {
            check_tree(&message);
        }
    }
    CHECK(failures > 10 && failures < 39);
}
static void test_list_too_long_fails(void)
{
    struct message message;
    struct message_segment segment[16];
    build(&message, segment, 64, 0, 0, NULL);
    struct capnp_slot slot = capnp_payload_slot(capnp_root(&message));
    CHECK_EQ(capnp_init_list(slot, CAPNP_EIGHT_BYTES, 0xffffffff).count, 0);
    CHECK(message.failed);
    message.failed = false;
    CHECK_EQ(capnp_init_struct_list(slot, 0x10000001, 16, 0).count, 0);
    CHECK(message.failed);
    message.failed = false;
    CHECK_EQ(capnp_init_list(slot, CAPNP_VOID, CAPNP_COUNT_MAX + 1).count, 0);
    CHECK(message.failed);
    message.failed = false;
    CHECK_EQ(capnp_init_text(slot, 0xffffffff).size, 0);
    CHECK(message.failed);
    message.failed = false;
    capnp_set_text(slot, (struct capnp_text){"x", 0xffffffff});
    CHECK(message.failed);
}
static void test_new_words_are_zero(void)
{
    struct message message;
    struct message_segment segment[16];
    build(&message, segment, 64, 0, 0, NULL);
    struct capnp_builder b = capnp_init_struct(capnp_payload_slot(capnp_root(&message)), 1, 3);
    struct capnp_bytes bytes = capnp_init_data(capnp_slot(b, 0), 13);
    struct capnp_bytes text = capnp_init_text(capnp_slot(b, 1), 15);
    struct capnp_list_builder l = capnp_init_list(capnp_slot(b, 2), CAPNP_TWO_BYTES, 5);
    CHECK(bytes.size == 13 && text.size == 15 && l.count == 5);
    for (uint32_t i = 1; i < segment[0].used; i++) {
        CHECK(segment[0].words[i] == 0 || (i >= 2 && i < 5));
    }
}
static void test_capabilities_are_counted(void)
{
    static const struct object_ops ops = {0};
    struct object object;
    struct object *caps[2], *copied[2];
    struct message message, copy_message;
    struct message_segment segment[16], copy_segment;
    uint64_t room[64];
    object_init(&object, &ops);
    build(&message, segment, 64, 0, 0, caps);
    struct capnp_builder b = capnp_init_struct(capnp_payload_slot(capnp_root(&message)), 0, 3);
    capnp_set_cap(capnp_slot(b, 0), &object);
    capnp_set_cap(capnp_slot(b, 1), NULL);
    capnp_set_cap(capnp_slot(b, 2), &object);
    CHECK_EQ(object.references, 3);
    CHECK_EQ(message.cap_count, 2);
    uint64_t words;
    uint32_t cap_count;
    CHECK(capnp_measure(capnp_payload_ref(capnp_root(&message)), &words, &cap_count));
    CHECK_EQ(words, 3);
    CHECK_EQ(cap_count, 2);
    capnp_message_build(&copy_message, &copy_segment, room, 64, copied, 2);
    CHECK(capnp_copy(capnp_payload_slot(capnp_root(&copy_message)), capnp_payload_ref(capnp_root(&message))));
    CHECK_EQ(object.references, 5);
    struct capnp_reader r = capnp_read_struct(capnp_payload_ref(capnp_root(&copy_message)));
    CHECK(capnp_read_cap(capnp_get_ref(r, 0)) == &object && capnp_read_cap(capnp_get_ref(r, 1)) == NULL);
    capnp_set_cap((struct capnp_slot){&message, b.pointers, 0}, &object); /* A third does not fit. */
    CHECK(message.failed);
    CHECK_EQ(object.references, 5);
    capnp_message_build(&copy_message, &copy_segment, room, 64, copied, 0);
    CHECK(!capnp_canonical(&copy_message, capnp_payload_ref(capnp_root(&message))));
}
/* Forms that differ in memory but not in meaning have one canonical form. */
static void test_canonical(void)
{
    struct raw raw = {0}, same = {0};
    uint64_t room[2][64];
    struct message_segment segment[2];
    struct message message[2];
    RAW(raw, far_to(false, 1, 0));
    RAW(raw, struct_to(0, 2, 3), 7, 0, list_to(3, CAPNP_STRUCT, 6), list_to(1, CAPNP_BYTE, 2), 0, 0x00000041,
        struct_to(2, 1, 2), 5, 0, 0, 0, 0, 0);
    RAW(same, struct_to(0, 1, 2), 7, list_to(2, CAPNP_BYTE, 2), list_to(0, CAPNP_STRUCT, 2), struct_to(2, 1, 0), 5, 0,
        0x41);
    same.segment[0].words[2] = list_to(1, CAPNP_STRUCT, 2);
    same.segment[0].words[3] = list_to(3, CAPNP_BYTE, 2);
    capnp_message_build(&message[0], &segment[0], room[0], 64, NULL, 0);
    capnp_message_build(&message[1], &segment[1], room[1], 64, NULL, 0);
    CHECK(capnp_canonical(&message[0], root(&raw)));
    CHECK(capnp_canonical(&message[1], root(&same)));
    CHECK_EQ(segment[0].used, 8);
    CHECK_EQ(segment[1].used, 8);
    CHECK_BYTES(room[0], room[1], 64);
    CHECK_BYTES(room[0], same.segment[0].words, 64);
    raw_free(&raw);
    raw_free(&same);
    struct raw bits = {0}; /* What stands after the last bit is nobody's. */
    RAW(bits, list_to(0, CAPNP_BIT, 11), 0xffffffffffffffff);
    capnp_message_build(&message[0], &segment[0], room[0], 64, NULL, 0);
    CHECK(capnp_canonical(&message[0], root(&bits)));
    CHECK_EQ(room[0][1], 0x7ff);
    raw_free(&bits);
}
static void test_payload_outside(void)
{
    struct raw raw = {0};
    RAW(raw, 0);
    CHECK(capnp_payload_ref((struct payload){&raw.message, 0, 1}).at == NULL);
    CHECK(raw.message.malformed);
    CHECK(capnp_payload_slot((struct payload){&raw.message, 1, 0}).at == NULL);
    CHECK(raw.message.failed);
    CHECK(capnp_payload_ref((struct payload){NULL, 0, 0}).at == NULL);
    CHECK_EQ(capnp_read_struct((struct capnp_ref){0}).data_bytes, 0);
    raw_free(&raw);
}

static void raw_renew(struct raw *raw)
{
    raw->message.malformed = false;
    raw->message.read_limit_words = 1000;
}

/* How many pointers the short way opens; each must be what the long way makes of it. */
static uint32_t near_structs(struct raw *raw)
{
    uint32_t opened = 0;
    for (uint16_t s = 0; s < raw->message.segment_count; s++) {
        for (uint32_t i = 0; i < raw->segment[s].used; i++) {
            struct capnp_ref ref = {&raw->message, raw->segment[s].words + i, s, (uint32_t)(test_random() % 3)};
            struct capnp_reader near = {0}, far = {0};
            raw_renew(raw);
            if (locate_near(ref, *ref.at, &near)) {
                bool same = locate_struct(ref, *ref.at, &far) && near.message == far.message && near.data == far.data &&
                            near.pointers == far.pointers && near.segment == far.segment &&
                            near.data_bytes == far.data_bytes && near.depth == far.depth &&
                            near.pointer_count == far.pointer_count;
                REQUIRE(same);
                opened++;
            }
        }
    }
    return opened;
}

/* The check that reads at once says of a struct what a walk with a frame for each level does. True: it is fine. */
static bool check_both(struct raw *raw)
{
    static const struct capnp_member only_cap = {NULL, {.kind = CAPNP_TYPE_CAP}, 0};
    static const struct capnp_shape inner = {&only_cap, 1};
    static const struct capnp_member members[] = {{NULL, {.kind = CAPNP_TYPE_CAP}, 0},
                                                  {NULL, {.kind = CAPNP_TYPE_STRUCT, .shape = &inner}, 1},
                                                  {NULL, {.kind = CAPNP_TYPE_DATA}, 2}};
    static const struct capnp_shape shape = {members, 3};
    const struct capnp_type type = {.kind = CAPNP_TYPE_STRUCT, .shape = &shape};
    UNINITIALIZED struct walk walk;
    struct capnp_reader reader;
    raw_renew(raw);
    walk_init(&walk, &raw->message, NULL);
    bool fine = visit_typed(&walk, root(raw), &type) && finish(&walk);
    raw_renew(raw);
    REQUIRE(capnp_check_read(root(raw), &shape, &reader) == fine);
    REQUIRE(raw->message.malformed == !fine);
    uint64_t left = raw->message.read_limit_words;
    raw_renew(raw);
    REQUIRE(capnp_check(root(raw), &shape) == fine);
    raw_renew(raw);
    struct capnp_reader again = capnp_read_struct(root(raw));
    if (fine) {
        REQUIRE(again.data == reader.data && again.pointer_count == reader.pointer_count);
        REQUIRE(left == raw->message.read_limit_words); /* it has paid for what it read, and no more */
    }
    return fine;
}

/* Whatever the words are: no reader leaves the memory (ASan), no walk outlasts its budget. */
static void test_random_words(void)
{
    uint32_t refused = 0, held = 0, near = 0, typed = 0;
    for (int round = 0; round < 20000; round++) {
        struct raw raw = {0};
        uint32_t count = 1 + (uint32_t)(test_random() % 24);
        uint64_t words[24];
        for (uint32_t s = 0; s < 2; s++) {
            for (uint32_t i = 0; i < count; i++) {
                uint64_t r = test_random();
                uint64_t any[] = {0,
                                  r,
                                  struct_to((int32_t)(r % 8) - 2, r >> 8 & 3, r >> 16 & 3),
                                  list_to((int32_t)(r % 8) - 2, (enum capnp_element)(r >> 8 & 7), r >> 16 & 7),
                                  far_to(r >> 8 & 1, r >> 9 & 1, r >> 16 & 15),
                                  (r >> 8 & 1) << 32 | WIRE_OTHER};
                words[i] = any[test_random() % 6];
            }
            raw_add(&raw, words, count);
        }
        raw.message.cap_count = 1;
        if (capnp_check(root(&raw), NULL)) {
            held++;
        } else {
            refused++;
        }
        near += near_structs(&raw);
        typed += check_both(&raw);
        raw_free(&raw);
    }
    CHECK(refused > 1000);
    CHECK(held > 1000);
    CHECK(near > 1000);
    CHECK(typed > 1000);
}

int main(void)
{
    RUN(test_struct_out_of_bounds);
    RUN(test_cve_2015_2310_pointer_overflow);
    RUN(test_cve_2015_2311_pointer_underflow);
    RUN(test_cve_2015_2312_zero_size_structs);
    RUN(test_cve_2015_2313_void_list);
    RUN(test_cve_2017_7892_check_removed);
    RUN(test_cve_2022_46149_pointer_list_upgrade);
    RUN(test_far_pointer_loop);
    RUN(test_double_far_to_double_far);
    RUN(test_far_out_of_bounds);
    RUN(test_far_and_double_far_read);
    RUN(test_overlapping_pointers);
    RUN(test_depth);
    RUN(test_depth_of_lists);
    RUN(test_capability_index_out_of_range);
    RUN(test_text_without_nul);
    RUN(test_wrong_kind);
    RUN(test_bit_list_is_only_bits);
    RUN(test_list_tag_is_no_struct);
    RUN(test_marks_stick);
    RUN(test_segment_count_ffffffff);
    RUN(test_segment_table_longer_than_message);
    RUN(test_build_across_segments);
    RUN(test_failure_sticks);
    RUN(test_list_too_long_fails);
    RUN(test_new_words_are_zero);
    RUN(test_capabilities_are_counted);
    RUN(test_canonical);
    RUN(test_payload_outside);
    RUN(test_random_words);
    return test_end();
}
