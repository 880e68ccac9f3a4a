/* SPDX-License-Identifier: MIT OR Apache-2.0
 * world.h: everything around one image, in its own process: power, time, wire, peer and disk, as an input says.
 *
 * A process is the image and its world. The image's end of the coordinator's socket (platform/sim/sim_link.h) is answered here by
 * plain calls: what the image says is dealt with at once, and when it waits it gets what the world has for it.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "sim_protocol.h"

enum world_port { PORT_NET, PORT_DISK };

/* What happens from here on. Borrowed for the life of the process. */
void world_input(const uint8_t *bytes, size_t size);
/* The power is off: it comes on when this has returned. */
extern void (*world_off)(void);
/* The input is at its end and the image rests. */
extern void (*world_rests)(void);
/* A world_rests: ends the process when all is well, or by world_broken() when the image does not live and has no excuse. */
void world_judge(void);
/* Says why, and what the image said last, and ends the process as a failure. */
_Noreturn void world_broken(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* From here on the image may refuse to work; it may not break. */
void world_excuse(void);
/* Tells the image something, or hands it a frame. */
void world_tell(struct sim_message message, const void *body);
void world_frame(const uint8_t *frame, size_t size);

/* The next of the input; zeroes behind its end. */
uint8_t take8(void);
uint16_t take16(void);
/* Borrows so many bytes of it; *size becomes what there is. */
const uint8_t *take_bytes(size_t *size);

/* whole.c's: the process ends well. `left`: what of the input is for the machine that is switched on next; 0: none is. */
_Noreturn void process_over(size_t left);
