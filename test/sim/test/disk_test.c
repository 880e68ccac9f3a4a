/* SPDX-License-Identifier: MIT OR Apache-2.0
 * disk_test.c: what a disk may make of a write: over many seeds every outcome that disk.h allows comes, and no other.
 */
#include "test.h"
#include "../disk.c"
#include "../queue.c"
#include "../util.c"

#define SECTORS 256u
#define BORDER (FULL_BLOCK / SECTOR)
#define SEEDS 200u
#define LATER 1000000000u /* by then what was asked for has ended */

static struct run world;
static struct node node = {.run = &world};
static bool failed; /* the last request */
static char last_read[SECTOR];

void node_tell(struct node *to, struct event *event)
{
    (void)to;
    failed = event->message.flags == SIM_DISK_ERROR;
    if (event->message.size == SECTOR) {
        memcpy(last_read, event->body, SECTOR);
    }
    event_free(event);
}

/* Sectors from `sector` on, all of this byte. */
static void put(struct disk *disk, uint64_t time_ns, uint64_t sector, uint32_t sectors, char what)
{
    char bytes[SECTORS * SECTOR];
    struct sim_message message = {.flags = SIM_DISK_WRITE, .b = sector, .size = sectors * SECTOR};

    memset(bytes, what, sizeof bytes);
    CHECK(disk_command(disk, &node, time_ns, &message, bytes));
}

static char get(struct disk *disk, uint64_t time_ns, uint64_t sector)
{
    uint32_t size = SECTOR;
    struct sim_message message = {.flags = SIM_DISK_READ, .b = sector, .size = sizeof size};

    CHECK(disk_command(disk, &node, time_ns, &message, (char *)&size));
    return last_read[SECTOR - 1];
}

static struct disk *disk_of(unsigned seed)
{
    return disk_new(SECTORS, random_stream(seed, 'disk', 0));
}

/* Which of `count` sectors from 8 on hold `what`, as bits. */
static unsigned there(struct disk *disk, unsigned count, char what)
{
    unsigned bits = 0;

    for (unsigned i = 0; i < count; i++) {
        bits |= get(disk, LATER, 8 + i) == what ? 1u << i : 0;
    }
    return bits;
}

static void test_a_write_that_fails_is_there_in_any_part(void)
{
    bool seen[8] = {false};

    for (unsigned seed = 0; seed < SEEDS; seed++) {
        struct disk *disk = disk_of(seed);
        disk_faults(disk)->error = CHANCE_ALWAYS;
        put(disk, 0, 8, 3, 'a');
        CHECK(failed);
        disk_faults(disk)->error = 0;
        unsigned now = there(disk, 3, 'a');
        seen[now] = true;
        disk_reset(disk, LATER);
        CHECK_EQ(there(disk, 3, 'a'), now); /* it has ended: a reset changes no more of it */
        disk_cut(disk);
        CHECK_EQ(there(disk, 3, 'a') & ~now, 0);
        disk_free(disk);
    }
    for (unsigned i = 0; i < 8; i++) {
        CHECK(seen[i]);
    }
}

static void test_a_reset_leaves_any_part_of_what_is_under_way(void)
{
    bool seen[8] = {false};

    for (unsigned seed = 0; seed < SEEDS; seed++) {
        struct disk *disk = disk_of(seed);
        put(disk, 0, 8, 3, 'a');
        put(disk, LATER, 8, 3, 'b');
        CHECK_EQ(there(disk, 3, 'b'), 7);
        disk_reset(disk, LATER + 1);
        unsigned now = there(disk, 3, 'b');
        CHECK_EQ(there(disk, 3, 'a'), 7u & ~now); /* under it is what had ended, not what was flushed */
        seen[now] = true;
        disk_free(disk);
    }
    for (unsigned i = 0; i < 8; i++) {
        CHECK(seen[i]);
    }
}

static void test_two_writes_at_once_land_in_either_order(void)
{
    unsigned second = 0;

    for (unsigned seed = 0; seed < SEEDS; seed++) {
        struct disk *disk = disk_of(seed);
        put(disk, 0, 8, 2, 'a');
        put(disk, 1, 9, 2, 'b');
        CHECK_EQ(get(disk, LATER, 8), 'a');
        CHECK_EQ(get(disk, LATER, 10), 'b');
        second += get(disk, LATER, 9) == 'b';
        char now = get(disk, LATER, 9);
        flush(disk, LATER);
        disk_cut(disk);
        CHECK_EQ(get(disk, LATER, 9), now); /* the same order for ever */
        disk_free(disk);
    }
    CHECK(second > SEEDS / 4 && second < SEEDS * 3 / 4);
}

static void test_one_after_another_keep_their_order(void)
{
    for (unsigned seed = 0; seed < SEEDS; seed++) {
        struct disk *disk = disk_of(seed);
        disk_faults(disk)->stall = seed % 2 == 0 ? 0 : 500000;
        disk_faults(disk)->stall_ns_max = LATER;
        put(disk, 0, 8, 2, 'a');
        put(disk, 2 * LATER, 8, 1, 'b');
        CHECK_EQ(get(disk, 4 * LATER, 8), 'b');
        put(disk, 2 * LATER + 1, 8, 2, 'c'); /* meets one that has ended and one that has not */
        CHECK(get(disk, 4 * LATER, 8) != 'a');
        CHECK_EQ(get(disk, 4 * LATER, 9), 'c');
        disk_free(disk);
    }
}

/* The third meets the first, which is older than the second. */
static void test_a_write_brings_nothing_older_back(void)
{
    struct disk *disk = disk_of(1);

    put(disk, 0, 8, 2, 'a');
    put(disk, LATER, 8, 1, 'b');
    put(disk, 2 * LATER, 9, 1, 'c');
    CHECK_EQ(get(disk, 3 * LATER, 8), 'b');
    CHECK_EQ(get(disk, 3 * LATER, 9), 'c');
    disk_free(disk);
}

static void test_a_full_disk_takes_what_it_has_room_for(void)
{
    struct disk *disk = disk_of(1);

    put(disk, 0, BORDER - 8, 8, 'a');
    disk_faults(disk)->full = true;
    put(disk, LATER, BORDER - 8, 8, 'b');
    CHECK(!failed);
    for (unsigned seed = 0; seed < SEEDS;
         seed++) { /* across the border: of its own room any part, of the rest nothing */
        put(disk, (seed + 2ull) * LATER, BORDER - 1, 2, 'c');
        CHECK(failed);
        CHECK_EQ(get(disk, LATER, BORDER), 0);
    }
    CHECK_EQ(get(disk, LATER, BORDER - 2), 'b');
    CHECK(get(disk, LATER, BORDER - 1) == 'c'); /* once at least */
    disk_faults(disk)->full = false;
    put(disk, 300ull * LATER, BORDER - 1, 2, 'd');
    CHECK(!failed);
    CHECK_EQ(get(disk, LATER, BORDER), 'd');
    CHECK_EQ(world.faults.fired[FAULT_DISK_FULL], SEEDS);
    disk_free(disk);
}

int main(void)
{
    RUN(test_a_write_that_fails_is_there_in_any_part);
    RUN(test_a_reset_leaves_any_part_of_what_is_under_way);
    RUN(test_two_writes_at_once_land_in_either_order);
    RUN(test_one_after_another_keep_their_order);
    RUN(test_a_write_brings_nothing_older_back);
    RUN(test_a_full_disk_takes_what_it_has_room_for);
    return test_end();
}
