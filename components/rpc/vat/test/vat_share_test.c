/* SPDX-License-Identifier: MIT OR Apache-2.0
 * vat_share_test.c: two peers, and buffers for one: nobody keeps them from the other for ever.
 */
#include "vat_raw.h"

static size_t second_heard; /* bytes that came back to the second peer */
static size_t second_received(struct stream_client *client, const uint8_t *data, size_t len)
{
    (void)client, (void)data;
    second_heard += len;
    return len;
}
static void second_closed(struct stream_client *client, status_t status)
{
    (void)client, (void)status;
}

static void both_settle(struct stream_pair *pair)
{
    for (bool more = true; more;) {
        raw_settle();
        more = stream_pair_step(pair);
    }
}

static struct stream_client second = {
    .ops = &(const struct stream_client_ops){.received = second_received, .closed = second_closed}};
static struct stream_pair second_pair;
static struct vat_connection *second_c;

static void second_begin(void)
{
    second_heard = 0;
    second_c = vat_open(raw_vat);
    stream_pair_init(&second_pair, vat_client(second_c), &second);
    vat_attach(second_c, &second_pair.a.stream);
}

static void second_end(void)
{
    stream_pair_abort(&second_pair.b.stream);
    vat_close(second_c);
    both_settle(&second_pair);
}

static void second_bootstrap(void)
{
    uint64_t header;

    rpc_bootstrap_set_question_id(rpc_message_init_bootstrap(raw_new()), 1);
    capnp_frame_header(&out_message, &header, 8);
    REQUIRE(stream_send(&second_pair.b.stream, &header, 8) == ST_OK);
    both_settle(&second_pair);
    REQUIRE(stream_send(&second_pair.b.stream, out_words, out_segment.used * 8) == ST_OK);
    both_settle(&second_pair);
}

/* A call whose Return holds a capability in a medium buffer, until its Finish. */
static void raw_call_many(uint32_t id)
{
    struct capnp_slot slot = rpc_payload_slot_content(raw_call(id, 0, 12));
    struct payload content = {&out_message, slot.segment,
                              (uint32_t)(slot.at - out_message.segment[slot.segment].words)};

    thing_many_params_set_count(thing_many_params_init(content), 1);
}

/* One peer finishes nothing. Half of the buffers are left to others, however often it asks. */
static void test_larger_buffers_are_shared(void)
{
    raw_begin();
    second_begin();
    for (uint32_t id = 1; id <= 8; id++) {
        raw_call_many(id);
        raw_send();
    }
    CHECK(raw_c->state == VAT_OPEN); /* it waits: others may finish theirs */
    CHECK_EQ(raw_vat->buffers[VAT_MEDIUM].free_count, small_options.medium / 2);
    second_bootstrap();
    CHECK(second_heard > 0);
    second_end();
    raw_part();
}

/* A second peer finds no buffer until the first, which keeps one, is ended for it. */
static void check_ended_for_what_it_keeps(void)
{
    struct vat_message *hog[5];

    second_begin();
    for (unsigned i = 0; i < 5; i++) {
        hog[i] = vat_message_new(raw_vat, 5000);
        REQUIRE(hog[i] != NULL && hog[i]->size == VAT_MEDIUM);
    }
    second_bootstrap();
    CHECK_EQ(second_heard, 0); /* a call is begun only when there is a buffer for its results */
    for (unsigned i = 0; i < 12; i++) {
        time_passes(NS_PER_S);
        both_settle(&second_pair);
    }
    CHECK(raw_aborted(OVERLOADED));
    CHECK(second_heard > 0);
    for (unsigned i = 0; i < 5; i++) {
        vat_message_put(hog[i]);
    }
    second_end();
}

/* A Return may be kept for as long as one likes, until somebody waits for its buffer. */
static void test_results_that_are_kept_while_others_wait(void)
{
    raw_begin();
    raw_call_many(1);
    raw_send();
    for (unsigned i = 0; i < 60; i++) {
        time_passes(NS_PER_S);
        raw_settle();
    }
    CHECK(raw_c->state == VAT_OPEN);
    check_ended_for_what_it_keeps();
    raw_part();
}

/* A call with params for a medium buffer, whose results stay here until a Return of the peer's takes them. */
static void raw_call_yourself(uint32_t id, uint16_t method)
{
    static const char text[2000] = "so long, and thanks for all the bytes";
    struct rpc_call_builder call = raw_call_new(id, method);
    rpc_message_target_set_imported_cap(rpc_call_init_target(call), 0);
    rpc_call_send_results_to_set_yourself(rpc_call_edit_send_results_to(call));
    struct capnp_slot content = rpc_payload_slot_content(rpc_call_init_params(call));
    capnp_set_text(capnp_slot(capnp_init_struct(content, 0, 1), 0), (struct capnp_text){text, sizeof text - 1});
    raw_send();
}

static void test_params_are_not_kept_with_results_for_ourselves(void)
{
    struct vat_usage u;

    raw_begin();
    raw_call_yourself(1, 6);
    vat_usage(raw_vat, &u);
    CHECK_EQ(u.live, 1);
    CHECK_EQ(u.medium, 0);
    raw_part();
}

static void test_a_failure_for_ourselves_that_is_kept_while_others_wait(void)
{
    raw_begin();
    raw_call_yourself(1, 10);
    check_ended_for_what_it_keeps();
    raw_part();
}

