/* SPDX-License-Identifier: MIT OR Apache-2.0
 * kvmclock.h: KVM's paravirtual clock page.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* KVM was recognised. False: it offers no clock, or one that this code will not follow. */
bool kvmclock_init(void);
bool kvmclock_on(void);
uint64_t kvmclock_ns(void);   /* since boot */
uint64_t kvmclock_mult(void); /* ns << 32 a TSC tick */
