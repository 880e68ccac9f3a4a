/* SPDX-License-Identifier: MIT OR Apache-2.0
 * sim_sanitizer.h: what AddressSanitizer must be told when a process switches stacks. Nothing where it is not built in.
 */
#pragma once
#include "core/poison.h"

#ifdef POISON_ACTIVE
#include <sanitizer/common_interface_defs.h>
#define SANITIZED true
#define fiber_leave(fake, bottom, size) __sanitizer_start_switch_fiber((void **)(fake), (const void *)(bottom), (size))
#define fiber_arrive(fake, bottom, size) __sanitizer_finish_switch_fiber((void *)(fake), (bottom), (size))
#else
#define SANITIZED false
#define fiber_leave(fake, bottom, size) ((void)(fake), (void)(bottom), (void)(size))
#define fiber_arrive(fake, bottom, size) ((void)(fake), (void)(bottom), (void)(size))
#endif
