#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# nvme.sh: the NVMe driver against the simulator's own controller, which was written from the specification and dies of a driver that
# breaks it: with a message for each queue, with few, with a pin; polled on several queues. Then what lies on the disk is looked at
# from outside.
# timeout: 120
set -eu
. "$CAPOS_TOP/test/sim/models.inc"
for way in "nvme mmio" "nvme pci:2" "nvme pci:1" "nvme pci:0" "nvme-many pci" "nvme-many pci:0"; do
    run "${way%% *}" --transport "${way#* }" --device "nvme:$work/disk"
    grep -q "id 'sim-nvme-0', namespace 1, block 512/4096, .* flush, discard, zeroes" "$work/log" || fail "$way: another disk"
    all_ok "$way"
done
grep -q '4 queues of 16, 0 vectors' "$work/log" || fail "no four queues on the pin"
echo ok
