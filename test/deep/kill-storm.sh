#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# kill-storm.sh: test/smoke/kill-storm.sh, fifty kills on virtio-blk and fifty on NVMe.
# timeout: 1800
set -eu
for store in store store-nvme; do
    echo "$store:"
    STORE=$store ROUNDS=50 "$CAPOS_TOP/test/smoke/kill-storm.sh"
done
