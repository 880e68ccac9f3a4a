#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# store-nvme.sh: the same as store-put-kill-get.sh, on an NVMe disk.
# timeout: 180
STORE=store-nvme
. "$CAPOS_TOP/test/smoke/store-put-kill-get.sh"
