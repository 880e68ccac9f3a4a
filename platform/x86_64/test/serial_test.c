/* SPDX-License-Identifier: MIT OR Apache-2.0
 * serial_test.c: the console's UART on a chip made of C: one that works, one that is busy for ever, one that is not there.
 */
#include "../serial.c"
#include "test.h"

static struct {
    bool present;
    uint8_t scratch, line_control, divisor_low, divisor_high, interrupts;
    bool stuck;
    unsigned in_fifo; /* bytes since it was last found empty */
    unsigned looks;   /* at the line status */
    char out[256];
    size_t out_size;
    const char *in;
} chip;

uint8_t hw_in8(uint16_t port)
{
    if (!chip.present) {
        return 0xff;
    }
    switch (port) {
    case UART_SCRATCH:
        return chip.scratch;
    case UART_DATA:
        CHECK(*chip.in != '\0');
        return (uint8_t)*chip.in++;
    case UART_LSR:
        chip.looks++;
        chip.in_fifo = chip.stuck ? chip.in_fifo : 0;
        return (uint8_t)((chip.stuck ? 0 : LSR_EMPTY) | (*chip.in != '\0' ? LSR_DATA : 0));
    default:
        return 0;
    }
}

void hw_out8(uint16_t port, uint8_t value)
{
    bool divisor = (chip.line_control & LCR_DIVISOR) != 0;

    if (port == UART_SCRATCH) {
        chip.scratch = value;
    } else if (port == UART_LCR) {
        chip.line_control = value;
    } else if (port == UART_IER) {
        *(divisor ? &chip.divisor_high : &chip.interrupts) = value;
    } else if (port == UART_DATA && divisor) {
        chip.divisor_low = value;
    } else if (port == UART_DATA) {
        REQUIRE(chip.out_size < sizeof chip.out - 1);
        CHECK(++chip.in_fifo <= FIFO_BYTES); /* one more would be lost */
        chip.out[chip.out_size++] = (char)value;
        chip.out[chip.out_size] = '\0';
    }
}

void hw_pause(void)
{
}

static void fresh(bool present)
{
    memset(&chip, 0, sizeof chip);
    memset(&self, 0, sizeof self);
    chip.present = present;
    chip.divisor_high = 7;
    chip.in = "";
    x86_serial_init();
}

static void test_set_up(void)
{
    fresh(true);
    CHECK(x86_serial_present());
    CHECK(chip.divisor_low == 1 && chip.divisor_high == 0);
    CHECK_EQ(chip.line_control, LCR_8N1);
    CHECK_EQ(chip.interrupts, 0);
    x86_serial_listen();
    CHECK_EQ(chip.interrupts, IER_INPUT);
}

static void test_lines(void)
{
    fresh(true);
    plat_console_write("a\nb\n\n", 5);
    CHECK_STR(chip.out, "a\r\nb\r\n\r\n");
}

/* The return of a line's end may be the FIFO's last byte: it is not sent again with the rest. */
static void test_fifo_ends_within_a_line_end(void)
{
    fresh(true);
    plat_console_write("0123456789abcde\nx", 17);
    CHECK_STR(chip.out, "0123456789abcde\r\nx");
    CHECK_EQ(chip.looks, 2);
}

static void test_busy_for_ever(void)
{
    fresh(true);
    chip.stuck = true;
    plat_console_write("lost", 4);
    CHECK_EQ(chip.out_size, 0);
    CHECK_EQ(chip.looks, SPIN_MAX);
    plat_console_write("lost", 4);
    CHECK_EQ(chip.looks, SPIN_MAX + 1); /* (1): not that long again */
    chip.stuck = false;
    plat_console_write("back", 4);
    CHECK_STR(chip.out, "back");
    chip.stuck = true;
    chip.looks = 0;
    plat_console_write("x", 1);
    CHECK_EQ(chip.looks, SPIN_MAX); /* it had answered: it is waited for */
}

static void test_input(void)
{
    char text[4];

    fresh(true);
    chip.in = "halt\n";
    CHECK_EQ(plat_console_read(text, 4), 4);
    CHECK_BYTES(text, "halt", 4);
    CHECK_EQ(plat_console_read(text, 4), 1);
    CHECK_EQ(plat_console_read(text, 4), 0);
}

/* Nobody there: ports read as ones, which is "there is input" too. */
static void test_absent(void)
{
    char text[4];

    fresh(false);
    CHECK(!x86_serial_present());
    CHECK_EQ(plat_console_read(text, 4), 0);
    plat_console_write("x", 1);
    CHECK_EQ(chip.out_size, 0);
}

int main(void)
{
    RUN(test_set_up);
    RUN(test_lines);
    RUN(test_fifo_ends_within_a_line_end);
    RUN(test_busy_for_ever);
    RUN(test_input);
    RUN(test_absent);
    return test_end();
}
