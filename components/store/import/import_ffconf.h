/* SPDX-License-Identifier: MIT OR Apache-2.0
 * import_ffconf.h: how FatFs is built (its documentation: "Configuration Options"): to read, with long names in UTF-8.
 */
#pragma once

#define FFCONF_DEF 86604 /* of the release that this was written for */
#define FF_FS_READONLY 1
#define FF_FS_MINIMIZE 0
#define FF_USE_STRFUNC 0
#define FF_USE_FIND 0
#define FF_USE_MKFS 0
#define FF_USE_FASTSEEK 0
#define FF_USE_EXPAND 0
#define FF_USE_CHMOD 0
#define FF_USE_LABEL 0
#define FF_USE_FORWARD 0
#define FF_CODE_PAGE 437 /* of short names beyond ASCII; which one is written nowhere on the volume */
#define FF_USE_LFN 1     /* one thread calls it: the buffer may be static */
#define FF_MAX_LFN 255
#define FF_LFN_UNICODE 2
#define FF_LFN_BUF 255 /* bytes of UTF-8, as many as a name may have: what is longer goes by its short name */
#define FF_SFN_BUF 34
#define FF_STRF_ENCODE 3
#define FF_FS_RPATH 0
#define FF_VOLUMES 1
#define FF_STR_VOLUME_ID 0
#define FF_MULTI_PARTITION 0
#define FF_MIN_SS 512
#define FF_MAX_SS 512
#define FF_USE_TRIM 0
#define FF_FS_NOFSINFO 0
#define FF_FS_TINY 1
#define FF_FS_EXFAT 0
#define FF_FS_NORTC 1
#define FF_NORTC_MON 1
#define FF_NORTC_MDAY 1
#define FF_NORTC_YEAR 2018
#define FF_FS_LOCK 0
#define FF_FS_REENTRANT 0
#define FF_FS_TIMEOUT 1000
#define FF_SYNC_t void *

/* What it asks of the disk is import_fat.c's. */
#define disk_read import_fat_sectors
#define disk_ioctl import_fat_control
