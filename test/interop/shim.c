/* SPDX-License-Identifier: MIT OR Apache-2.0
 * shim.c: one message of the reference implementation through our check, readers, builders and canonical form.
 */
#include "shim.h"
#include <stdlib.h>
#include "lib/capnp/capnp.h"

#define WORDS (1u << 17)

struct made {
    struct message message;
    struct message_segment segment[MESSAGE_SEGMENTS_MAX];
    uint64_t words[WORDS];
    uint32_t next;
    uint32_t segment_words;
};

static bool grow(struct message *message, uint32_t words)
{
    struct made *made = CONTAINER_OF(message, struct made, message);
    /* The last segment takes the rest, so that a large message does not fail for its number of segments. */
    uint32_t size = words > made->segment_words ? words : made->segment_words;
    size = message->segment_count == message->segment_max - 1 ? WORDS - made->next : size;
    if (message->segment_count == message->segment_max || size > WORDS - made->next || size < words) {
        return false;
    }
    made->segment[message->segment_count++] = (struct message_segment){made->words + made->next, 0, size};
    made->next += size;
    return true;
}
static struct payload made_init(struct made *made, uint32_t segment_words)
{
    capnp_message_build(&made->message, made->segment, made->words, segment_words, NULL, 0);
    made->message.segment_max = MESSAGE_SEGMENTS_MAX;
    made->message.grow = grow;
    made->message.read_limit_words = CAPNP_READ_LIMIT(WORDS);
    made->next = segment_words;
    made->segment_words = segment_words;
    return capnp_root(&made->message);
}
static bool canonical(struct made *made, struct payload from, struct interop_words *words)
{
    (void)made_init(made, WORDS);
    made->message.grow = NULL;
    if (!capnp_canonical(&made->message, capnp_payload_ref(from))) {
        return false;
    }
    *words = (struct interop_words){made->words, made->segment[0].used};
    return true;
}

const char *interop_run(const struct interop_case *one, const struct interop_words *segments, uint32_t segment_count,
                        uint32_t segment_words, struct interop_result *result)
{
    static struct made transcoded, first, second;
    struct message_segment *in = calloc(segment_count, sizeof(*in));
    struct message message = {
        .segment = in, .segment_count = (uint16_t)segment_count, .read_limit_words = CAPNP_READ_LIMIT(WORDS)};
    const char *problem = NULL;
    for (uint32_t i = 0; i < segment_count; i++) {
        in[i] =
            (struct message_segment){(uint64_t *)(uintptr_t)segments[i].words, segments[i].count, segments[i].count};
    }
    struct payload from = capnp_root(&message);
    struct payload to = made_init(&transcoded, segment_words);
    if (!one->check(from)) {
        problem = "the check refuses it";
    } else if (!canonical(&first, from, &result->canonical)) {
        problem = "it has no canonical form";
    } else {
        one->transcode(from, to);
        if (message.malformed || transcoded.message.failed) {
            problem = message.malformed ? "a getter found it malformed" : "the builders failed";
        } else if (!one->check(to) || !canonical(&second, to, &result->transcoded_canonical)) {
            problem = "what was built does not hold";
        }
    }
    free(in);
    result->transcoded_count = transcoded.message.segment_count;
    for (uint32_t i = 0; i < result->transcoded_count; i++) {
        result->transcoded[i] = (struct interop_words){transcoded.segment[i].words, transcoded.segment[i].used};
    }
    return problem;
}

const uint8_t *interop_pack(const uint64_t *words, uint32_t count, uint32_t *bytes)
{
    static uint8_t packed[WORDS * 10];
    size_t taken = count;
    *bytes = (uint32_t)capnp_pack(words, &taken, packed, sizeof(packed));
    return taken == count ? packed : NULL;
}
