/* SPDX-License-Identifier: MIT OR Apache-2.0
 * entropy.h: what core knows of randomness: the CPU's own source. The image's CSPRNG is a component (crypto/entropy).
 */
#pragma once
#include <stddef.h>
#include "core/status.h"

/* Fills from RDSEED or RDRAND. ST_UNSUPPORTED: this CPU has none. ST_AGAIN: it failed its retries. Any room. */
status_t entropy_cpu(void *bytes, size_t size);
