/* SPDX-License-Identifier: MIT OR Apache-2.0
 * record.h: what happened in a run, for people, in the run's own time: one line an event, or a picture with a lane for each
 * node. Only when it is wanted; the run does not see it.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct run;
struct node;
struct sim_message;
struct drawing;

struct record {
    FILE *text;              /* or NULL */
    struct drawing *drawing; /* or NULL */
};

/* One frame on its way to one node. */
struct flight {
    const struct node *from; /* NULL: the switch */
    const struct node *to;
    uint64_t time_ns, travel_ns;
    bool lost;
};

/* Into a new file: a picture when its name ends in .svg, else lines; "-": lines on standard output. False: errno. */
bool record_begin(struct record *record, const char *path);
/* Something of the world's doing. */
void record_note(struct run *run, const struct node *node, const char *what);
/* A line of a node's console. */
void record_line(struct run *run, const struct node *node, uint64_t time_ns, const char *line);
/* A node sends a frame. */
void record_frame(struct run *run, const struct node *from, uint64_t time_ns, const char *frame, size_t size);
/* It goes to a node, or is lost on the way. */
void record_flight(struct run *run, const struct flight *flight, const char *frame, size_t size);
/* A node asks its disk. */
void record_disk(struct run *run, const struct node *node, uint64_t time_ns, const struct sim_message *message);
/* The run is over: finishes what it wrote. */
void record_end(struct run *run);
