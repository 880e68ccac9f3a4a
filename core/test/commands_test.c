/* SPDX-License-Identifier: MIT OR Apache-2.0
 * commands_test.c: what the console's own commands print of a machine and a core made of C.
 */
#include "../diag/commands.c"
#include <stdarg.h>
#include <stdio.h>
#include "test.h"

const struct image_info image_info = {.profile = "tried", .version = "1.2", .platform = "kvm-q35"};
struct diag_command diag_help_command = {.name = "help"};

static char shown[8192];
static size_t shown_size;
static struct diag_command *added[16];
static unsigned added_count;
static struct cpu one;
static const struct health *ill;
static bool ready;
static unsigned buses;
static unsigned note_count;
static int halted, rebooted;
static const struct log_block {
    const char *lines; /* each with its NUL */
    size_t size;
    unsigned count;
} * log_blocks; /* count 0: the end */

/* --- the rest of core ------------------------------------------------------------------------------------------------ */

void diag_print(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    shown_size += (size_t)vsnprintf(shown + shown_size, sizeof shown - shown_size, format, args);
    va_end(args);
    REQUIRE(shown_size < sizeof shown);
}

void diag_command_add(struct diag_command *command)
{
    REQUIRE(added_count < sizeof added / sizeof added[0]);
    added[added_count++] = command;
}

const struct health *health_ill(void)
{
    return ill;
}

void memory_usage(struct memory_usage *usage)
{
    *usage = (struct memory_usage){16u << 20, 1u << 20, 4u << 20, 11u << 20};
}

void ledger_each(void (*each)(const struct ledger *ledger, void *context), void *context)
{
    each(&(struct ledger){.name = "net/lwip", .taken_bytes = 58 * 1024}, context);
}

void pool_each(void (*each)(const struct pool *pool, void *context), void *context)
{
    each(&(struct pool){.name = "frames", .in_use = 3, .count = 10, .item_size = 64, .in_use_max = 9, .refused = 2},
         context);
}

void arena_each(void (*each)(const struct arena_usage *usage, void *context), void *context)
{
    each(&(struct arena_usage){"heap", 64 * 1024, 1024, 2048, 7}, context);
}

void irq_each(void (*each)(const struct irq *irq, void *context), void *context)
{
    each(&(struct irq){.name = "timer", .vector = 32, .count = 1234567}, context);
}

void device_note_each(void (*each)(const struct device_note *note, void *context), void *context)
{
    const struct device_note note = {.driver = "drv/fake", .text = "well"};

    for (unsigned i = 0; i < note_count; i++) {
        each(&note, context);
    }
}

void device_grant_each(void (*each)(const struct device_grant *grant, void *context), void *context)
{
    static const struct ledger holder = {.name = "drv/fake", .dma_bytes = 40960, .interrupts = 3};
    struct device_grant grant = {.where = "pci 00:03.0", .holder = &holder, .state = DEVICE_HELD, .generation = 1};

    grant.windows = 2;
    grant.window_bytes = 4096;
    grant.dma_bytes = 32768;
    grant.interrupts = 2;
    if (note_count != 0) {
        each(&grant, context);
    }
    if (note_count > 2) {
        grant.state = DEVICE_GONE;
        each(&grant, context);
    }
}

void thread_each(void (*each)(const struct thread_usage *usage, void *context), void *context)
{
    each(&(struct thread_usage){"worker", "ready", 5 * NS_PER_MS, 16384}, context);
}

struct cpu *cpu_at(unsigned index)
{
    return index == 0 ? &one : NULL;
}

struct cpu *cpu_this(void)
{
    return &one;
}

bool ready_reached(void)
{
    return ready;
}

uint64_t clock_wall_ns(void)
{
    return 100 * NS_PER_S;
}

const char *image_build_id(void)
{
    return "0123";
}

void loop_halt(int status)
{
    halted += 1 + status;
}

void loop_reboot(void)
{
    rebooted++;
}

/* Some lines at a time, so that a command that does not go on is found out. */
unsigned log_copy(unsigned long since, char *text, unsigned size, unsigned long *next)
{
    const struct log_block *block = &log_blocks[since];

    REQUIRE(block->size <= size);
    memcpy(text, block->lines, block->size);
    *next = since + 1;
    return block->count;
}

/* --- the machine ----------------------------------------------------------------------------------------------------- */

const char *plat_name(void)
{
    return "fake";
}

const char *plat_clock_source(void)
{
    return "sand";
}

unsigned plat_cpu_count(void)
{
    return 1;
}

void plat_show_cpu(void)
{
    diag_print("machine's cpu\n");
}

void plat_show_mem(void)
{
    diag_print("machine's mem\n");
}

void plat_show_irq(void)
{
    diag_print("machine's irq\n");
}

void plat_show_acpi(void)
{
    diag_print("machine's acpi\n");
}

unsigned raw_pci_buses(void)
{
    return buses;
}

/* On bus 0: device 1 has one function and answers as others, device 2 has functions 0 and 3. */
status_t raw_pci_read(uint16_t bus, uint8_t device, uint8_t function, uint16_t offset, unsigned size, uint32_t *value)
{
    bool there = bus == 0 && ((device == 1) || (device == 2 && (function == 0 || function == 3)));

    if (!there) {
        return ST_RANGE;
    }
    switch (offset) {
    case 0x00:
        *value = 0x10421af4;
        return ST_OK;
    case 0x08:
        *value = 0x01800001;
        return ST_OK;
    case 0x3c:
        *value = 0x010b;
        return ST_OK;
    default:
        CHECK(offset == 0x0e && size == 1);
        *value = device == 2 ? 0x80 : 0;
        return ST_OK;
    }
}

