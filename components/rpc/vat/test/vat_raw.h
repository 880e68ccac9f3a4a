/* SPDX-License-Identifier: MIT OR Apache-2.0
 * vat_raw.h: a peer that is only bytes: a test builds its messages, right or wrong, and looks at what comes back.
 */
#pragma once
#include "vat_support.h"

static struct vat *raw_vat;
static struct vat_connection *raw_c;
static struct stream_pair raw_pair;
static struct thing *raw_thing;
static unsigned raw_aborts_before;

static struct raw {
    struct stream_client client;
    uint8_t in[1 << 20];
    size_t in_size, in_read;
    uint64_t keep[1 << 15]; /* what is lent to the stream stays here */
    uint32_t kept;
    bool deaf, closed;
    /* the message that was read last */
    struct message message;
    struct message_segment segment[MESSAGE_SEGMENTS_MAX];
    uint64_t words[MESSAGE_WORDS_MAX];
    struct object *caps[8];
} raw;

static size_t raw_received(struct stream_client *client, const uint8_t *data, size_t len)
{
    if (raw.deaf) {
        return 0;
    }
    REQUIRE(raw.in_size + len <= sizeof(raw.in));
    memcpy(raw.in + raw.in_size, data, len);
    raw.in_size += len;
    return len;
}
static void raw_closed(struct stream_client *client, status_t status)
{
    raw.closed = true;
}
static const struct stream_client_ops raw_ops = {.received = raw_received, .closed = raw_closed};

static inline void raw_settle(void)
{
    bool more = true;
    for (unsigned i = 0; i < 100000 && more; i++) {
        bool worked = turn_work();
        more = stream_pair_step(&raw_pair) || worked;
    }
}
static inline void raw_join(void)
{
    test_room = ROOM_LOOP;
    if (raw_vat == NULL) {
        raw_vat = vat_new(&small_options);
        raw_thing = thing_new();
        vat_serve(raw_vat, &raw_thing->object);
    }
    promise_vat = raw_vat;
    memset(&raw, 0, sizeof(raw));
    raw.client.ops = &raw_ops;
    raw_aborts_before = (unsigned)raw_vat->aborted;
    raw_c = vat_open(raw_vat);
    REQUIRE(raw_c != NULL);
    stream_pair_init(&raw_pair, vat_client(raw_c), &raw.client);
    vat_attach(raw_c, &raw_pair.a.stream);
}
static inline void raw_part(void)
{
    raw.deaf = false;
    stream_pair_abort(&raw_pair.b.stream);
    raw_settle();
    while (!list_empty(&raw_thing->held)) {
        thing_let_go(raw_thing);
    }
    object_put(raw_thing->kept);
    raw_thing->kept = NULL;
    raw_settle();
    CHECK(raw_c->state == VAT_CLOSING); /* it is the test's, until it gives it back */
    vat_close(raw_c);
    raw_settle();
    CHECK(vat_empty(raw_vat));
    CHECK_EQ(things_alive, 1);
}

static inline void raw_bytes(const void *bytes, size_t size)
{
    uint32_t words = (uint32_t)((size + 7) / 8);
    if (size == 0) {
        return;
    }
    REQUIRE(raw.kept + words <= sizeof(raw.keep) / 8);
    memcpy(raw.keep + raw.kept, bytes, size);
    status_ignore(stream_send(&raw_pair.b.stream, raw.keep + raw.kept, size), "a connection that was ended");
    raw.kept += words;
}

/* ---- messages to send ---- */

static struct message out_message;
static struct message_segment out_segment;
static uint64_t out_words[4096];
static struct object *out_caps[8];

