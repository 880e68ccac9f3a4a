/* SPDX-License-Identifier: MIT OR Apache-2.0
 * commands.c: the console's own commands. They read; reboot and halt are the only ones that do something.
 */
#include "../mem/mem_private.h"
#include <string.h>
#include "../run/run_private.h"
#include "core/health.h"
#include "core/image.h"
#include "core/log.h"
#include "core/raw.h"
#include "diag_private.h"
#include "plat/plat.h"

#define KIB(bytes) ((unsigned long)((bytes) / 1024))

static void print_time(const char *what, uint64_t ns)
{
    diag_print("%-10s %lu.%03lu s\n", what, ns / NS_PER_S, ns / NS_PER_MS % 1000);
}

static void print_health(void)
{
    const struct health *ill = health_ill();

    if (ill == NULL) {
        diag_print("health     ok\n");
    } else {
        diag_print("health     ill: %s: %s\n", ill->component, ill->why);
    }
}

static void run_status(int argc, char **argv)
{
    struct memory_usage usage;

    (void)argc;
    (void)argv;
    memory_usage(&usage);
    diag_print("image      %s %s %s\n", image_info.profile, image_info.version, image_build_id());
    diag_print("machine    %s (built for %s), %u CPU, clock %s\n", plat_name(), image_info.platform, plat_cpu_count(),
               plat_clock_source());
    print_time("uptime", clock_ns());
    diag_print("ready      %s\n", ready_reached() ? "yes" : "no");
    print_health();
    diag_print("memory     %lu of %lu KiB used\n", KIB(usage.total_bytes - usage.free_bytes), KIB(usage.total_bytes));
    diag_print("wall clock %lu s since 1970\n", clock_wall_ns() / NS_PER_S);
}

static void print_thread(const struct thread_usage *usage, void *context)
{
    (void)context;
    diag_print("  %-20s %-8s ran %lu ms, stack %lu KiB\n", usage->name, usage->state, usage->ran_ns / NS_PER_MS,
               KIB(usage->stack_bytes));
}

static void print_cpu(const struct cpu *cpu)
{
    const struct cpu_counts *n = &cpu->counts;

    diag_print("cpu %u: %lu turns, longest %lu us, %lu sleeps, %lu interrupts, %lu spurious\n", cpu->index, n->turns,
               n->turn_ns_max / 1000, n->sleeps, n->interrupts, n->spurious);
    diag_print("       loop %lu ms, threads %lu ms, %lu preempted, %lu times the loop had to wait\n",
               n->busy_ns / NS_PER_MS, n->thread_ns / NS_PER_MS, n->preempted, n->held);
}

static void run_cpu(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    for (unsigned i = 0; i < PLAT_CPUS_MAX; i++) {
        if (cpu_at(i) != NULL) {
            print_cpu(cpu_at(i));
        }
    }
    thread_each(print_thread, NULL);
    plat_show_cpu();
}

static void print_ledger(const struct ledger *ledger, void *context)
{
    (void)context;
    diag_print("  %-24s %8lu KiB\n", ledger->name, KIB(ledger->taken_bytes));
}

static void print_pool(const struct pool *pool, void *context)
{
    (void)context;
    diag_print("  %-24s %6u of %6u x %u bytes, at most %u, refused %lu\n", pool->name, pool->in_use, pool->count,
               pool->item_size, pool->in_use_max, pool->refused);
}

static void print_arena(const struct arena_usage *arena, void *context)
{
    (void)context;
    diag_print("  %-24s %6lu of %6lu KiB, at most %lu, refused %lu\n", arena->name, KIB(arena->used_bytes),
               KIB(arena->size_bytes), KIB(arena->used_bytes_max), arena->refused);
}

static void run_mem(int argc, char **argv)
{
    struct memory_usage usage;

    (void)argc;
    (void)argv;
    memory_usage(&usage);
    diag_print("total %lu KiB: image %lu, components %lu, free %lu\n", KIB(usage.total_bytes), KIB(usage.image_bytes),
               KIB(usage.taken_bytes), KIB(usage.free_bytes));
    diag_print("taken at boot:\n");
    ledger_each(print_ledger, NULL);
    diag_print("pools:\n");
    pool_each(print_pool, NULL);
    diag_print("heaps of third-party code:\n");
    arena_each(print_arena, NULL);
    plat_show_mem();
}

static void print_irq(const struct irq *irq, void *context)
{
    (void)context;
    diag_print("  vector %3u  %10lu  %s\n", irq->vector, irq->count, irq->name);
}

static void run_irq(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    irq_each(print_irq, NULL);
    plat_show_irq();
}

static const char *state_of(const struct device_grant *grant)
{
    return grant->state == DEVICE_HELD ? "held" : grant->state == DEVICE_GONE ? "revoked" : "being revoked";
}

