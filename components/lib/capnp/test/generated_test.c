/* SPDX-License-Identifier: MIT OR Apache-2.0
 * generated_test.c: what capnpc-c makes of test/all.capnp: fields, defaults, unions, versions of a schema, calls.
 */
#include "test.h"
#include "lib/capnp/test/all.capnp.h"
#include <stdarg.h>

#define WORDS 4096

/* A message in a few segments, so that far pointers are everywhere. */
struct build {
    struct message message;
    struct message_segment segment[MESSAGE_SEGMENTS_MAX];
    struct object *caps[8];
    uint64_t words[WORDS];
    uint32_t next;
};
static uint32_t segment_words; /* of each new segment */

static bool grow(struct message *message, uint32_t words)
{
    struct build *b = CONTAINER_OF(message, struct build, message);
    uint32_t size = words > segment_words ? words : segment_words;
    if (message->segment_count == message->segment_max || b->next + size > WORDS) {
        return false;
    }
    b->segment[message->segment_count++] = (struct message_segment){b->words + b->next, 0, size};
    b->next += size;
    return true;
}
static struct payload build(struct build *b, uint32_t words)
{
    memset(b->words, 0x55, sizeof(b->words));
    segment_words = words;
    capnp_message_build(&b->message, b->segment, b->words, words, b->caps, 8);
    b->message.segment_max = MESSAGE_SEGMENTS_MAX;
    b->message.grow = grow;
    b->message.read_limit_words = 100000;
    b->next = words;
    return capnp_root(&b->message);
}
static struct build one, two;
static const uint32_t sizes[] = {1, 7, 30, WORDS};
#define EACH_SIZE(i) (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)

static void test_scalars(void)
{
    struct test_all_builder b = test_all_init(build(&one, WORDS));
    test_all_set_bool(b, true);
    test_all_set_int8(b, -8);
    test_all_set_int16(b, -16000);
    test_all_set_int32(b, INT32_MIN);
    test_all_set_int64(b, INT64_MIN);
    test_all_set_u_int8(b, 255);
    test_all_set_u_int16(b, 65535);
    test_all_set_u_int32(b, UINT32_MAX);
    test_all_set_u_int64(b, UINT64_MAX);
    test_all_set_float32(b, 1.5f);
    test_all_set_float64(b, -0.25);
    test_all_set_colour(b, TEST_COLOUR_DEEP_BLUE);
    CHECK(test_all_check(capnp_root(&one.message)));
    struct test_all_reader r = test_all_read(capnp_root(&one.message));
    CHECK(test_all_get_bool(r));
    CHECK_EQ(test_all_get_int8(r), -8);
    CHECK_EQ(test_all_get_int16(r), -16000);
    CHECK_EQ(test_all_get_int32(r), INT32_MIN);
    CHECK_EQ(test_all_get_int64(r), INT64_MIN);
    CHECK_EQ(test_all_get_u_int8(r), 255);
    CHECK_EQ(test_all_get_u_int16(r), 65535);
    CHECK_EQ(test_all_get_u_int32(r), UINT32_MAX);
    CHECK(test_all_get_u_int64(r) == UINT64_MAX);
    CHECK(test_all_get_float32(r) == 1.5f);
    CHECK(test_all_get_float64(r) == -0.25);
    CHECK_EQ(test_all_get_float32_bits(r), 0x3fc00000);
    CHECK_EQ(test_all_get_colour(r), TEST_COLOUR_DEEP_BLUE);
    CHECK(!test_all_has_text(r));
    CHECK_STR(test_all_get_text(r).text, "");
    CHECK_EQ(test_all_get_int8(test_all_get_all(r)), 0);
}