/* Each has half of a call that needs a medium buffer here. If both had one, neither would be run: the results need the next. */
static void test_two_halves_do_not_hold_each_other_up(void)
{
    static uint64_t bytes[3000];
    struct vat_message *hog[4];

    raw_begin();
    second_begin();
    for (unsigned i = 0; i < 4; i++) {
        hog[i] = vat_message_new(raw_vat, 5000);
        REQUIRE(hog[i] != NULL && hog[i]->size == VAT_MEDIUM);
    }
    struct capnp_slot slot = rpc_payload_slot_content(raw_call(7, 0, 0)); /* echo */
    memset(bytes, 'x', sizeof bytes);
    struct payload content = {&out_message, slot.segment,
                              (uint32_t)(slot.at - out_message.segment[slot.segment].words)};
    thing_echo_params_set_text(thing_echo_params_init(content), (struct capnp_text){(const char *)bytes, 16000});
    size_t size = (size_t)out_segment.used * 8;
    uint64_t header;
    capnp_frame_header(&out_message, &header, 8);
    struct stream *streams[] = {&raw_pair.b.stream, &second_pair.b.stream};
    for (unsigned half = 0; half < 2; half++) {
        for (unsigned i = 0; i < 2; i++) {
            REQUIRE(half != 0 || stream_send(streams[i], &header, 8) == ST_OK);
            const uint64_t *from = out_words + (half != 0 ? size / 16 : 0);
            REQUIRE(stream_send(streams[i], from, half != 0 ? size - size / 16 * 8 : size / 16 * 8) == ST_OK);
            both_settle(&second_pair);
        }
    }
    raw_returned(7);
    CHECK(second_heard > 0); /* it has no export 0: the end of its connection */
    for (unsigned i = 0; i < 4; i++) {
        vat_message_put(hog[i]);
    }
    second_end();
    raw_part();
}

/* ---- small buffers ---- */

static size_t appetite; /* bytes that the first peer still takes */
static size_t sip(struct stream_client *client, const uint8_t *data, size_t len)
{
    (void)client, (void)data;
    size_t taken = len < appetite ? len : appetite;
    appetite -= taken;
    return taken;
}
static void sip_more(size_t bytes)
{
    appetite = bytes;
    stream_resume(&raw_pair.b.stream);
    raw_settle();
}
static void raw_sips(void)
{
    static const struct stream_client_ops ops = {.received = sip, .closed = raw_closed};

    raw.client.ops = &ops;
    appetite = 0;
}
static void raw_drinks(void)
{
    raw.client.ops = &raw_ops;
    sip_more(0);
}

/* Calls that return nothing, finished as soon as they are asked: nothing of them is here but what was not taken. */
static void raw_call_and_finish(uint32_t first, uint32_t count)
{
    for (uint32_t id = first; id < first + count; id++) {
        raw_call(id, 0, 14); /* empty */
        raw_send();
        raw_finish(id, true);
    }
}

static uint32_t small_free(void)
{
    return raw_vat->buffers[VAT_SMALL].free_count;
}

/* It takes as little as is enough not to be ended for it. Whoever comes is heard all the same. */
static void check_others_are_heard(void)
{
    raw_sips();
    raw_call_and_finish(1, 100);
    CHECK(small_free() > small_options.small / 8);
    for (unsigned i = 0; i < 20; i++) {
        time_passes(4 * NS_PER_S);
        sip_more(40);
        second_begin();
        second_bootstrap();
        CHECK(second_heard > 0);
        second_end();
    }
    CHECK_EQ(raw_c->state, VAT_OPEN);
    raw_drinks();
}

static void test_a_peer_that_sips_leaves_small_buffers_to_others(void)
{
    raw_begin();
    check_others_are_heard();
    raw_part();
}

/* Nor does it help it that we wait for an answer, and read on for that. */
static void test_a_peer_that_sips_and_does_not_answer_leaves_them_too(void)
{
    raw_begin();
    struct object *theirs = vat_bootstrap(raw_c);
    raw_settle();
    check_others_are_heard();
    CHECK_EQ(raw_c->question_count, 1);
    object_put(theirs);
    raw_part();
}

/* Nobody else wants anything: a peer alone may have half of all under way, and when it reads it gets every answer. */
static void test_a_peer_alone_has_half_of_the_small_buffers(void)
{
    unsigned returned = 0;

    raw_begin();
    raw.deaf = true;
    raw_call_and_finish(1, 100);
    CHECK(small_free() >= small_options.small / 2 - 2);
    CHECK(small_free() <= small_options.small / 2);
    raw.deaf = false;
    stream_resume(&raw_pair.b.stream);
    raw_settle();
    while (raw_next()) {
        returned += rpc_message_get_which(raw_read()) == RPC_MESSAGE_WHICH_RETURN;
    }
    CHECK_EQ(returned, 100);
    CHECK_EQ(raw_c->untaken, 0);
    raw_part();
}

int main(void)
{
    RUN(test_two_halves_do_not_hold_each_other_up);
    RUN(test_larger_buffers_are_shared);
    RUN(test_results_that_are_kept_while_others_wait);
    RUN(test_params_are_not_kept_with_results_for_ourselves);
    RUN(test_a_failure_for_ourselves_that_is_kept_while_others_wait);
    RUN(test_a_peer_that_sips_leaves_small_buffers_to_others);
    RUN(test_a_peer_that_sips_and_does_not_answer_leaves_them_too);
    RUN(test_a_peer_alone_has_half_of_the_small_buffers);
    return test_end();
}
