/* SPDX-License-Identifier: MIT OR Apache-2.0
 * log.c: the log ring: whole lines in a fixed number of bytes, the oldest dropped.
 *
 *  (1) Bytes [tail, head) of the ring, free-running, are the lines first..next-1, each ended by NUL.
 *  (2) head - tail <= RING_BYTES.
 *  (3) Written with interrupts off, so that a thread that is stopped does not leave half a line to the loop.
 */
#include "core/log.h"
#include <stdbool.h>
#include <stdint.h>
#include "core/assert.h"
#include "core/fmt.h"
#include "core/loop.h"
#include "diag_private.h"
#include "plat/plat.h"

#define RING_BYTES (32u * 1024u)
#define LINE_MAX 320u /* bytes with NUL; longer lines are cut */

static struct {
    char ring[RING_BYTES];
    uint64_t head;
    uint64_t tail;
    unsigned long first;
    unsigned long next;
} self;

static char ring_at(uint64_t index)
{
    return self.ring[index % RING_BYTES];
}

static void drop_oldest(void)
{
    while (ring_at(self.tail++) != '\0') {
    }
    self.first++;
}

/* Without its newline. */
static void ring_append(const char *line, size_t size)
{
    ASSERT(size < RING_BYTES);
    while (self.head + size + 1 - self.tail > RING_BYTES) { /* (2) */
        drop_oldest();
    }
    for (size_t i = 0; i < size; i++) {
        self.ring[self.head++ % RING_BYTES] = line[i];
    }
    self.ring[self.head++ % RING_BYTES] = '\0';
    self.next++;
}

static void emit(char *line, size_t size)
{
    bool on = plat_irq_enabled();

    plat_irq_disable(); /* (3) */
    console_line(line, size);
    ring_append(line, size - 1);
    if (on) {
        plat_irq_enable();
    }
}

void log_plain(const char *text)
{
    char line[LINE_MAX];
    size_t size = fmt_text(line, sizeof line, "%s", text);

    size = size < sizeof line ? size : sizeof line - 1;
    ASSERT(size > 0 && line[size - 1] == '\n');
    emit(line, size);
}

/* What somebody else said (a peer's name, a disk's label) must not move the cursor or begin a line. Nor may bytes above
 * ASCII: some terminals take 0x9b, or its UTF-8 form, for ESC [. */
static void make_printable(char *line, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if ((unsigned char)line[i] < 0x20 || (unsigned char)line[i] >= 0x7f) {
            line[i] = '?';
        }
    }
}

void log_line(enum log_level level, const char *tag, const char *format, ...)
{
    static const char *const words[] = {"error: ", "warning: ", "", ""};
    char line[LINE_MAX];
    uint64_t us = clock_ns() / 1000;
    va_list args;

    size_t size = fmt_text(line, sizeof line, "[%5lu.%06lu] %s: %s", us / 1000000, us % 1000000, tag, words[level]);
    size = size < sizeof line ? size : sizeof line - 1;
    va_start(args, format);
    size += fmt_textv(line + size, sizeof line - size, format, args);
    va_end(args);
    size = size < sizeof line - 1 ? size : sizeof line - 2;
    make_printable(line, size);
    line[size++] = '\n';
    emit(line, size);
}

unsigned log_copy(unsigned long since, char *text, unsigned size, unsigned long *next)
{
    unsigned lines = 0;
    unsigned used = 0;
    uint64_t at = self.tail;
    unsigned long number = self.first;

    for (; number < self.next; number++) {
        unsigned length = 1; /* NUL included */

        while (ring_at(at + length - 1) != '\0') {
            length++;
        }
        if (number >= since) {
            if (length > size - used) {
                break;
            }
            for (unsigned i = 0; i < length; i++) {
                text[used++] = ring_at(at + i);
            }
            lines++;
        }
        at += length;
    }
    *next = number;
    return lines;
}
