/* SPDX-License-Identifier: MIT OR Apache-2.0
 * virtq_test.c: one queue against a device that is honest, then one that lies; seeded, with an oracle that is exact.
 *
 * The oracle keeps its own list of what was lent and its own unwrapped 64-bit counters, and foretells each answer of
 * virtq_reap() and virtq_kick_wanted() from those: it never looks into struct virtq. The device reads descriptors from the
 * shared memory and compares them with what was submitted.
 */
#include "test.h"
#include "../virtq.c"

#define SEEDS 2400u
#define STEPS 1500u
#define SIZE_MAX_HERE 64u
#define TOKENS 512u

struct lent { /* one chain as it was submitted */
    bool out;
    bool taken; /* the device read it from the avail ring */
    bool indirect;
    uint16_t head;
    uint16_t readable, writable;
    uint32_t bytes; /* that it may say it wrote */
    struct virtq_segment segment[VIRTQ_CHAIN_MAX];
    struct virtq_desc table[8];
};

static union {
    char bytes[8192] __attribute__((aligned(4096)));
    struct virtq_desc desc[SIZE_MAX_HERE];
} memory;
static struct virtq_slot slots[SIZE_MAX_HERE];
static struct virtq q;
static struct lent lent[TOKENS];
static uint16_t size;
static uint64_t submitted, reaped, told, fetched, finished; /* chains, unwrapped */
static uint32_t descriptors_out;
static uint64_t reaps, lies, kicks;

static uint32_t below(uint32_t n)
{
    return (uint32_t)(test_random() >> 20) % n;
}

/* The test's own idea of the layout, from the specification's picture (virtio 1.2, 2.7). */
static uint16_t *avail_word(unsigned i)
{
    return (uint16_t *)(void *)(memory.bytes + 16u * size) + i;
}

static uint16_t *used_word(unsigned i)
{
    unsigned offset = (16u * size + 2u * (3u + size) + 3u) / 4u * 4u;

    return (uint16_t *)(void *)(memory.bytes + offset) + i;
}

static struct virtq_used *used_entry(uint64_t index)
{
    return (struct virtq_used *)(void *)used_word(2 + 4 * (unsigned)(index % size));
}

static void queue_begin(uint16_t queue_size, bool event_idx, uint16_t start)
{
    struct dma_memory dma = {.cpu = memory.bytes, .size = sizeof memory};

    memset(&memory, 0, sizeof memory);
    memset(lent, 0, sizeof lent);
    size = queue_size;
    virtq_init(&q, size, event_idx, dma, slots);
    q.counts_all = below(3) == 0;
    /* A queue that has been in use for long: the wrap at 65536 is near. */
    q.avail_next = q.avail_rung = q.used_seen = start;
    *avail_word(1) = *used_word(1) = start;
    submitted = reaped = told = fetched = finished = start;
    descriptors_out = 0;
}

/* Descriptors of the ring. */
static uint32_t room_of(const struct lent *l)
{
    return l->indirect ? 1 : (uint32_t)l->readable + l->writable;
}

static status_t submit_one(struct lent *l)
{
    struct virtq_table table = {.desc = l->table, .address = {(uintptr_t)l->table}};

    return l->indirect ? virtq_submit_indirect(&q, &table, l->segment, l->readable, l->writable, l)
                       : virtq_submit(&q, l->segment, l->readable, l->writable, l);
}