static void build_pointers(struct test_all_builder b)
{
    test_all_set_text(b, capnp_text("some text"));
    test_all_set_data(b, capnp_data("\0\1\2", 3));
    test_all_set_int8(test_all_init_all(b), 5);
    test_all_init_voids(b, 9);
    capnp_list_put_bool(test_all_init_bools(b, 11), 10, true);
    capnp_list_put_u8(test_all_init_int8s(b, 3), 2, (uint8_t)-3);
    capnp_list_put_u64(test_all_init_u_int64s(b, 2), 1, UINT64_MAX);
    struct capnp_list_builder texts = test_all_init_texts(b, 3);
    capnp_set_text(capnp_list_slot(texts, 0), capnp_text("first"));
    capnp_set_text(capnp_list_slot(texts, 2), capnp_text("third"));
    struct test_all_builders alls = test_all_init_alls(b, 2);
    test_all_set_text(test_all_builder_at(alls, 1), capnp_text("inner"));
    capnp_list_put_u16(test_all_init_colours(b, 2), 1, TEST_COLOUR_GREEN);
    struct capnp_list_builder outer = test_all_init_points(b, 2);
    struct capnp_list_builder inner = capnp_init_list(capnp_list_slot(outer, 1), CAPNP_POINTER, 2);
    struct test_point_builders points = test_point_list_init(capnp_list_slot(inner, 1), 3);
    test_point_set_y(test_point_builder_at(points, 2), -7);
    test_point_set_x(test_point_init_at(test_all_slot_any(b)), 44);
    capnp_list_put_u32(capnp_init_list(test_all_slot_any_list(b), CAPNP_FOUR_BYTES, 1), 0, 3);
    capnp_set_text(test_box_slot_value(test_all_init_boxed(b)), capnp_text("boxed"));
}
static void check_pointers(struct test_all_reader r)
{
    CHECK_STR(test_all_get_text(r).text, "some text");
    CHECK_EQ(test_all_get_data(r).size, 3);
    CHECK_BYTES(test_all_get_data(r).bytes, "\0\1\2", 3);
    CHECK_EQ(test_all_get_int8(test_all_get_all(r)), 5);
    CHECK_EQ(test_all_get_voids(r).count, 9);
    CHECK(capnp_list_bool(test_all_get_bools(r), 10) && !capnp_list_bool(test_all_get_bools(r), 9));
    CHECK_EQ((int8_t)capnp_list_u8(test_all_get_int8s(r), 2), -3);
    CHECK(capnp_list_u64(test_all_get_u_int64s(r), 1) == UINT64_MAX);
    CHECK_STR(capnp_read_text(capnp_list_ref(test_all_get_texts(r), 0)).text, "first");
    CHECK_STR(capnp_read_text(capnp_list_ref(test_all_get_texts(r), 1)).text, "");
    CHECK_STR(capnp_read_text(capnp_list_ref(test_all_get_texts(r), 2)).text, "third");
    CHECK_EQ(test_all_count(test_all_get_alls(r)), 2);
    CHECK_STR(test_all_get_text(test_all_at(test_all_get_alls(r), 1)).text, "inner");
    CHECK_EQ(capnp_list_u16(test_all_get_colours(r), 1), TEST_COLOUR_GREEN);
    struct capnp_list inner = capnp_read_list(capnp_list_ref(test_all_get_points(r), 1), CAPNP_POINTER);
    struct test_point_readers points = test_point_list_of(capnp_list_ref(inner, 1));
    CHECK_EQ(test_point_count(points), 3);
    CHECK_EQ(test_point_get_y(test_point_at(points, 2)), -7);
    CHECK_EQ(test_point_get_x(test_point_of(test_all_get_any(r))), 44);
    CHECK_EQ(capnp_list_u32(capnp_read_list(test_all_get_any_list(r), CAPNP_FOUR_BYTES), 0), 3);
    CHECK_STR(capnp_read_text(test_box_get_value(test_all_get_boxed(r))).text, "boxed");
}
static void test_pointers(void)
{
    for
        EACH_SIZE(i)
        {
            build_pointers(test_all_init(build(&one, sizes[i])));
            CHECK(!one.message.failed);
            CHECK(test_all_check(capnp_root(&one.message)));
            check_pointers(test_all_read(capnp_root(&one.message)));
            /* And through a copy in other segments. */
            test_all_set_all(test_all_init(build(&two, 3)), test_all_read(capnp_root(&one.message)));
            CHECK(!two.message.failed);
            CHECK(test_all_check(capnp_root(&two.message)));
            check_pointers(test_all_get_all(test_all_read(capnp_root(&two.message))));
        }
}
static void test_list_setters_copy(void)
{
    build_pointers(test_all_init(build(&one, WORDS)));
    struct test_all_reader r = test_all_read(capnp_root(&one.message));
    struct test_all_builder b = test_all_init(build(&two, 5));
    test_all_set_texts(b, test_all_get_texts(r));
    test_all_set_alls(b, test_all_get_alls(r));
    test_all_set_bools(b, test_all_get_bools(r));
    test_all_set_int8s(b, test_all_get_int8s(r));
    test_all_set_any(b, test_all_get_any(r));
    test_all_set_numbers(b, test_all_get_numbers(r)); /* empty */
    CHECK(!two.message.failed);
    CHECK(!one.message.malformed);
    struct test_all_reader c = test_all_read(capnp_root(&two.message));
    CHECK_STR(capnp_read_text(capnp_list_ref(test_all_get_texts(c), 2)).text, "third");
    CHECK_STR(test_all_get_text(test_all_at(test_all_get_alls(c), 1)).text, "inner");
    CHECK(capnp_list_bool(test_all_get_bools(c), 10));
    CHECK_EQ((int8_t)capnp_list_u8(test_all_get_int8s(c), 2), -3);
    CHECK_EQ(test_point_get_x(test_point_of(test_all_get_any(c))), 44);
    CHECK_EQ(test_all_get_numbers(c).count, 0);
}

