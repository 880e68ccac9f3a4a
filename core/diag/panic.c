/* SPDX-License-Identifier: MIT OR Apache-2.0
 * panic.c: the end: one block on the console, an epitaph in memory, exit.
 *
 *  (1) Nothing here needs memory, a lock, or anything that may itself be broken. A panic within a panic only exits.
 *  (2) The block's last line is `PANIC code build-id`. Addresses are relative to the image's base: what the ELF says.
 */
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include "core/assert.h"
#include "core/fmt.h"
#include "core/image.h"
#include "core/room.h"
#include "diag_private.h"
#include "plat/plat.h"

#define FRAMES_MAX 24u
#define EPITAPH_MAGIC 0x6861746970656361ull /* "acepitah": easy to find in a memory dump */

/* Found by its symbol in a dump of guest memory, when the console was not looked at. */
struct epitaph {
    uint64_t magic;
    uint64_t time_ns;
    uint64_t pc; /* relative to the image */
    char reason[232];
};
_Static_assert(sizeof(struct epitaph) == 256, "fixed form");
struct epitaph core_epitaph;

static bool panicking; /* (1) */

/* Where the backtrace goes on behind the return address: nobody wants to read how a panic is printed. */
#define CALLERS_FRAME (*(const uintptr_t *)__builtin_frame_address(0))

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *format, ...)
{
    char line[320];
    va_list args;

    va_start(args, format);
    size_t size = fmt_textv(line, sizeof line, format, args);
    va_end(args);
    plat_console_write(line, size < sizeof line ? size : sizeof line - 1);
}

static void say_backtrace(uintptr_t pc, uintptr_t frame)
{
    uintptr_t pcs[FRAMES_MAX];
    uintptr_t base = plat_image_base();
    unsigned count = plat_backtrace(frame, pcs, FRAMES_MAX);

    say("backtrace:\n");
    if (pc != 0) {
        say("  0x%016lx\n", pc - base);
    }
    for (unsigned i = 0; i < count; i++) {
        say("  0x%016lx\n", pcs[i] - base);
    }
}

static _Noreturn void end(const char *reason, uintptr_t pc, uintptr_t frame)
{
    static const char *const rooms[] = {"BOOT", "LOOP", "TRAP", "THREAD"};

    plat_irq_disable();
    if (panicking) {
        plat_exit(PLAT_EXIT_PANIC); /* (1) */
    }
    panicking = true;
    uint64_t now = plat_clock_ns();
    core_epitaph.magic = EPITAPH_MAGIC;
    core_epitaph.time_ns = now;
    core_epitaph.pc = pc - plat_image_base();
    (void)fmt_text(core_epitaph.reason, sizeof core_epitaph.reason, "%s", reason);
    say("\n*** panic: %s\n", reason);
    say("room %s, cpu %u, %lu.%06lu s after boot, image at 0x%lx\n", rooms[room_current()], plat_cpu_index(),
        now / 1000000000, now / 1000 % 1000000, plat_image_base());
    say_backtrace(pc, frame);
    say("PANIC %d %s\n", (int)PLAT_EXIT_PANIC, image_build_id());
    plat_exit(PLAT_EXIT_PANIC);
}

void panic(const char *format, ...)
{
    char reason[232];
    va_list args;

    va_start(args, format);
    (void)fmt_textv(reason, sizeof reason, format, args);
    va_end(args);
    end(reason, (uintptr_t)__builtin_return_address(0), CALLERS_FRAME);
}

void panic_assert(const char *file, int line, const char *what)
{
    char reason[232];

    (void)fmt_text(reason, sizeof reason, "%s:%d: %s", file, line, what);
    end(reason, (uintptr_t)__builtin_return_address(0), CALLERS_FRAME);
}

void core_panic_trap(const char *what, uintptr_t pc, uintptr_t frame)
{
    end(what, pc, frame);
}

const char *image_build_id(void)
{
    static char text[41];
    size_t size = 0;
    const unsigned char *id = plat_build_id(&size);

    if (id == NULL || size != 20) {
        return "unknown";
    }
    for (size_t i = 0; i < size; i++) {
        (void)fmt_text(text + 2 * i, 3, "%02x", id[i]);
    }
    return text;
}