static void submit(void)
{
    unsigned id = below(TOKENS);
    struct lent *l = &lent[id];

    if (l->out) {
        return;
    }
    memset(l, 0, sizeof *l);
    l->readable = (uint16_t)below(4);
    l->writable = (uint16_t)(below(4) + (l->readable == 0));
    for (unsigned i = 0; i < (unsigned)l->readable + l->writable; i++) {
        l->segment[i].address.value = ((uint64_t)id << 32) + i * 4096;
        l->segment[i].size = 1 + below(4096);
        l->bytes += i >= l->readable || q.counts_all ? l->segment[i].size : 0;
    }
    l->indirect = (unsigned)l->readable + l->writable <= size && below(2) == 0;
    uint32_t count = room_of(l);
    status_t want = descriptors_out + count > size ? ST_FULL : ST_OK;
    REQUIRE(submit_one(l) == want);
    if (want == ST_OK) {
        REQUIRE(*avail_word(1) == (uint16_t)(submitted + 1));
        l->out = true;
        l->head = *avail_word(2 + (unsigned)(submitted % size));
        submitted++;
        descriptors_out += count;
    }
    REQUIRE(virtq_free(&q) == size - descriptors_out);
}

static struct lent *lent_by_head(uint16_t head)
{
    for (unsigned i = 0; i < TOKENS; i++) {
        if (lent[i].out && lent[i].head == head) {
            return &lent[i];
        }
    }
    return NULL;
}

/* The device follows a chain in shared memory: it must be what was submitted. */
static void fetch(void)
{
    while (fetched != submitted) {
        uint16_t at = *avail_word(2 + (unsigned)(fetched++ % size));
        struct lent *l = lent_by_head(at);
        REQUIRE(l != NULL && !l->taken);
        l->taken = true;
        unsigned count = (unsigned)l->readable + l->writable;
        const struct virtq_desc *table = memory.desc;
        if (l->indirect) {
            REQUIRE(at < size && table[at].flags == 4 && table[at].size == 16 * count);
            REQUIRE(table[at].address == (uintptr_t)l->table);
            table = l->table;
            at = 0;
        }
        for (unsigned i = 0; i < count; i++) {
            REQUIRE(at < (l->indirect ? count : size));
            const struct virtq_desc *d = &table[at];
            REQUIRE(d->address == l->segment[i].address.value && d->size == l->segment[i].size);
            REQUIRE(d->flags == (i + 1 < count ? 1 : 0) + (i >= l->readable ? 2 : 0));
            at = d->next;
        }
    }
}

/* Finishes one random chain that it holds, truthfully. */
static void finish(void)
{
    unsigned from = below(TOKENS);

    for (unsigned i = 0; i < TOKENS; i++) {
        struct lent *l = &lent[(from + i) % TOKENS];
        if (l->out && l->taken) {
            l->taken = false;
            uint32_t written = l->bytes == 0 ? below(9000) : below(l->bytes + 1);
            *used_entry(finished) = (struct virtq_used){l->head, written};
            *used_word(1) = (uint16_t)++finished;
            return;
        }
    }
}

/* One untruth in memory that the device can write. Never touches our counters; may by chance be true. */
static void tell_lie(void)
{
    switch (below(6)) {
    case 0:
        *used_word(1) = (uint16_t)test_random();
        break;
    case 1:
        *used_word(1) = (uint16_t)(*used_word(1) + 1);
        break;
    case 2:
        used_entry(reaped)->id = below(2) ? below(size * 2u) : (uint32_t)test_random();
        break;
    case 3:
        used_entry(reaped)->size = below(2) ? UINT32_MAX : below(20000);
        break;
    case 4:
        memset(&memory, (int)below(256), 16u * size); /* the descriptors, which we never read back */
        break;
    case 5:
        *avail_word(below(2u + size + 1)) = (uint16_t)test_random();
        break;
    default:
        break;
    }
}

/* What a right virtq_reap() answers now, from the shared memory and the oracle's own books. */
static status_t reap_foretold(struct lent **chain, uint32_t *written)
{
    uint16_t pending = (uint16_t)(*used_word(1) - (uint16_t)reaped);

    if (pending == 0) {
        return ST_AGAIN;
    }
    if (pending > submitted - reaped) {
        return ST_PROTO;
    }
    struct virtq_used e = *used_entry(reaped);
    *chain = e.id < size ? lent_by_head((uint16_t)e.id) : NULL;
    if (*chain == NULL || ((*chain)->bytes != 0 && e.size > (*chain)->bytes)) {
        return ST_PROTO;
    }
    *written = (*chain)->bytes == 0 ? 0 : e.size;
    return ST_OK;
}

