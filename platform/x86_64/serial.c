/* SPDX-License-Identifier: MIT OR Apache-2.0
 * serial.c: the console's UART, polled for output, by interrupt for input.
 *
 *  (1) No wait is unbounded: a UART that stays busy for SPIN_MAX looks loses the rest of that text and is asked only once
 *      a text from then on, until it answers again.
 */
#include "serial.h"
#include "hw.h"
#include "plat/plat.h"

#define COM1 0x3f8u
#define UART_DATA (COM1 + 0) /* divisor low with LCR_DIVISOR */
#define UART_IER (COM1 + 1)  /* divisor high with LCR_DIVISOR */
#define UART_FCR (COM1 + 2)
#define UART_LCR (COM1 + 3)
#define UART_MCR (COM1 + 4)
#define UART_LSR (COM1 + 5)
#define UART_SCRATCH (COM1 + 7)
#define LCR_8N1 0x03u
#define LCR_DIVISOR 0x80u
#define FCR_ON_CLEAR 0x07u
#define MCR_DTR_RTS_OUT2 0x0bu /* OUT2 lets the interrupt out of the chip */
#define LSR_DATA 0x01u
#define LSR_EMPTY 0x20u /* the whole output FIFO */
#define IER_INPUT 0x01u
#define FIFO_BYTES 16u
#define SPIN_MAX 200000u

/* Keys: [I] after boot  [a] any room writes; a race costs a poll */
static struct {
    bool present; /* [I] */
    bool stuck;   /* [a] */
} self;

void x86_serial_init(void)
{
    hw_out8(UART_SCRATCH, 0xa5);
    self.present = hw_in8(UART_SCRATCH) == 0xa5;
    if (!self.present) {
        return;
    }
    hw_out8(UART_IER, 0);
    hw_out8(UART_LCR, LCR_DIVISOR);
    hw_out8(UART_DATA, 1); /* 115200 */
    hw_out8(UART_IER, 0);
    hw_out8(UART_LCR, LCR_8N1);
    hw_out8(UART_FCR, FCR_ON_CLEAR);
    hw_out8(UART_MCR, MCR_DTR_RTS_OUT2);
}

bool x86_serial_present(void)
{
    return self.present;
}

static bool wait_empty(void)
{
    unsigned tries = self.stuck ? 1 : SPIN_MAX;

    for (unsigned i = 0; i < tries; i++) {
        if ((hw_in8(UART_LSR) & LSR_EMPTY) != 0) {
            self.stuck = false;
            return true;
        }
        hw_pause();
    }
    self.stuck = true; /* (1) */
    return false;
}

void x86_serial_write(const char *text, size_t size)
{
    unsigned room = 0;
    bool return_sent = false;

    for (size_t i = 0; self.present && i < size;) {
        if (room == 0) {
            if (!wait_empty()) {
                return;
            }
            room = FIFO_BYTES;
        }
        if (text[i] == '\n' && !return_sent) {
            hw_out8(UART_DATA, '\r');
            return_sent = true;
        } else {
            hw_out8(UART_DATA, (uint8_t)text[i++]);
            return_sent = false;
        }
        room--;
    }
}

size_t x86_serial_read(char *text, size_t size)
{
    size_t count = 0;

    while (self.present && count < size && (hw_in8(UART_LSR) & LSR_DATA) != 0) {
        text[count++] = (char)hw_in8(UART_DATA);
    }
    return count;
}

void x86_serial_listen(void)
{
    hw_out8(UART_IER, IER_INPUT);
}

void plat_console_write(const char *text, size_t size)
{
    x86_serial_write(text, size);
}

size_t plat_console_read(char *text, size_t size)
{
    return x86_serial_read(text, size);
}
