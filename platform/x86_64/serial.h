/* SPDX-License-Identifier: MIT OR Apache-2.0
 * serial.h: the 16550 UART at COM1.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#define SERIAL_ISA_IRQ 4u
/* 115200 8N1. Works before relocation and after. */
void x86_serial_init(void);
bool x86_serial_present(void);
void x86_serial_write(const char *text, size_t size);
size_t x86_serial_read(char *text, size_t size);
/* Input interrupts from here on. */
void x86_serial_listen(void);
