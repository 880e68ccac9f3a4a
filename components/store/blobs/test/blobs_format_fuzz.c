/* SPDX-License-Identifier: MIT OR Apache-2.0
 * blobs_format_fuzz.c: any bytes as superblock and as log: with the sums made right, so that what is behind them is met.
 */
#include "../blobs_format.c"
#include "../blobs_index.c"
#include "boot_memory.h"
#include "test.h"

static struct blobs_index table;

static void setup(void)
{
    crc32c_init();
    blobs_index_init(&table, 4096, 32, 16);
}

static void replay(const struct blobs_log_sector *sector, const struct blobs_geometry *geometry)
{
    struct blobs_record record;
    uint32_t offset = 0;
    while (blobs_record_next(sector, &offset, geometry, &record) == ST_OK) {
        if (blobs_index_apply(&table, &record, true) != ST_OK) {
            return;
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct blobs_superblock superblock = {0};
    struct blobs_geometry geometry;
    if (table.blob == NULL) {
        setup();
    }
    memcpy(&superblock, data, size < sizeof(superblock) ? size : sizeof(superblock));
    memcpy(superblock.magic, superblock_magic, sizeof(superblock.magic));
    superblock.crc = superblock_crc(&superblock);
    if (blobs_superblock_check(&superblock, 4096, &superblock, &geometry) != ST_OK) {
        uint64_t least;
        if (blobs_geometry_plan(4096, 1, 32, 16, &geometry, &least) != ST_OK) {
            abort();
        }
    }
    blobs_index_reset(&table, &geometry);
    for (uint32_t at = 0; at < size; at += BLOBS_LOG_PAYLOAD) {
        struct blobs_log_sector sector = {0};
        sector.used = (uint16_t)(size - at < BLOBS_LOG_PAYLOAD ? size - at : BLOBS_LOG_PAYLOAD);
        memcpy(sector.payload, data + at, sector.used);
        replay(&sector, &geometry);
    }
    uint64_t used = 0;
    for (uint32_t i = 0; i < table.blob_max; i++) {
        used += table.blob[i].used ? blobs_extent_blocks(table.blob[i].size) : 0;
    }
    if (used + table.free_blocks != geometry.blocks - geometry.data_start) {
        abort();
    }
    return 0;
}
