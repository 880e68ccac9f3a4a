/* SPDX-License-Identifier: MIT OR Apache-2.0
 * capnp_frame.c: messages in a byte stream: a table of segment sizes, then the segments.
 *
 *   number of segments - 1 (32 bits)  words of each segment (32 bits each)  padding to 8 bytes
 */
#include "capnp_internal.h"

static uint32_t load32(const uint8_t *bytes)
{
    uint32_t value;
    memcpy(&value, bytes, sizeof(value));
    return value;
}

status_t capnp_frame_parse(struct capnp_frame *frame, const void *bytes, size_t size, uint32_t words_max)
{
    if (size < 4) {
        return ST_AGAIN;
    }
    uint32_t last_segment = load32(bytes); /* A count of 0xffffffff + 1 is not computed. */
    if (last_segment >= MESSAGE_SEGMENTS_MAX) {
        return ST_PROTO;
    }
    uint32_t segment_count = last_segment + 1;
    uint32_t header_bytes = (segment_count + 2) / 2 * 8;
    if (size < header_bytes) {
        return ST_AGAIN;
    }
    uint64_t words = 0;
    for (uint32_t i = 0; i < segment_count; i++) {
        frame->segment_words[i] = load32((const uint8_t *)bytes + 4 * (i + 1));
        words += frame->segment_words[i];
    }
    if (words > words_max) {
        return ST_PROTO;
    }
    frame->segment_count = segment_count;
    frame->header_bytes = header_bytes;
    frame->words = (uint32_t)words;
    return ST_OK;
}

status_t capnp_frame_message(const struct capnp_frame *frame, uint64_t *words, struct message *message)
{
    if (frame->segment_count > message->segment_max) {
        return ST_RANGE;
    }
    for (uint32_t i = 0; i < frame->segment_count; i++) {
        message->segment[i] = (struct message_segment){words, frame->segment_words[i], frame->segment_words[i]};
        words += frame->segment_words[i];
    }
    message->segment_count = (uint16_t)frame->segment_count;
    message->read_limit_words = CAPNP_READ_LIMIT(frame->words);
    message->failed = false;
    message->malformed = false;
    return ST_OK;
}

uint32_t capnp_frame_header(const struct message *message, void *bytes, size_t size)
{
    uint32_t segment_count = message->segment_count;
    uint32_t header_bytes = (segment_count + 2) / 2 * 8;
    ASSERT(segment_count >= 1 && size >= header_bytes);
    uint8_t *out = bytes;
    uint32_t last_segment = segment_count - 1;
    memset(out, 0, header_bytes);
    memcpy(out, &last_segment, 4);
    for (uint32_t i = 0; i < segment_count; i++) {
        memcpy(out + 4 * (i + 1), &message->segment[i].used, 4);
    }
    return header_bytes;
}

uint64_t capnp_message_words(const struct message *message)
{
    uint64_t words = 0;
    for (uint32_t i = 0; i < message->segment_count; i++) {
        words += message->segment[i].used;
    }
    return words;
}
