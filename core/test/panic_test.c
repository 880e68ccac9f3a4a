/* SPDX-License-Identifier: MIT OR Apache-2.0
 * panic_test.c: the panic block, and that a panic within a panic only ends the machine.
 */
#include "../diag/panic.c"
#include "test.h"

const struct image_info image_info = {.profile = "test"};
static const unsigned char id[20] = {0xab, 0xcd, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 0x1f};
static size_t id_size;
static char said[4096];
static size_t said_size;
static bool panic_while_said; /* the console's driver panics in its turn */
static enum plat_exit code;
static jmp_buf exited;
static bool irq_off;
static uintptr_t frame_asked;

void plat_console_write(const char *text, size_t size)
{
    if (panic_while_said) {
        panic("again");
    }
    CHECK(irq_off);
    REQUIRE(size < sizeof said - said_size);
    memcpy(said + said_size, text, size);
    said_size += size;
    said[said_size] = '\0';
}

unsigned plat_cpu_index(void)
{
    return 0;
}

uint64_t plat_clock_ns(void)
{
    return 12345678901;
}

uintptr_t plat_image_base(void)
{
    return 0x1000;
}

unsigned plat_backtrace(uintptr_t frame, uintptr_t *pcs, unsigned most)
{
    CHECK_EQ(most, FRAMES_MAX);
    frame_asked = frame;
    pcs[0] = 0x1234;
    return 1;
}

const unsigned char *plat_build_id(size_t *size)
{
    *size = id_size;
    return id_size == 0 ? NULL : id;
}

void plat_irq_disable(void)
{
    irq_off = true;
}

_Noreturn void plat_exit(enum plat_exit with)
{
    code = with;
    longjmp(exited, 1);
}

#define ENDS(...)                                                                                                      \
    do {                                                                                                               \
        said_size = 0;                                                                                                 \
        said[0] = '\0';                                                                                                \
        panicking = false;                                                                                             \
        irq_off = false;                                                                                               \
        code = PLAT_EXIT_CLEAN;                                                                                        \
        if (setjmp(exited) == 0) {                                                                                     \
            __VA_ARGS__;                                                                                               \
        }                                                                                                              \
        CHECK_EQ(code, PLAT_EXIT_PANIC);                                                                               \
    } while (0)

static void test_block(void)
{
    id_size = 20;
    test_room = ROOM_LOOP;
    ENDS(core_panic_trap("page fault at 7", 0x5000, 0x77));
    CHECK_STR(said, "\n*** panic: page fault at 7\n"
                    "room LOOP, cpu 0, 12.345678 s after boot, image at 0x1000\n"
                    "backtrace:\n  0x0000000000004000\n  0x0000000000000234\n"
                    "PANIC 2 abcd0102030405060708090a0b0c0d0e0f10111f\n");
    CHECK_EQ(frame_asked, 0x77);
    CHECK(core_epitaph.magic == EPITAPH_MAGIC && core_epitaph.time_ns == 12345678901 && core_epitaph.pc == 0x4000);
    CHECK_STR(core_epitaph.reason, "page fault at 7");
}

static void test_words(void)
{
    char text[600];

    ENDS(panic("%s and %u", "one", 2u));
    CHECK(strstr(said, "*** panic: one and 2\n") != NULL);
    ENDS(panic_assert("x.c", 12, "a == b"));
    CHECK(strstr(said, "*** panic: x.c:12: a == b\n") != NULL);
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    ENDS(panic("%s", text));
    CHECK(strstr(said, "x\nroom ") != NULL); /* cut, and the block is whole */
    CHECK_EQ(strlen(core_epitaph.reason), sizeof core_epitaph.reason - 1);
    CHECK(strstr(said, "\nPANIC 2 ") != NULL);
}

/* (1) */
static void test_panic_within(void)
{
    panic_while_said = true;
    ENDS(panic("first"));
    CHECK_STR(said, "");
    panic_while_said = false;
    CHECK_STR(core_epitaph.reason, "first"); /* not the second one */
}

static void test_without_build_id(void)
{
    id_size = 0;
    ENDS(panic("x"));
    CHECK(strstr(said, "\nPANIC 2 unknown\n") != NULL);
    id_size = 16;
    CHECK_STR(image_build_id(), "unknown");
}

int main(void)
{
    RUN(test_block);
    RUN(test_words);
    RUN(test_panic_within);
    RUN(test_without_build_id);
    return test_end();
}
