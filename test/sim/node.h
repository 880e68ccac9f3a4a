/* SPDX-License-Identifier: MIT OR Apache-2.0
 * node.h: one machine of the fleet.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "disk.h"
#include "image.h"
#include "node_clock.h"
#include "queue.h"

struct run;

enum { PORT_NET = 0, PORT_DISK = 1 };

struct node {
    struct run *run;
    unsigned number;
    char name[32];
    struct image *image;
    struct disk *disk; /* NULL: none */
    uint8_t mac[6];
    bool hostile;           /* it means ill: nobody waits for it (hostile.h) */
    bool spoils;            /* what it sends is spoiled on its way */
    uint64_t mute_until_ns; /* spoils: it is as dead until then */
    bool small;             /* its tables are: it may refuse */
    bool load;              /* a workload runs on it, and says when it is done */
    bool audits;            /* it has changed all that it will change */
    bool done;              /* it said so */
    bool on;                /* has power */
    bool busy;              /* would go on at free_ns */
    bool link_up;           /* its cable is in */
    unsigned boots;         /* how often it was switched on */
    unsigned stops;         /* so often it will be stopped amid what it does to its disk */
    bool stopping;          /* it is known when */
    uint32_t slower;        /* this many times, and once, the cost of everything */
    struct sim_link link;
    struct queue queue; /* what will reach it */
    struct node_clock clock;
    uint64_t free_ns;      /* it has run up to here */
    uint64_t timer_ns;     /* when its timer fires; NEVER */
    uint64_t timer_own_ns; /* the same by its own clock */
    uint64_t turn_max_ns;  /* the longest that it ran at a time */
    char line[1024];       /* of its console, not yet ended */
    size_t line_size;
    uint64_t said_ns;       /* since it last ended a batch, for telling checkers what it does */
    unsigned lines;         /* since it was switched on */
    bool disk_was_reset;    /* by its driver, since the boot */
    uint64_t sick_until_ns; /* its disk may not be read until then, which may be NEVER */
};

/* Others use it: it is no workload, and no peer that means ill. */
static inline bool node_serves(const struct node *node)
{
    return !node->load && !node->hostile;
}
/* When anything concerns it next; NEVER. */
uint64_t node_next(const struct node *node);
/* It is that time: tells it, and takes what it does. `until`: it may run on to there unasked. */
void node_step(struct node *node, uint64_t now_ns, uint64_t until_ns);
/* Power. A node that was cut has lost all but what is on its disk. */
void node_boot(struct node *node, uint64_t now_ns);
void node_cut(struct node *node);
/* Without losing power: its disk keeps what no FLUSH has covered yet. It stays off until it is booted. */
void node_reset(struct node *node);
/* Its cable. */
void node_plug(struct node *node, bool up, uint64_t now_ns);
/* Its wall clock says this from now on, ns since 1970. */
void node_wall(struct node *node, uint64_t wall_ns, uint64_t now_ns);
/* Its threads are stopped as the run's faults say now. */
void node_preempt(struct node *node, uint64_t now_ns);
/* Something befalls a device: act_device(). */
void node_strike(struct node *node, uint64_t what, uint64_t now_ns);
/* From now on its clock gains so many parts in a million. */
void node_drift(struct node *node, int32_t drift_ppm, uint64_t now_ns);
/* Pools refuse, or do no more, as faults_memory() says. */
void node_scarce(struct node *node, uint64_t now_ns);
/* Keys on its console. */
void node_type(struct node *node, const char *text, uint64_t now_ns);
/* Gives all back. */
void node_free(struct node *node);
/* A message for one of its ports reaches it at this time. Takes the event over. */
void node_tell(struct node *node, struct event *event);
