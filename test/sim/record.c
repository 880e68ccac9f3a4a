/* SPDX-License-Identifier: MIT OR Apache-2.0
 * record.c: the timeline as text.
 */
#include "record.h"
#include "run.h"

static void line_begin(struct run *run, const struct node *node, uint64_t time_ns)
{
    fprintf(run->record->text, "%12.6f  %-8s ", (double)time_ns / (double)NS_PER_S,
            node != NULL ? node->name : "world");
}

void record_note(struct run *run, const struct node *node, const char *what)
{
    if (run->record != NULL) {
        line_begin(run, node, run->now_ns);
        fprintf(run->record->text, "* %s\n", what);
    }
}

void record_line(struct run *run, const struct node *node, uint64_t time_ns, const char *line)
{
    if (run->record != NULL) {
        line_begin(run, node, time_ns);
        fprintf(run->record->text, "| %s\n", line);
    }
}

static unsigned get16(const char *at)
{
    return (unsigned)(uint8_t)at[0] << 8 | (uint8_t)at[1];
}

static void print_tcp(FILE *to, const char *ip, size_t size)
{
    static const char letters[] = "FSRPA";
    const char *tcp = ip + 20;
    size_t header = 20 + (size_t)((uint8_t)tcp[12] >> 4) * 4;

    fprintf(to, "tcp %u.%u:%u > %u.%u:%u ", (uint8_t)ip[14], (uint8_t)ip[15], get16(tcp), (uint8_t)ip[18],
            (uint8_t)ip[19], get16(tcp + 2));
    for (unsigned i = 0; i < 5; i++) {
        if ((tcp[13] >> i & 1) != 0) {
            fputc(letters[i], to);
        }
    }
    fprintf(to, " seq %u ack %u", get16(tcp + 4) << 16 | get16(tcp + 6), get16(tcp + 8) << 16 | get16(tcp + 10));
    fprintf(to, " window %u, %zu bytes\n", get16(tcp + 14), size > header ? size - header : 0);
}

void record_frame(struct run *run, const struct node *from, uint64_t time_ns, const char *frame, size_t size)
{
    if (run->record == NULL) {
        return;
    }
    line_begin(run, from, time_ns);
    fprintf(run->record->text, "> ");
    if (size >= 54 && get16(frame + 12) == 0x0800 && frame[14] == 0x45 && frame[23] == 6) {
        size_t length = get16(frame + 16);
        print_tcp(run->record->text, frame + 14, length);
    } else {
        fprintf(run->record->text, "%s, %zu bytes\n", get16(frame + 12) == 0x0806 ? "arp" : "frame", size);
    }
}
