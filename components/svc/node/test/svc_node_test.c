/* SPDX-License-Identifier: MIT OR Apache-2.0
 * svc_node_test.c: what Node says of the image, and that get() hands out what is exposed and nothing else.
 */
#include "../svc_node.c"
#include "asker.h"

static struct object thing = {.references = 1};
static struct object *provide_thing(void)
{
    return &thing;
}
const struct exposed exposed_caps[] = {{"thing", "Thing", 0x1234, provide_thing}};
const unsigned exposed_caps_count = 1;
const struct image_info image_info = {.profile = "test", .version = "1", .platform = "host"};
const char *image_build_id(void)
{
    return "abc";
}
const unsigned char schema[100000] = {1, 2, 3};
__asm__(".globl image_schema_start, image_schema_end\n.set image_schema_start, schema\n.set image_schema_end, schema + "
        "100000\n");
void memory_usage(struct memory_usage *usage)
{
    *usage = (struct memory_usage){.total_bytes = 1000, .free_bytes = 400};
}
bool ready_reached(void)
{
    return true;
}
unsigned log_copy(unsigned long since, char *text, unsigned size, unsigned long *next)
{
    memcpy(text, "one\0two", 8);
    *next = since + 2;
    return 2;
}
static struct object *served;
void vat_serve(struct vat *vat, struct object *bootstrap)
{
    served = bootstrap;
}

static struct asker ask;

static void test_info(void)
{
    node_info_begin(&ask.call, served, asker_params(&ask), &asker_source);
    object_call(served, &ask.call);
    REQUIRE(ask.returned == 1);
    struct node_info_results_reader r = node_info_answer(&ask.call);
    CHECK(capnp_text_equal(node_info_results_get_profile(r), capnp_text("test")));
    CHECK(capnp_text_equal(node_info_results_get_build_id(r), capnp_text("abc")));
    CHECK_EQ(node_info_results_get_memory_used(r), 600);
    CHECK(node_info_results_get_healthy(r));
}

static void test_illness(void)
{
    struct health health;

    test_room = ROOM_BOOT;
    health_add(&health, "store/engine");
    test_room = ROOM_LOOP;
    health_set(&health, "no disk");
    node_info_begin(&ask.call, served, asker_params(&ask), &asker_source);
    object_call(served, &ask.call);
    struct node_info_results_reader r = node_info_answer(&ask.call);
    CHECK(!node_info_results_get_healthy(r));
    CHECK(capnp_text_equal(node_info_results_get_illness(r), capnp_text("store/engine: no disk")));
    health_set(&health, NULL);
}

static void test_list_and_get(void)
{
    node_list_begin(&ask.call, served, asker_params(&ask), &asker_source);
    object_call(served, &ask.call);
    REQUIRE(ask.returned == 1);
    struct cap_info_readers caps = node_list_results_get_caps(node_list_answer(&ask.call));
    CHECK_EQ(cap_info_count(caps), 1);
    CHECK(capnp_text_equal(cap_info_get_name(cap_info_at(caps, 0)), capnp_text("thing")));
    CHECK_EQ(cap_info_get_interface_id(cap_info_at(caps, 0)), 0x1234);
    node_get_params_set_name(node_get_begin(&ask.call, served, asker_params(&ask), &asker_source), capnp_text("thing"));
    object_call(served, &ask.call);
    CHECK_EQ(ask.returned, 1);
    CHECK(ask.results.cap_count == 1 && ask.results.caps[0] == &thing);
    asker_forget(&ask);
}

static void test_get_of_what_is_not_exposed(void)
{
    node_get_params_set_name(node_get_begin(&ask.call, served, asker_params(&ask), &asker_source), capnp_text("thin"));
    object_call(served, &ask.call);
    CHECK_EQ(ask.failed, 1);
    CHECK(strcmp(ask.reason, "denied: no capability 'thin' is exposed") == 0);
}

static void test_schema_in_pieces(void)
{
    static const struct {
        uint32_t offset, limit, size;
    } cases[] = {
        {0, 10, 10}, {0, UINT32_MAX, 65536}, {65536, 65536, 34464}, {100000, 5, 0}, {UINT32_MAX, UINT32_MAX, 0},
    };
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct node_schema_params_builder p = node_schema_begin(&ask.call, served, asker_params(&ask), &asker_source);
        node_schema_params_set_offset(p, cases[i].offset);
        node_schema_params_set_limit(p, cases[i].limit);
        object_call(served, &ask.call);
        struct node_schema_results_reader r = node_schema_answer(&ask.call);
        CHECK_EQ(node_schema_results_get_data(r).size, cases[i].size);
        CHECK_EQ(node_schema_results_get_total(r), 100000);
    }
}

static void test_logs(void)
{
    node_logs_params_set_since(node_logs_begin(&ask.call, served, asker_params(&ask), &asker_source), 7);
    object_call(served, &ask.call);
    struct node_logs_results_reader r = node_logs_answer(&ask.call);
    struct capnp_list lines = node_logs_results_get_lines(r);
    CHECK_EQ(lines.count, 2);
    CHECK(capnp_text_equal(capnp_read_text(capnp_list_ref(lines, 1)), capnp_text("two")));
    CHECK_EQ(node_logs_results_get_next(r), 9);
}

int main(void)
{
    svc_node_wire_vat(NULL);
    CHECK_EQ(svc_node_start(), ST_OK);
    RUN(test_info);
    RUN(test_illness);
    RUN(test_list_and_get);
    RUN(test_get_of_what_is_not_exposed);
    RUN(test_schema_in_pieces);
    RUN(test_logs);
    return test_end();
}