static void print_grant(const struct device_grant *grant, void *context)
{
    const struct ledger *holder = grant->holder;

    (void)context;
    diag_print("  %-20s %s, %s, generation %u: %u windows (%zu bytes), DMA %zu of %zu KiB, interrupts %u of %u\n",
               grant->where, holder->name, state_of(grant), grant->generation, grant->windows, grant->window_bytes,
               grant->dma_bytes / 1024, holder->dma_bytes / 1024, grant->interrupts, holder->interrupts);
}

static void print_note(const struct device_note *note, void *context)
{
    unsigned *count = context;

    (*count)++;
    diag_print("  %-20s %s\n", note->driver, note->text);
}

static void run_devices(int argc, char **argv)
{
    unsigned count = 0;

    (void)argc;
    (void)argv;
    device_note_each(print_note, &count);
    if (count == 0) {
        diag_print("no driver has found a device\n");
        return;
    }
    diag_print("grants:\n");
    device_grant_each(print_grant, NULL);
}

static uint32_t pci_read(uint16_t bus, uint8_t device, uint8_t function, uint16_t offset, unsigned size)
{
    uint32_t value = UINT32_MAX;

    status_ignore(raw_pci_read(bus, device, function, offset, size, &value), "no answer reads as all ones");
    return value;
}

/* False: nobody is there. Offsets are of PCI 3.0, 6.1. */
static bool print_function(uint16_t bus, uint8_t device, uint8_t function)
{
    uint32_t id = pci_read(bus, device, function, 0x00, 4);

    if ((id & 0xffff) == 0xffff) {
        return false;
    }
    uint32_t class = pci_read(bus, device, function, 0x08, 4);
    uint32_t irq = pci_read(bus, device, function, 0x3c, 4);
    diag_print("  %02x:%02x.%u  %04x:%04x  class %02x%02x  revision %02x  pin %u line %u\n", bus, device, function,
               id & 0xffff, id >> 16, class >> 24, class >> 16 & 0xff, class & 0xff, irq >> 8 & 0xff, irq & 0xff);
    return true;
}

static void print_pci_device(uint16_t bus, uint8_t device)
{
    if (!print_function(bus, device, 0)) {
        return;
    }
    /* Header type (0x0e) bit 7: it has more functions than one. */
    uint8_t functions = (pci_read(bus, device, 0, 0x0e, 1) & 0x80) != 0 ? 8 : 1;
    for (uint8_t function = 1; function < functions; function++) {
        (void)print_function(bus, device, function);
    }
}

static void run_pci(int argc, char **argv)
{
    unsigned buses = raw_pci_buses();

    (void)argc;
    (void)argv;
    if (buses == 0) {
        diag_print("this machine has no PCI\n");
    }
    for (uint16_t bus = 0; bus < buses; bus++) {
        for (uint8_t device = 0; device < 32; device++) {
            print_pci_device(bus, device);
        }
    }
}

static void run_timers(int argc, char **argv)
{
    const struct cpu *cpu = cpu_this();
    uint64_t next = timers_next(&cpu->timers);

    (void)argc;
    (void)argv;
    diag_print("%u of %u armed\n", cpu->timers.count, TIMERS_MAX);
    if (next != UINT64_MAX) {
        uint64_t now = clock_ns();
        diag_print("next in %lu us\n", next > now ? (next - now) / 1000 : 0);
    }
}

static void run_logs(int argc, char **argv)
{
    char text[2048];
    unsigned long next = 0;

    (void)argc;
    (void)argv;
    for (;;) {
        const char *line = text;
        unsigned count = log_copy(next, text, sizeof text, &next);

        if (count == 0) {
            return;
        }
        for (; count > 0; count--) {
            diag_print("%s\n", line);
            line += strlen(line) + 1;
        }
    }
}

static void run_acpi(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    plat_show_acpi();
}

static void run_reboot(int argc, char **argv)
{
    room_assert_loop();
    (void)argc;
    (void)argv;
    loop_reboot();
}

static void run_halt(int argc, char **argv)
{
    room_assert_loop();
    (void)argc;
    (void)argv;
    loop_halt(0);
}

static struct diag_command commands[] = {
    {.name = "status", .help = "who this is and how it is doing", .run = run_status},
    {.name = "cpu", .help = "CPUs, their loops and threads", .run = run_cpu},
    {.name = "mem", .help = "memory by owner, pools, heaps", .run = run_mem},
    {.name = "pci", .help = "functions on the PCI buses", .run = run_pci},
    {.name = "irq", .help = "interrupts and how often they came", .run = run_irq},
    {.name = "devices", .help = "devices that a driver has taken", .run = run_devices},
    {.name = "acpi", .help = "firmware tables", .run = run_acpi},
    {.name = "timers", .help = "armed timers", .run = run_timers},
    {.name = "logs", .help = "the log, oldest line first", .run = run_logs},
    {.name = "reboot", .help = "restarts the machine", .run = run_reboot},
    {.name = "halt", .help = "stops the machine cleanly", .run = run_halt},
};

void commands_init(void)
{
    diag_command_add(&diag_help_command);
    for (unsigned i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        diag_command_add(&commands[i]);
    }
}
