/* SPDX-License-Identifier: MIT OR Apache-2.0
 * capnp_fuzz.c: any bytes as a message: checked, read through every kind of generated getter, copied, made canonical.
 *
 * What must hold besides staying in memory: what the check passes is read to its end without a mark; a copy means the same
 * as its source; a canonical form is its own canonical form; reading costs no more than the budget.
 */
#include "lib/capnp/test/all.capnp.h"
#include <stdlib.h>
#include "../capnp_walk.c"

#define WORDS 4096u
#define DEPTH 8 /* of structs that the reading below goes into */

static uint64_t sink;

static void read_text(struct capnp_text t)
{
    ASSERT(t.text[t.size] == 0);
    for (uint32_t i = 0; i < t.size; i++) {
        sink += (uint8_t)t.text[i];
    }
}
static void read_data(struct capnp_data d)
{
    for (uint32_t i = 0; i < d.size; i++) {
        sink += d.bytes[i];
    }
}
static void read_values(struct capnp_list l)
{
    for (uint32_t i = 0; i < l.count && i < WORDS * 64; i++) {
        sink += capnp_list_bool(l, i) + capnp_list_u8(l, i) + capnp_list_u16(l, i) + capnp_list_u32(l, i) +
                capnp_list_u64(l, i);
    }
}
static void read_defaults(struct test_defaults_reader r)
{
    read_text(test_defaults_get_text(r));
    read_data(test_defaults_get_data(r));
    sink += (uint64_t)test_point_get_x(test_defaults_get_point(r)) + test_defaults_get_bool(r);
    read_values(test_defaults_get_numbers(r));
    read_values(test_defaults_get_bools(r));
    struct capnp_list texts = test_defaults_get_texts(r);
    for (uint32_t i = 0; i < texts.count && i < WORDS; i++) {
        read_text(capnp_read_text(capnp_list_ref(texts, i)));
    }
}
static void read_unions(struct test_unions_reader r)
{
    sink += (uint64_t)test_unions_get_number(r) + test_unions_get_flag(r);
    read_text(test_unions_get_text(r));
    sink += (uint64_t)test_point_get_x(test_unions_get_point(r));
    read_text(test_unions_pair_get_right(test_unions_get_pair(r)));
    struct test_point_readers points = test_unions_get_list(r);
    for (uint32_t i = 0; i < test_point_count(points) && i < WORDS; i++) {
        sink += (uint64_t)test_point_get_y(test_point_at(points, i));
    }
    read_text(test_unions_nested_get_one(test_unions_get_nested(r)));
    read_values(test_unions_nested_get_two(test_unions_get_nested(r)));
    sink += (uintptr_t)test_unions_get_cap(r) & 1;
    sink += capnp_kind(test_unions_nested_get_three(test_unions_get_nested(r)));
}
static void read_all(struct test_all_reader r, int depth)
{
    sink += (uint64_t)test_all_get_int64(r) + test_all_get_u_int8(r) + (uint64_t)test_all_get_colour(r);
    read_text(test_all_get_text(r));
    read_data(test_all_get_data(r));
    read_values(test_all_get_voids(r));
    read_values(test_all_get_bools(r));
    read_values(test_all_get_int8s(r));
    read_values(test_all_get_u_int16s(r));
    read_values(test_all_get_float32s(r));
    read_values(test_all_get_u_int64s(r));
    struct capnp_list texts = test_all_get_texts(r);
    for (uint32_t i = 0; i < texts.count && i < WORDS; i++) {
        read_text(capnp_read_text(capnp_list_ref(texts, i)));
    }
    struct capnp_list numbers = test_all_get_numbers(r);
    for (uint32_t i = 0; i < numbers.count && i < WORDS; i++) {
        read_values(capnp_read_list(capnp_list_ref(numbers, i), CAPNP_FOUR_BYTES));
    }
    struct capnp_list caps = test_all_get_interfaces(r);
    for (uint32_t i = 0; i < caps.count && i < WORDS; i++) {
        sink += (uintptr_t)capnp_read_cap(capnp_list_ref(caps, i)) & 1;
    }
    read_defaults(test_all_get_defaults(r));
    read_unions(test_all_get_union(r));
    if (depth == 0) {
        return;
    }
    read_all(test_all_get_all(r), depth - 1);
    struct test_all_readers alls = test_all_get_alls(r);
    for (uint32_t i = 0; i < test_all_count(alls) && i < 16; i++) {
        read_all(test_all_at(alls, i), depth - 1);
    }
}

struct fuzzed {
    struct message message;
    struct message_segment segment[4];
    struct object object;
    struct object *caps[2];
};

