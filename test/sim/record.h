/* SPDX-License-Identifier: MIT OR Apache-2.0
 * record.h: what happened in a run, for people: one line an event, in the run's own time. Only when it is wanted.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct run;
struct node;

struct record {
    FILE *text;
};

/* Something of the world's doing. */
void record_note(struct run *run, const struct node *node, const char *what);
/* A line of a node's console. */
void record_line(struct run *run, const struct node *node, uint64_t time_ns, const char *line);
void record_frame(struct run *run, const struct node *from, uint64_t time_ns, const char *frame, size_t size);
