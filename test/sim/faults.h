/* SPDX-License-Identifier: MIT OR Apache-2.0
 * faults.h: what goes wrong in a run. Each kind is on or off and has its own strength, both drawn from the seed (swarm
 * testing: Groce et al., 2012), so that no kind hides what another would show.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "random.h"

struct run;

enum fault {
    FAULT_LOSS,
    FAULT_DUPLICATE,
    FAULT_CORRUPT,
    FAULT_DELAY,
    FAULT_PARTITION,
    FAULT_LINK,
    FAULT_CUT,
    FAULT_TEAR,
    FAULT_SLOW_DISK,
    FAULT_STALL,    /* a disk command takes seconds */
    FAULT_IO_ERROR, /* a disk command fails and says so */
    FAULT_ROT,      /* dishonest disks, from here on: in one run of five at most, unless they are asked for by name */
    FAULT_MISDIRECT,
    FAULT_STALE,
    FAULT_LYING_FLUSH,
    FAULT_SLOW_CPU,
    FAULT_WALL,       /* the wall clock jumps */
    FAULT_NO_ENTROPY, /* the CPU has no random numbers */
    FAULT_PREEMPT,    /* threads are stopped at points of the source */
    FAULT_EDGE,       /* and at edges of the control flow, if the image has been built for it */
    FAULT_LOOP,       /* power is cut again and again while a node boots */
    FAULT_REBOOT,     /* somebody types `reboot`: the disk keeps its write cache */
    FAULT_DEVICE_LIE, /* devices that do what none may (sim_protocol.h): in every other run at most, unless asked for by name */
    FAULT_DEVICE_STALL,
    FAULT_DEVICE_RESET,
    FAULT_DEVICE_GONE,
    FAULT_MEMORY,    /* a pool that has an item says that it has none */
    FAULT_DRIFT,     /* a node's clock gains or loses up to a twentieth */
    FAULT_ILL,       /* hostile nodes are (hostile.h); this one does not end when all is calm */
    FAULT_PEER_CUT,  /* who uses others loses power */
    FAULT_DISK_FULL, /* what keeps a disk's bytes has no room left */
    FAULTS
};
#define FAULTS_ALL ((1u << FAULTS) - 1)
#define FAULTS_DISHONEST (1u << FAULT_ROT | 1u << FAULT_MISDIRECT | 1u << FAULT_STALE | 1u << FAULT_LYING_FLUSH)
#define FAULTS_DECEIVING (FAULTS_DISHONEST & ~(1u << FAULT_ROT))
/* After these a connection may end. */
#define FAULTS_SEVERING                                                                                                \
    (1u << FAULT_LOSS | 1u << FAULT_CORRUPT | 1u << FAULT_PARTITION | 1u << FAULT_LINK | 1u << FAULT_CUT |             \
     1u << FAULT_LOOP | 1u << FAULT_REBOOT | FAULTS_DEVICE | 1u << FAULT_MEMORY | 1u << FAULT_PEER_CUT)
#define FAULTS_DEVICE                                                                                                  \
    (1u << FAULT_DEVICE_LIE | 1u << FAULT_DEVICE_STALL | 1u << FAULT_DEVICE_RESET | 1u << FAULT_DEVICE_GONE)

struct faults {
    uint32_t wanted;        /* bit by enum fault: may be drawn */
    uint32_t on;            /* bit: was drawn */
    uint64_t skip;          /* bit by number: this planned trouble does not come */
    unsigned planned;       /* how many there are */
    uint32_t fired[FAULTS]; /* how often */
};

extern const char *const fault_names[FAULTS];

/* The bits of "loss,cut", "all" or "none". False: `unknown` is the word that is no fault. */
bool faults_parse(const char *text, uint32_t *bits, const char **unknown);
/* Draws, and puts what the world will do into its queue. */
void faults_begin(struct run *run, uint64_t from_ns, uint64_t until_ns);
/* How many times slower a node is that is switched on now, less one; whether its CPU has no random numbers. */
uint32_t faults_slower(const struct run *run, struct random *random);
bool faults_no_entropy(const struct run *run, struct random *random);
/* At how many of a million points, and of as many edges, threads are stopped now. */
uint32_t faults_preempt(const struct run *run);
uint32_t faults_edge(const struct run *run);
/* How many of a million requests for memory fail, now. */
uint32_t faults_memory(const struct run *run);
/* Whether one of these has happened. */
bool faults_fired(const struct run *run, uint32_t bits);
/* From here on nothing goes wrong. */
void faults_end(struct run *run);