static void check_defaults(struct test_defaults_reader r)
{
    CHECK(test_defaults_get_bool(r));
    CHECK_EQ(test_defaults_get_int8(r), -123);
    CHECK_EQ(test_defaults_get_int16(r), -12345);
    CHECK_EQ(test_defaults_get_int32(r), -12345678);
    CHECK_EQ(test_defaults_get_int64(r), -123456789012345);
    CHECK_EQ(test_defaults_get_u_int8(r), 234);
    CHECK_EQ(test_defaults_get_u_int16(r), 45678);
    CHECK_EQ(test_defaults_get_u_int32(r), 3456789012);
    CHECK(test_defaults_get_u_int64(r) == 12345678901234567890ull);
    CHECK(test_defaults_get_float32(r) == 1234.5f);
    CHECK(test_defaults_get_float64(r) == -123e45);
    CHECK_STR(test_defaults_get_text(r).text, "foo");
    CHECK_EQ(test_defaults_get_data(r).size, 3);
    CHECK_EQ(test_point_get_x(test_defaults_get_point(r)), 7);
    CHECK_EQ(test_point_get_y(test_defaults_get_point(r)), 8);
    CHECK_EQ(test_defaults_get_colour(r), TEST_COLOUR_DEEP_BLUE);
    CHECK_EQ((int32_t)capnp_list_u32(test_defaults_get_numbers(r), 1), -2);
    CHECK_STR(capnp_read_text(capnp_list_ref(test_defaults_get_texts(r), 1)).text, "xyzzy");
    CHECK_EQ(test_point_get_y(test_point_at(test_defaults_get_points(r), 1)), 2);
    CHECK(capnp_list_bool(test_defaults_get_bools(r), 2) && !capnp_list_bool(test_defaults_get_bools(r), 1));
    CHECK_STR(test_defaults_get_plain(r).text, "");
}
static void test_defaults(void)
{
    struct test_defaults_builder b = test_defaults_init(build(&one, WORDS));
    check_defaults(test_defaults_read(capnp_root(&one.message)));
    check_defaults((struct test_defaults_reader){{0}});
    check_defaults(test_all_get_defaults((struct test_all_reader){{0}}));
    test_defaults_set_bool(b, false);
    test_defaults_set_int32(b, 0);
    test_defaults_set_u_int64(b, 1);
    test_defaults_set_float64(b, 0);
    test_defaults_set_colour(b, TEST_COLOUR_RED);
    test_defaults_set_text(b, capnp_text(""));
    struct test_point_builder point = test_defaults_edit_point(b); /* starts as the default */
    test_point_set_x(point, 9);
    struct capnp_list_builder numbers = test_defaults_edit_numbers(b);
    capnp_list_put_u32(numbers, 0, 100);
    struct test_defaults_reader r = test_defaults_as_reader(b);
    CHECK(!test_defaults_get_bool(r));
    CHECK_EQ(test_defaults_get_int32(r), 0);
    CHECK_EQ(test_defaults_get_u_int64(r), 1);
    CHECK(test_defaults_get_float64(r) == 0);
    CHECK_EQ(test_defaults_get_colour(r), TEST_COLOUR_RED);
    CHECK_STR(test_defaults_get_text(r).text, "");
    CHECK_EQ(test_point_get_x(test_defaults_get_point(r)), 9);
    CHECK_EQ(test_point_get_y(test_defaults_get_point(r)), 8);
    CHECK_EQ(capnp_list_u32(test_defaults_get_numbers(r), 0), 100);
    CHECK_EQ(capnp_list_u32(test_defaults_get_numbers(r), 2), 3);
    CHECK(!one.message.failed);
}
static void test_constants(void)
{
    CHECK_EQ(TEST_ANSWER, 42);
    CHECK_EQ(TEST_MINUS, -5);
    CHECK(capnp_double(TEST_HALF_BITS) == 0.5);
    CHECK_EQ(TEST_YES, true);
    CHECK_STR(TEST_GREETING, "hello \"world\"\n");
    CHECK_EQ(capnp_read_data(test_bytes()).size, 4);
    CHECK_EQ(capnp_read_data(test_bytes()).bytes[2], 0xfe);
    CHECK_EQ(capnp_list_u16(capnp_read_list(test_primes(), CAPNP_TWO_BYTES), 3), 7);
    CHECK_EQ(test_point_get_y(test_place()), -4);
    CHECK_EQ(TEST_FAVOURITE, TEST_COLOUR_GREEN);
}