static inline struct rpc_message_builder raw_new(void)
{
    capnp_message_build(&out_message, &out_segment, out_words, 4096, out_caps, 8);
    out_message.read_limit_words = 100000;
    return rpc_message_init(capnp_root(&out_message));
}
static inline void raw_send(void)
{
    uint64_t header;
    REQUIRE(!out_message.failed);
    capnp_frame_header(&out_message, &header, 8);
    raw_bytes(&header, 8);
    raw_bytes(out_words, out_segment.used * 8);
    raw_settle();
}
static inline void raw_bootstrap(uint32_t id)
{
    rpc_bootstrap_set_question_id(rpc_message_init_bootstrap(raw_new()), id);
    raw_send();
}
static inline void raw_finish(uint32_t id, bool release)
{
    struct rpc_finish_builder f = rpc_message_init_finish(raw_new());
    rpc_finish_set_question_id(f, id);
    rpc_finish_set_release_result_caps(f, release);
    raw_send();
}
static inline void raw_release(uint32_t id, uint32_t count)
{
    struct rpc_release_builder r = rpc_message_init_release(raw_new());
    rpc_release_set_id(r, id);
    rpc_release_set_reference_count(r, count);
    raw_send();
}
/* A call of Thing's `method`, with neither target nor params yet. */
static inline struct rpc_call_builder raw_call_new(uint32_t id, uint16_t method)
{
    struct rpc_call_builder c = rpc_message_init_call(raw_new());
    rpc_call_set_question_id(c, id);
    rpc_call_set_interface_id(c, THING_ID);
    rpc_call_set_method_id(c, method);
    return c;
}
/* A call of Thing's `method` on an export; params follow at the content slot. */
static inline struct rpc_payload_builder raw_call(uint32_t id, uint32_t target, uint16_t method)
{
    struct rpc_call_builder c = raw_call_new(id, method);
    rpc_message_target_set_imported_cap(rpc_call_init_target(c), target);
    return rpc_call_init_params(c);
}
static inline struct rpc_promised_answer_builder raw_call_on(uint32_t id, uint32_t on, uint16_t method)
{
    struct rpc_call_builder c = raw_call_new(id, method);
    rpc_call_init_params(c);
    struct rpc_promised_answer_builder p = rpc_message_target_init_promised_answer(rpc_call_init_target(c));
    rpc_promised_answer_set_question_id(p, on);
    return p;
}
/* Params of one capability, described by `which`. */
static inline struct rpc_cap_descriptor_builder raw_cap_param(struct rpc_payload_builder payload)
{
    struct capnp_slot slot = rpc_payload_slot_content(payload);
    struct capnp_builder b = capnp_init_struct(slot, 0, 1);
    b.pointers[0] = 3; /* capability 0 */
    return rpc_cap_descriptor_builder_at(rpc_payload_init_cap_table(payload, 1), 0);
}

/* ---- messages that came ---- */

/* The next one into raw.message. False: none. */
static inline bool raw_next(void)
{
    struct capnp_frame frame;
    if (capnp_frame_parse(&frame, raw.in + raw.in_read, raw.in_size - raw.in_read, MESSAGE_WORDS_MAX) != ST_OK) {
        return false;
    }
    raw.in_read += frame.header_bytes;
    REQUIRE(raw.in_size - raw.in_read >= frame.words * 8);
    memcpy(raw.words, raw.in + raw.in_read, frame.words * 8);
    raw.in_read += frame.words * 8;
    raw.message =
        (struct message){.segment = raw.segment, .segment_max = MESSAGE_SEGMENTS_MAX, .caps = raw.caps, .cap_max = 8};
    REQUIRE(capnp_frame_message(&frame, raw.words, &raw.message) == ST_OK);
    return true;
}
static inline struct rpc_message_reader raw_read(void)
{
    return rpc_message_read(capnp_root(&raw.message));
}
/* The next message is a Return to `id` of that kind. */
static inline struct rpc_return_reader raw_return(uint32_t id, enum rpc_return_which which)
{
    REQUIRE(raw_next());
    CHECK_EQ(rpc_message_get_which(raw_read()), RPC_MESSAGE_WHICH_RETURN);
    struct rpc_return_reader r = rpc_message_get_return(raw_read());
    CHECK_EQ(rpc_return_get_answer_id(r), id);
    CHECK_EQ(rpc_return_get_which(r), which);
    return r;
}
static inline void raw_returned(uint32_t id)
{
    raw_return(id, RPC_RETURN_WHICH_RESULTS);
}
static inline void raw_failed(uint32_t id, enum rpc_exception_type type)
{
    CHECK_EQ(rpc_exception_get_type(rpc_return_get_exception(raw_return(id, RPC_RETURN_WHICH_EXCEPTION))), type);
}
/* The next message is an Abort of that type, and the connection is over. */
static inline bool raw_aborted(enum rpc_exception_type type)
{
    while (raw_next()) {
        if (rpc_message_get_which(raw_read()) == RPC_MESSAGE_WHICH_ABORT) {
            return rpc_exception_get_type(rpc_message_get_abort(raw_read())) == type &&
                   rpc_exception_get_reason(rpc_message_get_abort(raw_read())).size > 0 && raw_c->state != VAT_OPEN &&
                   raw_vat->aborted == raw_aborts_before + 1;
        }
    }
    return false;
}
#define FAILED RPC_EXCEPTION_TYPE_FAILED
#define OVERLOADED RPC_EXCEPTION_TYPE_OVERLOADED
#define UNIMPLEMENTED RPC_EXCEPTION_TYPE_UNIMPLEMENTED

#define FAR_BEYOND 0x000000017FFFFFFCull /* a struct that begins where no message ends */

/* It got an Abort, and nothing before that. */
static inline void raw_only_aborted(void)
{
    REQUIRE(raw_next());
    CHECK_EQ(rpc_message_get_which(raw_read()), RPC_MESSAGE_WHICH_ABORT);
    CHECK_EQ(rpc_exception_get_type(rpc_message_get_abort(raw_read())), FAILED);
    CHECK(raw_c->state != VAT_OPEN);
}

/* Boot capability is export 0 after this. */
static inline void raw_begin(void)
{
    raw_join();
    raw_bootstrap(0);
    raw_returned(0);
    raw_finish(0, false);
}