/* Bytes to segments, each in memory of its own size, so that ASan sees the first byte beyond. The first byte says how
 * many segments, the next ones how the words are shared out. */
static bool open_bytes(struct fuzzed *f, const uint8_t *bytes, size_t size)
{
    static const struct object_ops ops = {0};
    if (size < 8 || (size - 8) / 8 > WORDS) {
        return false;
    }
    uint32_t left = (uint32_t)((size - 8) / 8);
    const uint8_t *words = bytes + 8;
    uint16_t count = (uint16_t)(1 + bytes[0] % 4);
    *f = (struct fuzzed){.message = {.segment = f->segment, .segment_max = 4, .segment_count = count, .caps = f->caps}};
    object_init(&f->object, &ops);
    f->object.references = 1000000;
    f->caps[0] = f->caps[1] = &f->object;
    f->message.cap_count = f->message.cap_max = bytes[7] % 3;
    f->message.read_limit_words = CAPNP_READ_LIMIT(left);
    for (uint16_t i = 0; i < count; i++) {
        uint32_t share = i + 1u == count || bytes[1 + i] > left ? left : bytes[1 + i];
        f->segment[i] = (struct message_segment){malloc(share * 8u + 1), share, share};
        memcpy(f->segment[i].words, words, share * 8u);
        words += share * 8u;
        left -= share;
    }
    return true;
}
static void close_bytes(struct fuzzed *f)
{
    for (uint16_t i = 0; i < f->message.segment_count; i++) {
        free(f->segment[i].words);
    }
}

static uint64_t room[4][WORDS * 40];

static void renew(struct fuzzed *f, uint64_t budget)
{
    f->message.malformed = false;
    f->message.read_limit_words = budget;
}

/* A copy, its canonical form and that one's own are the same as the source's. */
static void compare_forms(struct fuzzed *f, struct capnp_ref root)
{
    struct message made[4];
    struct message_segment segment[4];
    struct object *caps[64];
    f->message.read_limit_words = UINT64_MAX; /* It was checked within its budget, which is for one look. */
    for (int i = 0; i < 4; i++) {
        capnp_message_build(&made[i], &segment[i], room[i], WORDS * 40, caps, i == 1 ? 64 : 0);
    }
    if (!capnp_canonical(&made[0], root)) {
        return; /* Too large, or with capabilities. */
    }
    ASSERT(capnp_copy(capnp_payload_slot(capnp_root(&made[1])), root));
    ASSERT(capnp_canonical(&made[2], capnp_payload_ref(capnp_root(&made[1]))));
    ASSERT(capnp_canonical(&made[3], capnp_payload_ref(capnp_root(&made[0]))));
    ASSERT(segment[2].used == segment[0].used && memcmp(room[2], room[0], segment[0].used * 8u) == 0);
    ASSERT(segment[3].used == segment[0].used && memcmp(room[3], room[0], segment[0].used * 8u) == 0);
    uint64_t words;
    uint32_t cap_count;
    ASSERT(capnp_measure(root, &words, &cap_count));
    ASSERT(words + 1 == segment[1].used && cap_count == 0);
}

/* What test_all_check() must say: a walk with a frame for each level. */
static bool by_frames(struct capnp_ref root)
{
    const struct capnp_type type = {.kind = CAPNP_TYPE_STRUCT, .shape = &test_all_shape};
    UNINITIALIZED struct walk walk;
    walk_init(&walk, root.message, NULL);
    return visit_typed(&walk, root, &type) && finish(&walk);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static struct fuzzed f;
    struct capnp_frame frame;
    status_ignore(capnp_frame_parse(&frame, bytes, size, WORDS), "it has only to survive");
    if (!open_bytes(&f, bytes, size)) {
        return 0;
    }
    uint64_t budget = f.message.read_limit_words;
    struct payload root = capnp_root(&f.message);
    bool typed = by_frames(capnp_payload_ref(root));
    struct capnp_reader all;
    uint64_t cost = budget - f.message.read_limit_words;
    if (typed && cost > 0) {
        renew(&f, cost);
        ASSERT(capnp_check_read(capnp_payload_ref(root), &test_all_shape, &all));
        renew(&f, cost - 1);
        ASSERT(!capnp_check_read(capnp_payload_ref(root), &test_all_shape, &all));
    }
    renew(&f, budget);
    ASSERT(test_all_check(root) == typed);
    renew(&f, typed ? UINT64_MAX : budget);
    read_all(test_all_read(root), DEPTH);
    ASSERT(!typed || !f.message.malformed);
    renew(&f, budget);
    if (capnp_check(capnp_payload_ref(root), NULL)) {
        compare_forms(&f, capnp_payload_ref(root));
    }
    close_bytes(&f);
    return 0;
}
