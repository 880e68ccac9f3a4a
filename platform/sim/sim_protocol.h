/* SPDX-License-Identifier: MIT OR Apache-2.0
 * sim_protocol.h: what an image and the coordinator of a lock-step run (test/sim) say to each other.
 *
 * One UNIX stream socket. Either side writes a batch of messages and then reads the other's: never both at once.
 *
 *      coordinator                                 image
 *        START (seed, clock)                         boots
 *        frames, completions, ... GO (now, horizon)  runs until it sleeps or `horizon` has passed
 *                                                    frames, commands, text, ... IDLE | BUSY | EXIT | REBOOT | BROKEN
 *
 *  (1) A batch ends with GO, or FORK, one way, and with IDLE, BUSY, EXIT, REBOOT, BROKEN or FORKED the other way.
 *  (2) Times are the image's own clock, nanoseconds since its boot; the coordinator knows what they mean to others.
 *  (3) Nothing that comes before `horizon` is kept from the image: it may run that far without asking again. What it does
 *      later than that carries the later time.
 *  (4) A port is a device that lives on the other side: its number is its place among them on the command line.
 *  (5) FORK comes with a socket (SCM_RIGHTS). The image forks as it stands; the child goes on with that socket, the parent
 *      answers FORKED. Closing a socket ends its process: that is the power cut.
 *  (6) Both sides are of one build: the layout is the compiler's. The coordinator is trusted; what the image says is checked.
 */
#pragma once
#include <stdint.h>

#define SIM_PROTOCOL_VERSION 1u
#define SIM_BODY_MAX (4u * 1024u * 1024u) /* bytes of a message's body */

enum sim_kind {
    /* to the image */
    SIM_START = 1, /* a: seed; b: wall clock at boot, ns since 1970; flags: enum sim_start */
    SIM_GO,        /* time: now; a: horizon */
    SIM_FORK,
    SIM_INPUT, /* console: body */
    SIM_WALL,  /* a: the wall clock from here on */
    SIM_PREEMPT, /* from here on THREADs are stopped at points. a: the stream that says at which; b: chances in a million at
                    points; flags: at edges */
    SIM_SCARCE, /* from here on pools refuse. a: the stream that says when; b: chances in a million. To the coordinator: one did */
    /* both ways, for a port */
    SIM_FRAME, /* body: an Ethernet frame */
    SIM_DISK, /* to the coordinator: flags: enum sim_disk; a: tag; b: first sector; body: what is written, or one word: how
                  many bytes are wanted. To the image: a: tag; flags: enum sim_disk_status; body: what was read */
    SIM_STATE, /* to the image: what the other half is. A wire: a: 1 plugged in, 0 not; b: the card's MAC address, first byte
                  lowest. A disk: a: sectors; b: 1 read only. Before the first GO, and when it changes */
    SIM_FAULT, /* to the image: something befalls the device of this kind (port: enum sim_device). flags: enum sim_fault; a: its
                  argument. To the coordinator: it did; once for each */
    /* to the coordinator */
    SIM_TEXT, /* console: body */
    SIM_IDLE, /* time: now; a: when its timer fires, UINT64_MAX never; b: the longest turn since it last said so, ns; flags:
                 how many times a THREAD was stopped since, at points in the low half, at edges in the high one */
    SIM_BUSY, /* time: now; would go on; b and flags likewise */
    SIM_EXIT, /* a: enum plat_exit */
    SIM_REBOOT,
    SIM_BROKEN, /* body: what the machine found wrong with its image or itself */
    SIM_FORKED,
};

enum sim_device { SIM_DEVICE_NET, SIM_DEVICE_DISK, SIM_DEVICE_RANDOM, SIM_DEVICES };
enum sim_fault {
    SIM_FAULT_OVER,  /* what it can get over by itself is over. a: 1: it is there again, too */
    SIM_FAULT_LIE,   /* says once what is not so; a: chance, which says what */
    SIM_FAULT_STALL, /* keeps what it has finished to itself. a: bit 0: until it is reset; bit 1 + i: in queue i */
    SIM_FAULT_RESET, /* works no more until it is reset. a: 0: and says so; 1: it is already, and forgot to say so */
    SIM_FAULT_GONE,  /* is not there: its registers read all ones */
};
enum sim_start { SIM_START_ENTROPY = 1u /* the CPU has random numbers */ };
#define SIM_TEXT_NS 10u           /* a byte of console: a fast UART */
#define SIM_START_SLOWER_SHIFT 16 /* of flags: how many times slower the machine is, less one */
enum sim_disk { SIM_DISK_READ = 0, SIM_DISK_WRITE = 1, SIM_DISK_FLUSH = 2 };
enum sim_disk_status { SIM_DISK_OK = 0, SIM_DISK_ERROR = 1 };

struct sim_message {
    uint32_t size; /* bytes of the body that follows, padded to 8 */
    uint16_t kind; /* enum sim_kind */
    uint16_t port;
    uint32_t flags;
    uint32_t reserved;
    uint64_t time_ns;
    uint64_t a;
    uint64_t b;
};
_Static_assert(sizeof(struct sim_message) == 40, "no padding");

static inline uint32_t sim_padded(uint32_t size)
{
    return (size + 7u) & ~7u;
}
