/* SPDX-License-Identifier: MIT OR Apache-2.0
 * segments_test.c: remote calls as TCP segments: rpc/vat over net/lwip, with a peer that counts what arrives. Separate
 * segments for a Call and the Finish before it once cost a peer of ours a factor of a thousand, with Nagle's delay at one
 * end and delayed acknowledgements at the other. So what one segment causes leaves in one, and without waiting.
 */
#include "../../components/net/lwip/test/net_lwip_world.h"
#include "lib/capnp/capnp.h"
#include "rpc/vat/rpc.capnp.h"
#include "rpc/vat/vat.h"

void net_lwip_wire_netif(struct netdev *device);
status_t net_lwip_start(void);
struct tcp_listen_authority *net_lwip_grant_listen(const char *scope);

static const struct vat_options options = {
    .connections = 2,
    .answers = 16,
    .live = 8,
    .live_all = 16,
    .questions = 8,
    .exports = 8,
    .imports = 8,
    .promises = 16,
    .small = 64,
    .medium = 2,
    .large = 1,
    .window_bytes = 64 * 1024,
    .stall_seconds = 30,
};
static struct vat *vat;
static struct vat_connection *connection;
static struct tcp_peer peer;

/* --- our side: an object that answers, and one who asks again as soon as it has an answer --- */

static void serve(struct object *self, struct call *call)
{
    (void)self;
    room_assert_loop();
    call_return(call);
}
static const struct object_ops served_ops = {.call = serve};
static struct object served;

static struct asker {
    struct call call;
    struct object *whom;
    struct message params, results;
    struct message_segment params_segment, results_segment;
    uint64_t params_words[8], results_words[8];
    unsigned asks_left, answers;
} asker;

static struct payload asker_results(struct call *call, uint32_t words)
{
    (void)call;
    (void)words;
    capnp_message_build(&asker.results, &asker.results_segment, asker.results_words, 8, NULL, 0);
    return capnp_root(&asker.results);
}
static void ask(void);
static void asker_returned(struct call *call)
{
    (void)call;
    asker.answers++;
    if (asker.asks_left > 0) {
        ask();
    }
}
static void asker_failed(struct call *call, enum exception type, const char *reason)
{
    (void)call;
    (void)type;
    (void)reason;
    asker.asks_left = 0;
}
static const struct call_source asker_source = {asker_results, asker_returned, asker_failed};

static void ask(void)
{
    asker.asks_left--;
    capnp_message_build(&asker.params, &asker.params_segment, asker.params_words, 8, NULL, 0);
    asker.params.read_limit_words = 1000;
    capnp_init_struct(capnp_payload_slot(capnp_root(&asker.params)), 0, 0);
    asker.call = (struct call){.interface_id = 1, .params = capnp_root(&asker.params), .source = &asker_source};
    list_init(&asker.call.node);
    object_call(asker.whom, &asker.call);
}

static struct stream_client *accept_vat(struct tcp_acceptor *acceptor, struct stream *stream)
{
    (void)acceptor;
    connection = vat_accept(vat, stream);
    return vat_client(connection);
}

/* --- the peer: RPC messages in TCP segments --- */

static uint8_t said[1400]; /* what its next segment will hold */
static size_t said_size;
static struct message out;
static struct message_segment out_segment;
static uint64_t out_words[100];

static struct rpc_message_builder message_begin(void)
{
    capnp_message_build(&out, &out_segment, out_words, 100, NULL, 0);
    return rpc_message_init(capnp_root(&out));
}
static void message_add(void)
{
    size_t header = capnp_frame_header(&out, said + said_size, 8);

    REQUIRE(header == 8 && !out.failed);
    memcpy(said + said_size + 8, out_words, out_segment.used * 8);
    said_size += 8 + out_segment.used * 8;
}
/* In one segment, that acknowledges nothing new unless `acknowledge`. */
static void say(bool acknowledge)
{
    static uint32_t acknowledged;
    uint32_t heard = peer.ack;

    peer.ack = acknowledge ? heard : acknowledged;
    acknowledged = peer.ack;
    peer_send(&peer, ACK | PSH, said, said_size);
    peer.ack = heard;
    said_size = 0;
}

struct heard {
    unsigned segments, messages, calls, finishes, returns;
};

/* What has come since the last time. */
static struct heard hear(void)
{
    struct heard heard = {.segments = peer.segments};
    static size_t looked_at;
    struct capnp_frame frame;
    uint64_t words[512];
    struct message message;
    struct message_segment segment;

    peer_listen(&peer);
    heard.segments = peer.segments - heard.segments;
    while (capnp_frame_parse(&frame, peer.last + looked_at, peer.got - looked_at, 512) == ST_OK) {
        looked_at += frame.header_bytes;
        memcpy(words, peer.last + looked_at, frame.words * 8);
        looked_at += frame.words * 8;
        message = (struct message){.segment = &segment, .segment_max = 1};
        REQUIRE(capnp_frame_message(&frame, words, &message) == ST_OK);
        enum rpc_message_which which = rpc_message_get_which(rpc_message_read(capnp_root(&message)));
        heard.messages++;
        heard.calls += which == RPC_MESSAGE_WHICH_CALL;
        heard.finishes += which == RPC_MESSAGE_WHICH_FINISH;
        heard.returns += which == RPC_MESSAGE_WHICH_RETURN;
    }
    CHECK_EQ(looked_at, peer.got); /* no message in half */
    return heard;
}