static void test_unions(void)
{
    struct test_unions_builder b = test_unions_init(build(&one, 20));
    struct test_unions_reader r = test_unions_as_reader(b);
    CHECK_EQ(test_unions_get_which(r), TEST_UNIONS_WHICH_NOTHING);
    CHECK_EQ(test_unions_get_number(r), 17); /* not chosen: the default, whatever stands there */
    test_unions_set_number(b, 0);
    CHECK_EQ(test_unions_get_which(r), TEST_UNIONS_WHICH_NUMBER);
    CHECK_EQ(test_unions_get_number(r), 0);
    test_unions_set_text(b, capnp_text("t"));
    CHECK_EQ(test_unions_get_which(r), TEST_UNIONS_WHICH_TEXT);
    CHECK_EQ(test_unions_get_number(r), 17);
    CHECK_STR(test_unions_get_text(r).text, "t");
    test_point_set_x(test_unions_edit_point(b), 3); /* another was chosen: begins anew */
    CHECK_EQ(test_point_get_x(test_unions_get_point(r)), 3);
    test_point_set_y(test_unions_edit_point(b), 4);
    CHECK_EQ(test_point_get_x(test_unions_get_point(r)), 3);
    CHECK_STR(test_unions_get_text(r).text, "unset");
    CHECK(!test_unions_has_list(r));
    test_unions_set_flag(b, true);
    struct test_unions_pair_builder pair = test_unions_edit_pair(b);
    CHECK_EQ(test_unions_pair_get_left(test_unions_get_pair(r)), 6);
    CHECK(!test_unions_pair_has_right(test_unions_get_pair(r)));
    test_unions_pair_set_left(pair, 60);
    test_unions_pair_set_right(test_unions_edit_pair(b), capnp_text("r"));
    CHECK_EQ(test_unions_pair_get_left(test_unions_get_pair(r)), 60);
    struct test_unions_nested_builder nested = test_unions_init_nested(b);
    CHECK_EQ(test_unions_pair_get_left(test_unions_get_pair(r)), 6);
    CHECK_EQ(test_unions_nested_get_which(test_unions_get_nested(r)), TEST_UNIONS_NESTED_WHICH_ONE);
    test_unions_nested_set_common(nested, 77);
    capnp_list_put_u8(test_unions_nested_init_two(nested, 2), 1, 8);
    CHECK_EQ(test_unions_nested_get_which(test_unions_get_nested(r)), TEST_UNIONS_NESTED_WHICH_TWO);
    CHECK_EQ(capnp_list_u8(test_unions_nested_get_two(test_unions_get_nested(r)), 1), 8);
    CHECK_STR(test_unions_nested_get_one(test_unions_get_nested(r)).text, "");
    test_unions_kind_set_large(test_unions_init_kind(b), 1ull << 40);
    CHECK(test_unions_kind_get_large(test_unions_get_kind(r)) == 1ull << 40);
    CHECK_EQ(test_unions_kind_get_small(test_unions_get_kind(r)), 0);
    test_unions_plain_set_a(test_unions_edit_plain(b), 1);
    CHECK_EQ(test_unions_plain_get_a(test_unions_get_plain(r)), 1);
    CHECK_EQ(test_unions_nested_get_common(test_unions_get_nested(r)), 77);
    CHECK(test_unions_check(capnp_root(&one.message)));
    CHECK(!one.message.malformed && !one.message.failed);
}

