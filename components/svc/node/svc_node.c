/* SPDX-License-Identifier: MIT OR Apache-2.0
 * svc_node.c: the bootstrap object of the image's RPC port: Node (node.capnp).
 *
 *  (1) A remote session reaches what the profile's `expose` lines name (exposed_caps[]) and nothing else by name.
 */
#include "core/assert.h"
#include "core/fmt.h"
#include "core/health.h"
#include "core/image.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/mem.h"
#include "rpc/vat/vat.h"
#include "svc/node/node.capnp.h"

#define SCHEMA_CHUNK_MAX (64u * 1024u)
#define LOG_BYTES 8192u /* of text in one answer of logs() */

static struct svc_node_state {
    struct object object;      /* static: lives as long as the image */
    struct vat *vat;           /* [I] */
    struct object **object_of; /* [I] by place in exposed_caps */
    char log[LOG_BYTES];       /* [L] */
} self;

static void set_health(struct node_info_results_builder r)
{
    const struct health *ill = health_ill();
    char text[160];

    node_info_results_set_healthy(r, ready_reached() && ill == NULL);
    if (ill != NULL) {
        (void)fmt_text(text, sizeof text, "%s: %s", ill->component, ill->why);
        node_info_results_set_illness(r, capnp_text(text));
    }
}

static void node_info(struct object *object, struct call *call, struct node_info_params_reader params)
{
    room_assert_loop();
    struct memory_usage memory;

    memory_usage(&memory);
    struct node_info_results_builder r = node_info_results(call, 64);
    node_info_results_set_profile(r, capnp_text(image_info.profile));
    node_info_results_set_version(r, capnp_text(image_info.version));
    node_info_results_set_build_id(r, capnp_text(image_build_id()));
    node_info_results_set_platform(r, capnp_text(image_info.platform));
    node_info_results_set_uptime_ns(r, clock_ns());
    node_info_results_set_memory_bytes(r, memory.total_bytes);
    node_info_results_set_memory_used(r, memory.total_bytes - memory.free_bytes);
    set_health(r);
    call_return(call);
}

static void node_list(struct object *object, struct call *call, struct node_list_params_reader params)
{
    room_assert_loop();
    struct node_list_results_builder r = node_list_results(call, 8 + 16 * exposed_caps_count);
    struct cap_info_builders caps = node_list_results_init_caps(r, exposed_caps_count);

    for (unsigned i = 0; i < exposed_caps_count; i++) {
        struct cap_info_builder info = cap_info_builder_at(caps, i);
        cap_info_set_name(info, capnp_text(exposed_caps[i].name));
        cap_info_set_interface_id(info, exposed_caps[i].interface_id);
        cap_info_set_interface(info, capnp_text(exposed_caps[i].interface));
    }
    call_return(call);
}

/* (1) */
static void node_get(struct object *object, struct call *call, struct node_get_params_reader params)
{
    room_assert_loop();
    struct capnp_text name = node_get_params_get_name(params);

    for (unsigned i = 0; i < exposed_caps_count; i++) {
        if (capnp_text_equal(name, capnp_text(exposed_caps[i].name))) {
            node_get_results_set_cap(node_get_results(call, 4), self.object_of[i]);
            call_return(call);
            return;
        }
    }
    call_fail(call, EXCEPTION_FAILED, "denied: no capability '%.64s' is exposed", name.text);
}

static uint32_t min_u32(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static void node_schema(struct object *object, struct call *call, struct node_schema_params_reader params)
{
    room_assert_loop();
    uint32_t total = (uint32_t)(image_schema_end - image_schema_start);
    uint32_t offset = min_u32(node_schema_params_get_offset(params), total);
    uint32_t size = min_u32(min_u32(node_schema_params_get_limit(params), SCHEMA_CHUNK_MAX), total - offset);
    struct node_schema_results_builder r = node_schema_results(call, size / 8 + 8);

    node_schema_results_set_data(r, capnp_data(image_schema_start + offset, size));
    node_schema_results_set_total(r, total);
    call_return(call);
}

static void node_logs(struct object *object, struct call *call, struct node_logs_params_reader params)
{
    room_assert_loop();
    unsigned long next = 0;
    unsigned count = log_copy(node_logs_params_get_since(params), self.log, sizeof(self.log), &next);
    struct node_logs_results_builder r = node_logs_results(call, LOG_BYTES / 8 + 3 * count + 8);
    struct capnp_list_builder lines = node_logs_results_init_lines(r, count);
    const char *line = self.log;

    for (unsigned i = 0; i < count; i++) {
        struct capnp_text text = capnp_text(line);
        capnp_set_text(capnp_list_slot(lines, i), text);
        line += text.size + 1;
    }
    node_logs_results_set_next(r, next);
    call_return(call);
}

static void dispatch(struct object *object, struct call *call)
{
    static const struct node_server_ops ops = {
        .info = node_info,
        .list = node_list,
        .get = node_get,
        .schema = node_schema,
        .logs = node_logs,
    };

    room_assert_loop();
    node_dispatch(&ops, object, call);
}

void svc_node_wire_vat(struct vat *vat) REQUIRES(BOOT);
void svc_node_wire_vat(struct vat *vat)
{
    self.vat = vat;
}

status_t svc_node_start(void) REQUIRES(BOOT);
status_t svc_node_start(void)
{
    static const struct object_ops object_ops = {.call = dispatch};

    object_init(&self.object, &object_ops);
    self.object_of = boot_alloc(exposed_caps_count * sizeof(struct object *) + 1, _Alignof(struct object *));
    for (unsigned i = 0; i < exposed_caps_count; i++) {
        self.object_of[i] = object_get(exposed_caps[i].provide());
    }
    vat_serve(self.vat, &self.object);
    return ST_OK;
}