static status_t reap(void)
{
    struct lent *want_chain = NULL;
    uint32_t want_written = 0;
    void *token = NULL;
    uint32_t written = 0;
    status_t want = reap_foretold(&want_chain, &want_written);
    status_t got = virtq_reap(&q, &token, &written);

    REQUIRE(got == want);
    if (got == ST_OK) {
        REQUIRE(token == want_chain && written == want_written);
        want_chain->out = false;
        descriptors_out -= room_of(want_chain);
        reaped++;
        reaps++;
    } else {
        REQUIRE(token == NULL && written == 0);
    }
    REQUIRE(virtq_free(&q) == size - descriptors_out);
    return got;
}

/* Everything that is out comes back by reclaim, each once; then the queue is whole. */
static void reclaim_all(void)
{
    struct lent *l;
    unsigned out = 0;

    for (unsigned i = 0; i < TOKENS; i++) {
        out += lent[i].out;
    }
    while ((l = virtq_reclaim(&q)) != NULL) {
        REQUIRE(l->out);
        l->out = false;
        out--;
    }
    REQUIRE(out == 0 && virtq_free(&q) == size);
    struct virtq_segment s = {.size = 1};
    REQUIRE(virtq_submit(&q, &s, 1, 0, &s) == ST_CLOSED);
}

/* Whether a kick is due is foretold on unwrapped counters: the device asked to be told when the index passes `event`. */
static void kick(void)
{
    uint64_t event = told - 3 + below(10);
    bool want = event >= told && event < submitted;

    if (q.event_idx) {
        *used_word(2 + 4u * size) = (uint16_t)event;
        *used_word(0) = (uint16_t)below(2); /* has no meaning with EVENT_IDX */
    } else {
        *used_word(0) = (uint16_t)below(2);
        *used_word(2 + 4u * size) = (uint16_t)test_random();
        want = *used_word(0) == 0 && told != submitted;
    }
    REQUIRE(virtq_kick_wanted(&q) == want);
    told = submitted;
    kicks += want;
}

static void interrupts(void)
{
    if (below(2)) {
        virtq_interrupts_off(&q);
        if (q.event_idx) {
            /* No index that may come next is the one that was asked for. */
            uint16_t ahead = (uint16_t)(*avail_word(2u + size) - (uint16_t)reaped);
            REQUIRE(ahead >= submitted - reaped + 1);
        } else {
            REQUIRE(*avail_word(0) == 1);
        }
        return;
    }
    REQUIRE(virtq_interrupts_on(&q) == (*used_word(1) == (uint16_t)reaped));
    if (q.event_idx) {
        REQUIRE(*avail_word(2u + size) == (uint16_t)reaped);
    } else {
        REQUIRE(*avail_word(0) == 0);
    }
}

/* Returns whether the device was caught. */
static bool one_step(bool liar)
{
    switch (below(7)) {
    case 0:
    case 1:
        submit();
        return false;
    case 2:
        if (!liar) {
            fetch();
        } else { /* a liar may have spoilt the ring: it goes by what it was told */
            for (unsigned i = 0; i < TOKENS; i++) {
                lent[i].taken = lent[i].out && (lent[i].taken || below(2));
            }
        }
        return false;
    case 3:
        finish();
        return false;
    case 4:
        interrupts();
        return false;
    case 5:
        kick();
        return false;
    default:
        if (liar && below(40) == 0) {
            tell_lie();
        }
        return reap() == ST_PROTO;
    }
}

