/* SPDX-License-Identifier: MIT OR Apache-2.0
 * virtq_fuzz.c: the used ring as a door: the input is what a device writes, and when.
 *
 * Each token must come back at most once, never with more bytes than it was lent, and all that are still out must come
 * back by reclaim. An assertion of virtq.c that fires is a device stopping the machine: a bug.
 */
#include <stdlib.h>
#include <string.h>
#include "../virtq.c"

#define SIZE 16u
#define TOKENS 32u

static char memory[4096] __attribute__((aligned(4096)));
static struct virtq_slot slots[SIZE];
static struct token {
    bool out;
    uint32_t lent;
} tokens[TOKENS];

_Noreturn void panic_assert(const char *file, int line, const char *what)
{
    (void)file;
    (void)line;
    (void)what;
    abort();
}

static void demand(bool x)
{
    if (!x) {
        abort();
    }
}

static void submit(struct virtq *q, uint8_t how)
{
    struct token *t = &tokens[how % TOKENS];
    struct virtq_segment segment[4] = {{.size = 10}, {.size = 100}, {.size = 1000}, {.size = 1}};
    uint16_t readable = how >> 5 & 3;
    uint16_t writable = (uint16_t)(how >> 7) + (readable == 0);

    if (t->out) {
        return;
    }
    if (virtq_submit(q, segment, readable, writable, t) == ST_OK) {
        t->out = true;
        t->lent = 0;
        for (unsigned i = 0; i < writable; i++) {
            t->lent += segment[readable + i].size;
        }
    }
}

static void reap(struct virtq *q)
{
    void *token = NULL;
    uint32_t written = 0;

    if (virtq_reap(q, &token, &written) == ST_OK) {
        struct token *t = token;
        demand(t >= tokens && t < tokens + TOKENS && t->out && written <= t->lent);
        t->out = false;
    }
}

/* A short record: where, how much, what. Most inputs would miss 512 bytes otherwise. */
static size_t device_writes(const uint8_t *data, size_t size)
{
    size_t at = (size_t)(data[0] | data[1] << 8) % (virtq_bytes(SIZE) + 1);
    size_t n = data[2] & 7;

    if (n > size - 3) {
        n = size - 3;
    }
    memcpy(memory + at, data + 3, n);
    return 3 + n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct virtq q;
    struct dma_memory dma = {.cpu = memory, .size = sizeof memory};

    if (size < 1) {
        return 0;
    }
    memset(memory, 0, sizeof memory);
    memset(tokens, 0, sizeof tokens);
    virtq_init(&q, SIZE, (data[0] & 1) != 0, dma, slots);
    for (size_t i = 1; i < size;) {
        uint8_t op = data[i++];
        if (op < 96 && size - i >= 1) {
            submit(&q, data[i++]);
        } else if (op < 192 && size - i >= 3) {
            i += device_writes(data + i, size - i);
        } else if (op < 200) {
            (void)virtq_kick_wanted(&q);
        } else if (op < 208) {
            virtq_interrupts_off(&q);
        } else if (op < 216) {
            (void)virtq_interrupts_on(&q);
        } else {
            reap(&q);
        }
    }
    for (struct token *t = virtq_reclaim(&q); t != NULL; t = virtq_reclaim(&q)) {
        demand(t->out);
        t->out = false;
    }
    for (unsigned i = 0; i < TOKENS; i++) {
        demand(!tokens[i].out);
    }
    return 0;
}
