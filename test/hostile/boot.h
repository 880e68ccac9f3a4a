/* SPDX-License-Identifier: MIT OR Apache-2.0
 * boot.h: one boot of the image in QEMU with two devices of ours, each of which lies once; and whether the image took it well.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct boot_wanted {
    const char *build;
    const char *machine; /* QEMU's; NULL: drawn from the seed */
    const char *lie;     /* for all boots; NULL: drawn */
    uint64_t seed;
};

/* False: it did not, and what happened is on the standard output. `told`: how many lies were told is added. */
bool boot_try(const struct boot_wanted *wanted, unsigned *told);
