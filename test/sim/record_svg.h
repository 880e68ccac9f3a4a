/* SPDX-License-Identifier: MIT OR Apache-2.0
 * record_svg.h: the timeline as a picture (record.h): a lane for each node, time to the right.
 */
#pragma once
#include <stdint.h>
#include <stdio.h>

struct run;
struct node;
struct drawing;

enum mark_kind { MARK_NOTE, MARK_LINE, MARK_FRAME, MARK_LOST, MARK_DISK, MARK_KINDS };

struct mark {
    uint64_t time_ns, travel_ns; /* travel: of frames */
    uint64_t number;             /* in the order in which they came */
    int from, to;                /* nodes; -1: the world. to: of frames */
    enum mark_kind kind;
    char *text; /* from malloc; the drawing's */
};

/* NULL: no memory. Takes the file over. */
struct drawing *drawing_new(FILE *to);
/* Keeps the last MARKS_MAX of each kind, counts all. */
void drawing_mark(struct drawing *drawing, const struct mark *mark);
/* Writes the picture of the run, and gives all back. */
void drawing_end(struct drawing *drawing, const struct run *run);