static void test_new_reads_old(void)
{
    struct test_old_builder b = test_old_init(build(&one, 9));
    test_old_set_a(b, 1);
    test_old_set_name(b, capnp_text("old"));
    test_old_item_set_a(test_old_item_builder_at(test_old_init_items(b, 2), 1), 6);
    capnp_list_put_u32(test_old_init_values(b, 3), 2, 12);
    capnp_set_text(capnp_list_slot(test_old_init_names(b, 2), 1), capnp_text("n"));
    CHECK(test_new_check(capnp_root(&one.message)));
    struct test_new_reader r = test_new_read(capnp_root(&one.message));
    CHECK_EQ(test_new_get_a(r), 1);
    CHECK_EQ(test_new_get_b(r), 99);
    CHECK(test_new_get_c(r));
    CHECK_STR(test_new_get_name(r).text, "old");
    CHECK_STR(test_new_get_more(r).text, "more");
    CHECK_EQ(test_point_get_x(test_new_get_point(r)), 0);
    struct test_new_item_reader item = test_new_item_at(test_new_get_items(r), 1);
    CHECK_EQ(test_new_item_get_a(item), 6);
    CHECK_EQ(test_new_item_get_b(item), 5);
    CHECK_STR(test_new_item_get_name(item).text, "none");
    struct test_new_value_reader value = test_new_value_at(test_new_get_values(r), 2);
    CHECK_EQ(test_new_value_get_value(value), 12);
    CHECK(test_new_value_get_flag(value));
    CHECK_STR(test_new_value_get_next(value).text, "");
    struct test_new_name_reader name = test_new_name_at(test_new_get_names(r), 1);
    CHECK_STR(test_new_name_get_name(name).text, "n");
    CHECK_EQ(test_new_name_get_extra(name), 3);
    CHECK(!one.message.malformed);
    /* Such lists survive a copy by the new schema, grown to its size. */
    struct test_new_builder c = test_new_init(build(&two, 11));
    test_new_set_values(c, test_new_get_values(r));
    test_new_set_names(c, test_new_get_names(r));
    CHECK(!two.message.failed && !one.message.malformed);
    CHECK_EQ(test_new_value_get_value(test_new_value_at(test_new_get_values(test_new_as_reader(c)), 2)), 12);
    CHECK_STR(test_new_name_get_name(test_new_name_at(test_new_get_names(test_new_as_reader(c)), 1)).text, "n");
}
static void test_old_reads_new(void)
{
    struct test_new_builder b = test_new_init(build(&one, 9));
    test_new_set_a(b, 1);
    test_new_set_b(b, 2);
    test_new_set_name(b, capnp_text("new"));
    struct test_new_item_builder item = test_new_item_builder_at(test_new_init_items(b, 2), 1);
    test_new_item_set_a(item, 6);
    test_new_item_set_name(item, capnp_text("x"));
    struct test_new_value_builder value = test_new_value_builder_at(test_new_init_values(b, 2), 1);
    test_new_value_set_value(value, 12);
    test_new_value_set_next(value, capnp_text("y"));
    test_new_name_set_name(test_new_name_builder_at(test_new_init_names(b, 2), 1), capnp_text("n"));
    CHECK(test_old_check(capnp_root(&one.message)));
    struct test_old_reader r = test_old_read(capnp_root(&one.message));
    CHECK_EQ(test_old_get_a(r), 1);
    CHECK_STR(test_old_get_name(r).text, "new");
    CHECK_EQ(test_old_item_get_a(test_old_item_at(test_old_get_items(r), 1)), 6);
    CHECK_EQ(test_old_get_values(r).count, 2);
    CHECK_EQ(capnp_list_u32(test_old_get_values(r), 1), 12);
    CHECK_STR(capnp_read_text(capnp_list_ref(test_old_get_names(r), 1)).text, "n");
    CHECK(!one.message.malformed);
}
static void test_bytes_become_structs(void)
{
    struct test_byte_items_builder b = test_byte_items_init(build(&one, WORDS));
    struct capnp_list_builder items = test_byte_items_init_items(b, 3);
    capnp_list_put_u8(items, 0, 1);
    capnp_list_put_u8(items, 2, 3);
    CHECK(test_byte_structs_check(capnp_root(&one.message)));
    struct test_byte_structs_reader r = test_byte_structs_read(capnp_root(&one.message));
    CHECK_EQ(test_byte_struct_get_first(test_byte_struct_at(test_byte_structs_get_items(r), 0)), 1);
    CHECK_EQ(test_byte_struct_get_first(test_byte_struct_at(test_byte_structs_get_items(r), 2)), 3);
    CHECK_EQ(test_byte_struct_get_second(test_byte_struct_at(test_byte_structs_get_items(r), 0)), 9);
    CHECK_STR(test_byte_struct_get_third(test_byte_struct_at(test_byte_structs_get_items(r), 0)).text, "");
}
/* Going on with a struct that an older program began makes it larger, and loses nothing of it. */
static void test_edit_enlarges(void)
{
    for
        EACH_SIZE(i)
        {
            struct payload root = build(&one, sizes[i]);
            struct test_old_builder old = test_old_init_at(test_all_slot_any(test_all_init(root)));
            test_old_set_a(old, 41);
            test_old_set_name(old, capnp_text("kept"));
            struct capnp_slot slot =
                test_all_slot_any((struct test_all_builder){capnp_edit_struct(capnp_payload_slot(root), 1, 1, NULL)});
            struct test_new_builder b = {capnp_edit_struct(slot, 3, 7, NULL)};
            test_new_set_b(b, 5);
            test_new_set_more(b, capnp_text("added"));
            CHECK(!one.message.failed);
            struct test_new_reader r = test_new_of(test_all_get_any(test_all_read(root)));
            CHECK_EQ(test_new_get_a(r), 41);
            CHECK_EQ(test_new_get_b(r), 5);
            CHECK_STR(test_new_get_name(r).text, "kept");
            CHECK_STR(test_new_get_more(r).text, "added");
        }
}

