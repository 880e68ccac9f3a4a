/* SPDX-License-Identifier: MIT OR Apache-2.0
 * main.c: the boot: who we are, memory, the loop's CPU, console, components, seal, loop; and when the image is ready.
 */
#include "../diag/diag_private.h"
#include "../mem/mem_private.h"
#include "core/assert.h"
#include "core/fmt.h"
#include "core/image.h"
#define LOG_TAG "core"
#include "core/log.h"
#include "run_private.h"

static struct {
    unsigned holders; /* BOOT counts up, LOOP down; core holds one until the loop's first turn */
    bool ready;
    struct work first;
    struct ready turn; /* core's own hold */
} self;

void ready_hold(struct ready *ready)
{
    ASSERT(!ready->held);
    ready->held = true;
    self.holders++;
}

void ready_release(struct ready *ready)
{
    if (!ready->held) {
        return;
    }
    ready->held = false;
    ASSERT(self.holders > 0);
    self.holders--;
    if (self.holders > 0) {
        return;
    }
    char line[80];
    uint64_t ms = plat_clock_ns() / NS_PER_MS;

    self.ready = true;
    (void)fmt_text(line, sizeof line, "ready %s in %lu.%03lu s\n", image_info.profile, ms / 1000, ms % 1000);
    log_plain(line);
}

bool ready_reached(void)
{
    return self.ready;
}

static void first_turn(struct work *work)
{
    room_assert_loop();
    (void)work;
    ready_release(&self.turn);
    console_start();
}

const char *image_cmdline(void)
{
    return plat_cmdline();
}

_Noreturn void boot_refuse(const char *component, status_t status)
{
    log_err("%s does not start: %s", component, status_name(status));
    boot_stop();
}

_Noreturn void boot_stop(void)
{
    log_plain("boot refused\n");
    plat_exit(PLAT_EXIT_TEST_FAILED);
}

static void banner(void)
{
    char line[160];

    (void)fmt_text(line, sizeof line, "capos %s %s %s\n", image_info.profile, image_info.version, image_build_id());
    log_plain(line);
}

static void log_machine(void)
{
    struct memory_usage usage;

    memory_usage(&usage);
    log_info("%s, %u CPU%s, clock %s, %zu KiB of memory, %zu KiB of it the image", plat_name(), plat_cpu_count(),
             plat_cpu_count() == 1 ? "" : "s", plat_clock_source(), usage.total_bytes / 1024, usage.image_bytes / 1024);
}

_Noreturn void core_main(void)
{
    room_assert_boot();
    banner();
    mem_init();
    cpu_boot();
    log_machine();
    console_init();
    commands_init();
    ready_hold(&self.turn);
    work_init(&self.first, first_turn);
    loop_post_boot(&self.first);
    status_t s = components_start();
    if (s != ST_OK) {
        boot_refuse("the image", s);
    }
    boot_seal();
    loop_run();
}
