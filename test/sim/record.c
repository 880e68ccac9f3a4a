/* SPDX-License-Identifier: MIT OR Apache-2.0
 * record.c: the timeline as text, and what of it becomes marks of the picture (record_svg.c).
 */
#include "record.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "record_svg.h"
#include "run.h"

bool record_begin(struct record *record, const char *path)
{
    size_t size = strlen(path);
    FILE *to = strcmp(path, "-") == 0 ? stdout : fopen(path, "w");

    if (to == NULL) {
        return false;
    }
    if (size > 4 && strcmp(path + size - 4, ".svg") == 0) {
        record->drawing = drawing_new(to);
    } else {
        record->text = to;
    }
    return true;
}

static bool has_text(const struct run *run)
{
    return run->record != NULL && run->record->text != NULL;
}
static bool has_drawing(const struct run *run)
{
    return run->record != NULL && run->record->drawing != NULL;
}
static int number_of(const struct node *node)
{
    return node != NULL ? (int)node->number : -1;
}

static void mark(struct run *run, const struct node *node, uint64_t time_ns, enum mark_kind kind, const char *text)
{
    if (has_drawing(run)) {
        drawing_mark(run->record->drawing,
                     &(struct mark){.time_ns = time_ns, .kind = kind, .from = number_of(node), .text = strdup(text)});
    }
}

static void line_begin(struct run *run, const struct node *node, uint64_t time_ns)
{
    fprintf(run->record->text, "%12.6f  %-8s ", (double)time_ns / (double)NS_PER_S,
            node != NULL ? node->name : "world");
}

void record_note(struct run *run, const struct node *node, const char *what)
{
    mark(run, node, run->now_ns, MARK_NOTE, what);
    if (has_text(run)) {
        line_begin(run, node, run->now_ns);
        fprintf(run->record->text, "* %s\n", what);
    }
}

void record_line(struct run *run, const struct node *node, uint64_t time_ns, const char *line)
{
    mark(run, node, time_ns, MARK_LINE, line);
    if (has_text(run)) {
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

static void print_frame(FILE *to, const char *frame, size_t size)
{
    if (size >= 54 && get16(frame + 12) == 0x0800 && frame[14] == 0x45 && frame[23] == 6) {
        print_tcp(to, frame + 14, get16(frame + 16));
    } else {
        fprintf(to, "%s, %zu bytes\n", get16(frame + 12) == 0x0806 ? "arp" : "frame", size);
    }
}

void record_frame(struct run *run, const struct node *from, uint64_t time_ns, const char *frame, size_t size)
{
    if (has_text(run)) {
        line_begin(run, from, time_ns);
        fprintf(run->record->text, "> ");
        print_frame(run->record->text, frame, size);
    }
}

void record_flight(struct run *run, const struct flight *flight, const char *frame, size_t size)
{
    struct mark mark = {.time_ns = flight->time_ns, .travel_ns = flight->travel_ns};
    size_t text_size = 0;

    if (!has_drawing(run)) {
        return;
    }
    FILE *text = open_memstream(&mark.text, &text_size);
    if (text == NULL) {
        sim_fail("no memory for the timeline");
    }
    print_frame(text, frame, size);
    fclose(text);
    mark.kind = flight->lost ? MARK_LOST : MARK_FRAME;
    mark.from = number_of(flight->from);
    mark.to = number_of(flight->to);
    drawing_mark(run->record->drawing, &mark);
}

void record_disk(struct run *run, const struct node *node, uint64_t time_ns, const struct sim_message *message)
{
    char text[80];

    if (message->flags == SIM_DISK_FLUSH) {
        snprintf(text, sizeof text, "flush");
    } else {
        snprintf(text, sizeof text, "%s from sector %" PRIu64, message->flags == SIM_DISK_READ ? "read" : "write",
                 message->b);
    }
    mark(run, node, time_ns, MARK_DISK, text);
}

void record_end(struct run *run)
{
    if (run->violation[0] != '\0') {
        record_note(run, NULL, run->violation);
    }
    if (has_drawing(run)) {
        drawing_end(run->record->drawing, run);
        run->record->drawing = NULL;
    } else if (run->record != NULL) {
        fflush(run->record->text);
    }
}