/* What is well formed, but not what the schema says. */
static void test_check_knows_the_schema(void)
{
    struct test_new_builder b = test_new_init(build(&one, WORDS));
    test_point_set_x(test_point_init_at(capnp_slot(b.s, 0)), 1); /* name is a struct */
    CHECK(capnp_check(capnp_payload_ref(capnp_root(&one.message)), NULL));
    CHECK(!test_new_check(capnp_root(&one.message)));
    CHECK(one.message.malformed);

    struct test_all_builder a = test_all_init(build(&one, WORDS)); /* a list of lists of numbers holds a text */
    struct capnp_list_builder l = test_all_init_numbers(a, 2);
    capnp_set_text(capnp_list_slot(l, 1), capnp_text("x"));
    CHECK(!test_all_check(capnp_root(&one.message)));

    a = test_all_init(build(&one, WORDS)); /* deep in a list of structs: no NUL */
    struct test_all_builder inner = test_all_builder_at(test_all_init_alls(a, 3), 2);
    capnp_set_data(capnp_slot(inner.s, 0), capnp_data("abc", 3));
    CHECK(capnp_check(capnp_payload_ref(capnp_root(&one.message)), NULL));
    CHECK(!test_all_check(capnp_root(&one.message)));

    struct test_unions_builder u = test_unions_init(build(&one, WORDS)); /* a union's pointer is what its tag says */
    test_unions_set_text(u, capnp_text("text"));
    CHECK(test_unions_check(capnp_root(&one.message)));
    capnp_put_u16(u.s, 2, TEST_UNIONS_WHICH_POINT);
    CHECK(!test_unions_check(capnp_root(&one.message)));
    one.message.malformed = false;
    capnp_put_u16(u.s, 2, 999); /* a newer schema's member: well formed is enough */
    CHECK(test_unions_check(capnp_root(&one.message)));
    struct test_unions_nested_builder nested = test_unions_init_nested(u);
    test_unions_nested_set_one(nested, capnp_text("x"));
    CHECK(test_unions_check(capnp_root(&one.message)));
    capnp_put_u16(u.s, 2, TEST_UNIONS_WHICH_POINT);
    CHECK(!test_unions_check(capnp_root(&one.message)));
}