static void one_run(unsigned seed, bool liar)
{
    static const uint16_t starts[] = {0, 65530, 32760, 65535};

    queue_begin((uint16_t)(1u << below(7)), seed % 3 != 0, starts[below(4)]);
    for (unsigned step = 0; step < STEPS; step++) {
        if (one_step(liar)) {
            REQUIRE(liar);
            lies++;
            void *token;
            uint32_t written;
            *used_word(1) = (uint16_t)reaped;
            REQUIRE(virtq_reap(&q, &token, &written) == ST_PROTO); /* once caught, never believed again */
            break;
        }
    }
    reclaim_all();
}

static void test_honest_device(void)
{
    for (unsigned seed = 0; seed < SEEDS / 2; seed++) {
        one_run(seed, false);
    }
    CHECK(reaps > 50000 && lies == 0 && kicks > 20000);
}

static void test_lying_device(void)
{
    for (unsigned seed = 0; seed < SEEDS / 2; seed++) {
        one_run(seed, true);
    }
    CHECK(lies > SEEDS / 4);
}

/* The layouts that the specification prints: virtio 1.2, 2.7. */
static void test_layout(void)
{
    CHECK_EQ(virtq_avail_offset(256), 4096);
    CHECK_EQ(virtq_used_offset(256), 4096 + 6 + 512 + 2);
    CHECK_EQ(virtq_bytes(256), 4096 + 6 + 512 + 2 + 6 + 2048);
    CHECK_EQ(virtq_used_offset(1) % 4, 0);
}

/* A device that sleeps after each look is always woken, and one kick serves a batch. */
static void test_sleeper_is_woken(void)
{
    struct virtq_segment s = {.size = 1};
    void *token;
    uint32_t written;

    queue_begin(8, true, 65533);
    for (unsigned i = 0; i < 40; i++) {
        *used_word(2 + 4u * size) = (uint16_t)submitted; /* asleep until this index is passed */
        CHECK(virtq_submit(&q, &s, 1, 0, &s) == ST_OK);
        CHECK(virtq_submit(&q, &s, 0, 1, &s) == ST_OK);
        CHECK(virtq_kick_wanted(&q));
        CHECK(!virtq_kick_wanted(&q));
        for (unsigned n = 0; n < 2; n++, submitted++) {
            *used_entry(submitted) = (struct virtq_used){*avail_word(2 + (unsigned)(submitted % size)), 0};
            *used_word(1) = (uint16_t)(submitted + 1);
            CHECK(virtq_reap(&q, &token, &written) == ST_OK);
        }
    }
}

static void test_own_mistakes_stop(void)
{
    struct virtq_segment s = {.size = 1};
    struct virtq_segment empty = {.size = 0};

    queue_begin(8, true, 0);
    CHECK_PANICS((void)!virtq_submit(&q, &s, 0, 0, &s));
    CHECK_PANICS((void)!virtq_submit(&q, &s, 1, 0, NULL));
    CHECK_PANICS((void)!virtq_submit(&q, &empty, 1, 0, &s));
    struct virtq_segment nine[9];
    for (unsigned i = 0; i < 9; i++) {
        nine[i] = s;
    }
    struct virtq_table table = {.desc = lent[0].table};
    CHECK_PANICS((void)!virtq_submit_indirect(&q, &table, nine, 9, 0, &s)); /* longer than the queue */
    struct dma_memory small = {.cpu = memory.bytes, .size = virtq_bytes(8) - 1};
    CHECK_PANICS(virtq_init(&q, 8, true, small, slots));
    small.size++;
    CHECK_PANICS(virtq_init(&q, 7, true, small, slots));
}

int main(void)
{
    RUN(test_layout);
    RUN(test_honest_device);
    RUN(test_lying_device);
    RUN(test_sleeper_is_woken);
    RUN(test_own_mistakes_stop);
    printf("%llu chains reaped, %llu lies refused, %llu kicks\n", (unsigned long long)reaps, (unsigned long long)lies,
           (unsigned long long)kicks);
    return test_end();
}