static void add_bootstrap(uint32_t id)
{
    rpc_bootstrap_set_question_id(rpc_message_init_bootstrap(message_begin()), id);
    message_add();
}
static void add_call(uint32_t id)
{
    struct rpc_call_builder c = rpc_message_init_call(message_begin());

    rpc_call_set_question_id(c, id);
    rpc_message_target_set_imported_cap(rpc_call_init_target(c), 0);
    capnp_init_struct(rpc_payload_slot_content(rpc_call_init_params(c)), 0, 0);
    message_add();
}
static void add_finish(uint32_t id)
{
    rpc_finish_set_question_id(rpc_message_init_finish(message_begin()), id);
    message_add();
}
static void add_return(uint32_t id)
{
    struct rpc_return_builder r = rpc_message_init_return(message_begin());

    rpc_return_set_answer_id(r, id);
    capnp_init_struct(rpc_payload_slot_content(rpc_return_init_results(r)), 0, 0);
    message_add();
}

/* --- tests --- */

static void test_begin(void)
{
    static struct tcp_acceptor acceptor = {accept_vat};
    static struct tcp_limits limits;
    struct tcp_listener *listener;

    world_init();
    net_lwip_wire_netif(&device.netdev);
    CHECK_EQ(net_lwip_start(), ST_OK);
    struct tcp_listen_authority *authority = net_lwip_grant_listen("tcp/7");
    status_t listening = authority->ops->listen(authority, &limits, &acceptor, &listener);
    CHECK_EQ(listening, ST_OK);
    vat = vat_new(&options);
    object_init(&served, &served_ops);
    vat_serve(vat, &served);
    test_room = ROOM_LOOP;
    world_turns();
    device_answer();
    peer_init(&peer, 40000);
    peer_open(&peer);
    REQUIRE(connection != NULL);
    add_bootstrap(0);
    say(true);
    struct heard heard = hear();
    CHECK(heard.segments == 1 && heard.returns == 1);
}

/* Six answers to what came in one segment. */
static void test_returns_share_a_segment(void)
{
    test_room = ROOM_LOOP;
    for (uint32_t id = 1; id <= 6; id++) {
        add_call(id);
        add_finish(id);
    }
    say(true);
    struct heard heard = hear();
    CHECK_EQ(heard.returns, 6);
    CHECK_EQ(heard.segments, 1);
}

static void test_bootstrap_and_call_share_a_segment(void)
{
    test_room = ROOM_LOOP;
    asker.whom = vat_bootstrap(connection);
    asker.asks_left = 4;
    ask();
    world_turns();
    struct heard heard = hear();
    CHECK_EQ(heard.messages, 2);
    CHECK_EQ(heard.calls, 1);
    CHECK_EQ(heard.segments, 1);
}

/* The peer acknowledges nothing of what went before, and the next segment comes all the same. */
static void test_call_and_finish_share_a_segment_at_once(void)
{
    test_room = ROOM_LOOP;
    uint64_t before = test_clock_ns;
    uint32_t question = 1;

    for (unsigned i = 1; i <= 3; i++) {
        add_return(question);
        say(false);
        CHECK_EQ(asker.answers, i);
        struct heard heard = hear();
        CHECK_EQ(heard.segments, 1);
        CHECK_EQ(heard.messages, 2);
        CHECK_EQ(heard.calls, 1);
        CHECK_EQ(heard.finishes, 1);
        question = question == 1 ? 2 : 1; /* the id is free again when its Finish is out */
    }
    CHECK_EQ(test_clock_ns, before);
}

/* Whoever serves and asks: Return, Finish and Call in one. */
static void test_return_finish_and_call_share_a_segment(void)
{
    test_room = ROOM_LOOP;
    asker.asks_left = 1;
    add_call(30);
    add_return(2);
    say(true);
    struct heard heard = hear();
    CHECK_EQ(heard.segments, 1);
    CHECK_EQ(heard.messages, 3);
    CHECK(heard.calls == 1 && heard.finishes == 1 && heard.returns == 1);
}

static void test_nothing_is_left(void)
{
    test_room = ROOM_LOOP;
    struct vat_usage usage;

    peer_send(&peer, RST | ACK, NULL, 0);
    world_turns();
    object_put(asker.whom);
    world_turns();
    vat_usage(vat, &usage);
    CHECK_EQ(usage.connections + usage.live + usage.questions + usage.exports + usage.imports + usage.small, 0);
    CHECK_EQ(device.out, 0);
}

int main(void)
{
    RUN(test_begin);
    RUN(test_returns_share_a_segment);
    RUN(test_bootstrap_and_call_share_a_segment);
    RUN(test_call_and_finish_share_a_segment_at_once);
    RUN(test_return_finish_and_call_share_a_segment);
    RUN(test_nothing_is_left);
    return test_end();
}