/* ---- calls ---- */

static struct {
    enum exception exception;
    char reason[CALL_REASON_MAX];
    unsigned returned, failed, handled;
    bool force;
    uint32_t chunk_size;
} seen;

struct payload call_results(struct call *call, uint32_t words)
{
    call->results_begun = true;
    call->results = build(&two, words + 1);
    return call->results;
}
void call_return(struct call *call)
{
    seen.returned++;
}
void call_fail(struct call *call, enum exception type, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(seen.reason, sizeof(seen.reason), format, args);
    va_end(args);
    seen.exception = type;
    seen.failed++;
}

static void serve_add(struct object *self, struct call *call, struct test_adder_add_params_reader params)
{
    int64_t sum = (int64_t)test_adder_add_params_get_left(params) + test_adder_add_params_get_right(params);
    test_adder_add_results_set_sum(test_adder_add_results(call, 4), (int32_t)sum);
    call_return(call);
}
static void serve_flip(struct object *self, struct call *call, struct test_point_reader params)
{
    struct test_point_builder results = test_adder_flip_results(call, 2);
    test_point_set_x(results, test_point_get_y(params));
    test_point_set_y(results, test_point_get_x(params));
    call_return(call);
}
static void serve_all(struct object *self, struct call *call, struct test_adder_all_params_reader params)
{
    seen.handled++;
    test_adder_all_results_set_all(test_adder_all_results(call, 10), test_adder_all_params_get_all(params));
    call_return(call);
}
static void serve_delete(struct object *self, struct call *call, struct test_named_delete_params_reader params)
{
    seen.force = test_named_delete_params_get_force(params);
    call_return(call);
}
static void serve_push(struct object *self, struct call *call, struct test_adder_push_params_reader params)
{
    seen.chunk_size = test_adder_push_params_get_chunk(params).size;
    (void)test_adder_push_results(call, 0);
    call_return(call);
}
static const struct test_adder_server_ops ops = {.add = serve_add,
                                                 .flip = serve_flip,
                                                 .all = serve_all,
                                                 .push = serve_push,
                                                 .super_test_named = {.delete = serve_delete}};
static const struct call_source source = {0};
static struct call call;

