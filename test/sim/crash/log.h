/* SPDX-License-Identifier: MIT OR Apache-2.0
 * log.h: what a real machine did to its disk, from the log that QEMU's blklogwrites driver (the form is that of Linux's
 * dm-log-writes) wrote, and what was acknowledged meanwhile.
 *
 *  (1) The log has requests in the order in which they were made, and no ends. A FLUSH counts as having ended before what
 *      follows it, and as covering what precedes it: right for whoever awaits its writes before it asks for a FLUSH.
 *  (2) A line of the workload's stands where the log was when it was noted: an end that is noted late only makes a promise
 *      weaker.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "volume.h"

/* A log of `size` bytes, of a disk of so many sectors, as a journal, with `lines` ("OFFSET TEXT", a line each, in order) put
 * in. NULL, or what is wrong: the journal is then of no use. */
const char *log_take(struct journal *journal, const char *log, size_t size, uint64_t sectors, char *lines);
/* The same with files; ends the program when something is wrong. */
void log_read(struct journal *journal, const char *log_path, const char *lines_path, uint64_t sectors);