/* --- tests ----------------------------------------------------------------------------------------------------------- */

static const char *run(const char *name)
{
    shown_size = 0;
    shown[0] = '\0';
    test_room = ROOM_LOOP;
    for (unsigned i = 0; i < added_count; i++) {
        if (strcmp(added[i]->name, name) == 0) {
            char *argv[] = {NULL};
            added[i]->run(0, argv);
            return shown;
        }
    }
    return "no such command";
}

static void test_all_are_there(void)
{
    test_room = ROOM_BOOT;
    commands_init();
    CHECK_EQ(added_count, 12);
    for (unsigned i = 1; i < added_count; i++) {
        CHECK(added[i]->help != NULL && added[i]->run != NULL);
    }
}

static void test_status(void)
{
    static const struct health sick = {.component = "store/engine", .why = "no disk"};

    test_clock_ns = 12 * NS_PER_S + 34 * NS_PER_MS;
    CHECK_STR(run("status"), "image      tried 1.2 0123\n"
                             "machine    fake (built for kvm-q35), 1 CPU, clock sand\n"
                             "uptime     12.034 s\n"
                             "ready      no\n"
                             "health     ok\n"
                             "memory     5120 of 16384 KiB used\n"
                             "wall clock 100 s since 1970\n");
    ill = &sick;
    ready = true;
    CHECK(strstr(run("status"), "ready      yes\nhealth     ill: store/engine: no disk\n") != NULL);
}

static void test_usage(void)
{
    one.counts = (struct cpu_counts){.turns = 4, .turn_ns_max = 5000, .sleeps = 6, .interrupts = 7, .spurious = 8};
    CHECK_STR(run("cpu"), "cpu 0: 4 turns, longest 5 us, 6 sleeps, 7 interrupts, 8 spurious\n"
                          "       loop 0 ms, threads 0 ms, 0 preempted, 0 times the loop had to wait\n"
                          "  worker               ready    ran 5 ms, stack 16 KiB\n"
                          "machine's cpu\n");
    CHECK_STR(run("mem"), "total 16384 KiB: image 1024, components 4096, free 11264\n"
                          "taken at boot:\n"
                          "  net/lwip                       58 KiB\n"
                          "pools:\n"
                          "  frames                        3 of     10 x 64 bytes, at most 9, refused 2\n"
                          "heaps of third-party code:\n"
                          "  heap                          1 of     64 KiB, at most 2, refused 7\n"
                          "machine's mem\n");
    CHECK_STR(run("irq"), "  vector  32     1234567  timer\nmachine's irq\n");
    CHECK_STR(run("acpi"), "machine's acpi\n");
}

static void test_devices(void)
{
    CHECK_STR(run("devices"), "no driver has found a device\n");
    note_count = 2;
    CHECK_STR(run("devices"), "  drv/fake             well\n  drv/fake             well\n"
                              "grants:\n  pci 00:03.0          drv/fake, held, generation 1: 2 windows (4096 bytes), "
                              "DMA 32 of 40 KiB, interrupts 2 of 3\n");
    note_count = 3;
    CHECK(strstr(run("devices"), "  pci 00:03.0          drv/fake, revoked") != NULL);
    CHECK_STR(run("pci"), "this machine has no PCI\n");
    buses = 2;
    CHECK_STR(run("pci"), "  00:01.0  1af4:1042  class 0180  revision 01  pin 1 line 11\n"
                          "  00:02.0  1af4:1042  class 0180  revision 01  pin 1 line 11\n"
                          "  00:02.3  1af4:1042  class 0180  revision 01  pin 1 line 11\n");
}

static void test_timers(void)
{
    char wanted[64];

    (void)snprintf(wanted, sizeof wanted, "0 of %u armed\n", (unsigned)TIMERS_MAX);
    CHECK_STR(run("timers"), wanted);
    struct timer timer = {.deadline_ns = 5000000};
    one.timers.at[1] = &timer;
    one.timers.count = 1;
    test_clock_ns = 4000000;
    (void)snprintf(wanted, sizeof wanted, "1 of %u armed\nnext in 1000 us\n", (unsigned)TIMERS_MAX);
    CHECK_STR(run("timers"), wanted);
    test_clock_ns = 6000000; /* late */
    CHECK(strstr(run("timers"), "next in 0 us\n") != NULL);
}

static void test_logs(void)
{
    static const struct log_block none[] = {{"", 0, 0}};
    static const struct log_block some[] = {{"first\0second", 13, 2}, {"third", 6, 1}, {"", 0, 0}};

    log_blocks = none;
    CHECK_STR(run("logs"), "");
    log_blocks = some;
    CHECK_STR(run("logs"), "first\nsecond\nthird\n");
}

static void test_ends(void)
{
    (void)run("halt");
    CHECK_EQ(halted, 1);
    (void)run("reboot");
    CHECK_EQ(rebooted, 1);
}

int main(void)
{
    RUN(test_all_are_there);
    RUN(test_status);
    RUN(test_usage);
    RUN(test_devices);
    RUN(test_timers);
    RUN(test_logs);
    RUN(test_ends);
    return test_end();
}