static void dispatch(void)
{
    test_room = -1;
    memset(&seen, 0, sizeof(seen));
    test_adder_dispatch(&ops, NULL, &call);
}
static void test_call(void)
{
    struct test_adder_add_params_builder params = test_adder_add_begin(&call, NULL, build(&one, WORDS), &source);
    test_adder_add_params_set_left(params, 40);
    test_adder_add_params_set_right(params, 2);
    dispatch();
    CHECK_EQ(seen.returned, 1);
    CHECK(test_adder_add_answer_check(&call));
    CHECK_EQ(test_adder_add_results_get_sum(test_adder_add_answer(&call)), 42);
    struct test_point_builder point = test_adder_flip_begin(&call, NULL, build(&one, WORDS), &source);
    test_point_set_x(point, 1);
    dispatch();
    CHECK_EQ(test_point_get_y(test_adder_flip_answer(&call)), 1);
    struct test_adder_push_params_builder push = test_adder_push_begin(&call, NULL, build(&one, WORDS), &source);
    test_adder_push_params_set_chunk(push, capnp_data("12345", 5));
    dispatch();
    CHECK_EQ(seen.chunk_size, 5);
    CHECK_EQ(seen.returned, 1);
    CHECK_EQ(test_adder_push_answer(&call).s.data_bytes, 0);
}
static void test_call_of_a_super_interface(void)
{
    test_named_delete_params_set_force(test_named_delete_begin(&call, NULL, build(&one, WORDS), &source), true);
    CHECK(call.interface_id == TEST_NAMED_ID);
    CHECK_EQ(call.method_id, 1);
    dispatch();
    CHECK_EQ(seen.returned, 1);
    CHECK(seen.force);
}
static void test_call_unimplemented(void)
{
    (void)test_named_who_begin(&call, NULL, build(&one, WORDS), &source); /* no handler */
    dispatch();
    CHECK_EQ(seen.failed, 1);
    CHECK_EQ(seen.exception, EXCEPTION_UNIMPLEMENTED);
    (void)test_adder_self_begin(&call, NULL, build(&one, WORDS), &source); /* no handler */
    dispatch();
    CHECK_EQ(seen.exception, EXCEPTION_UNIMPLEMENTED);
    call.method_id = 5; /* no such method */
    dispatch();
    CHECK_EQ(seen.failed, 1);
    CHECK_EQ(seen.exception, EXCEPTION_UNIMPLEMENTED);
    call.interface_id = 1; /* no such interface */
    dispatch();
    CHECK_EQ(seen.failed, 1);
    CHECK_EQ(seen.exception, EXCEPTION_UNIMPLEMENTED);
    CHECK_EQ(seen.returned, 0);
}
static void test_call_malformed(void)
{
    struct test_adder_all_params_builder params = test_adder_all_begin(&call, NULL, build(&one, WORDS), &source);
    test_all_set_text(test_adder_all_params_init_all(params), capnp_text("fine"));
    dispatch();
    CHECK_EQ(seen.handled, 1);
    CHECK_STR(test_all_get_text(test_adder_all_results_get_all(test_adder_all_answer(&call))).text, "fine");
    capnp_set_text(capnp_slot(params.s, 0), capnp_text("not a struct"));
    dispatch();
    CHECK_EQ(seen.handled, 0);
    CHECK_EQ(seen.failed, 1);
    CHECK_EQ(seen.exception, EXCEPTION_FAILED);
    CHECK(one.message.malformed);
}
static void test_call_without_params(void)
{
    capnp_call_init(&call, NULL, TEST_ADDER_ID, 0, (struct payload){NULL, 0, 0}, &source);
    dispatch();
    CHECK_EQ(seen.returned, 1);
    CHECK_EQ(test_adder_add_results_get_sum(test_adder_add_answer(&call)), 0);
}

static void test_capabilities(void)
{
    static const struct object_ops object_ops = {0};
    struct object object;
    object_init(&object, &object_ops);
    struct test_all_builder b = test_all_init(build(&one, 40));
    test_all_set_interface(b, &object);
    test_all_set_capability(b, &object);
    capnp_set_cap(capnp_list_slot(test_all_init_interfaces(b, 2), 1), &object);
    CHECK_EQ(object.references, 4);
    struct test_all_reader r = test_all_read(capnp_root(&one.message));
    CHECK(test_all_check(capnp_root(&one.message)));
    CHECK(test_all_get_interface(r) == &object && test_all_get_capability(r) == &object);
    CHECK(capnp_read_cap(capnp_list_ref(test_all_get_interfaces(r), 0)) == NULL);
    CHECK(capnp_read_cap(capnp_list_ref(test_all_get_interfaces(r), 1)) == &object);
    one.message.cap_count = 2; /* the third index now points beyond the table */
    CHECK(!test_all_check(capnp_root(&one.message)));
}
static void test_names(void)
{
    struct test_kw_builder b = test_kw_init(build(&one, WORDS));
    test_kw_set_int(b, 1);
    test_kw_set_default(b, 2);
    test_kw_set_build(b, 3);
    CHECK_EQ(test_kw_get_default(test_kw_as_reader(b)), 2);
    CHECK_STR(TEST_ADDER_NAME, "Adder");
}

int main(void)
{
    RUN(test_scalars);
    RUN(test_pointers);
    RUN(test_list_setters_copy);
    RUN(test_defaults);
    RUN(test_constants);
    RUN(test_unions);
    RUN(test_new_reads_old);
    RUN(test_old_reads_new);
    RUN(test_bytes_become_structs);
    RUN(test_edit_enlarges);
    RUN(test_check_knows_the_schema);
    RUN(test_call);
    RUN(test_call_of_a_super_interface);
    RUN(test_call_unimplemented);
    RUN(test_call_malformed);
    RUN(test_call_without_params);
    RUN(test_capabilities);
    RUN(test_names);
    return test_end();
}
