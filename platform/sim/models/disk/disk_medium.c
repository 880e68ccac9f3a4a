/* SPDX-License-Identifier: MIT OR Apache-2.0
 * disk_medium.c: which medium an argument names.
 */
#include "models/disk/disk_medium.h"
#include <stdio.h>
#include <string.h>

struct disk_medium *disk_medium_open(const char *argument, char *why, size_t why_size)
{
    snprintf(why, why_size, "'sim' is for a lock-step run: --coordinator");
    return strcmp(argument, "sim") == 0 ? disk_port_open() : disk_file_open(argument, why, why_size);
}
