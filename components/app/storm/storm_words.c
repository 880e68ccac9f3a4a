/* SPDX-License-Identifier: MIT OR Apache-2.0
 * storm_words.c: messages that are built by hand, as no vat would.
 */
#include "core/assert.h"
#include "core/mem.h"
#include "lib/capnp/capnp.h"
#include "rpc/vat/rpc.capnp.h"
#include "storm.h"

#define CALLS 4u
#define WORDS 32u                     /* of a message, at most */
#define HOME_ID 0xa7c8f1ac7f1791b8ull /* LoadHome of app/rpc-load; others answer `unimplemented` */
#define HOME_HEAVY 5u

static struct {
    uint64_t words[(CALLS + 1) * (WORDS + 1)];
    uint32_t used; /* words */
} self;

static void message_add(struct message *message)
{
    ASSERT(!message->failed && message->segment_count == 1);
    self.words[self.used - 1 - WORDS] = (uint64_t)message->segment->used << 32; /* one segment, so long */
    self.used = self.used - WORDS + message->segment->used;
}

static struct rpc_message_builder message_begin(struct message *message, struct message_segment *segment)
{
    capnp_message_build(message, segment, self.words + self.used + 1, WORDS, NULL, 0);
    self.used += 1 + WORDS;
    return rpc_message_init(capnp_root(message));
}

static void bootstrap_add(void)
{
    struct message message;
    struct message_segment segment;

    rpc_bootstrap_set_question_id(rpc_message_init_bootstrap(message_begin(&message, &segment)), 0);
    message_add(&message);
}

static void call_add(uint32_t id)
{
    struct message message;
    struct message_segment segment;
    struct rpc_call_builder call = rpc_message_init_call(message_begin(&message, &segment));

    rpc_call_set_question_id(call, id);
    rpc_call_set_interface_id(call, HOME_ID);
    rpc_call_set_method_id(call, HOME_HEAVY);
    rpc_promised_answer_set_question_id(rpc_message_target_init_promised_answer(rpc_call_init_target(call)), 0);
    (void)capnp_init_struct(rpc_payload_slot_content(rpc_call_init_params(call)), 0, 0);
    message_add(&message);
}

struct storm_words storm_words_make(void)
{
    bootstrap_add();
    for (uint32_t id = 1; id <= CALLS; id++) {
        call_add(id);
    }
    return (struct storm_words){(const uint8_t *)self.words, (size_t)self.used * 8};
}
