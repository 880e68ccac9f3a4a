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

void record_frame(struct run *run, const struct node *from, uint64_t time_ns, const char *frame, size_t size)
{
    (void)frame;
    if (run->record != NULL) {
        line_begin(run, from, time_ns);
        fprintf(run->record->text, "> frame of %zu bytes, run so far %016lX\n", size, (unsigned long)run->hash);
    }
}
