/* SPDX-License-Identifier: MIT OR Apache-2.0
 * volume_fuzz.c: whatever a disk says is mounted or refused; what is mounted is read, written and committed without harm. The
 * input is the first superblock (its CRC is put right), then the blocks that it may name, over and over.
 */
#include "../volume.c"
#include "../volume_log.c"
#undef LOG_TAG
#define LOG_TAG "volume"
#include "../volume_map.c"
#include "test_disk.h"

#define BLOCKS (FIRST_BLOCK + 16 + 2 + RUN_UNIT + 8)

static struct volume volume;
static uint64_t memory[VOLUME_MEMORY(2, 64) / 8 + 1];

static void fill(const uint8_t *data, size_t size)
{
    struct volume_super *super = (struct volume_super *)(void *)disk_at(SUPER_A);

    for (size_t at = 0; at < disk.io.blocks * DISK_BLOCK_BYTES && size > 0; at += size) {
        size_t left = disk.io.blocks * DISK_BLOCK_BYTES - at;
        memcpy(disk.now + at, data, left < size ? left : size);
    }
    super->magic = VOLUME_MAGIC;
    super->version = VOLUME_VERSION;
    super->block_bytes = DISK_BLOCK_BYTES;
    super->crc = super_crc(super);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct volume_memory given = {memory, sizeof memory};
    static unsigned char page[VOLUME_PAGE_BYTES];

    if (disk.now == NULL) {
        disk_new(BLOCKS);
    }
    if (size < 64 || volume_init(&volume, &disk.io, &given, 2) != ST_OK) {
        return 0;
    }
    fill(data, size);
    if (volume_mount(&volume) != ST_OK) {
        return 0;
    }
    for (uint64_t i = 0; i < 5; i++) {
        status_ignore(volume_page_read(&volume, i * 300, page), "a lie is found or not");
        status_ignore(volume_page_write(&volume, i * 300, page), "the same");
    }
    status_ignore(volume_log_read(&volume, 4000, page, 4096), "the same");
    status_ignore(volume_log_write(&volume, 4000, page, 4096), "the same");
    status_ignore(volume_truncate(&volume, 2), "the same");
    status_ignore(volume_commit(&volume), "the same");
    return 0;
}
