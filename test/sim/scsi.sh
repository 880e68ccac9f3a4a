#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# scsi.sh: the virtio SCSI driver against the simulator's own adapter and disk, which were written from the specifications and die of a
# driver that breaks them, by MMIO and by PCI. Then what lies on the disk is looked at from outside.
# timeout: 120
set -eu
. "$CAPOS_TOP/test/sim/models.inc"
for transport in mmio pci pci:2 pci:0; do
    run scsi --transport "$transport" --device "virtio-scsi:$work/disk"
    grep -q "id 'sim-scsi-0', target 1, block 512/4096, 32 segments, indirect, flush, durable, discard, zeroes\$" "$work/log" ||
        fail "$transport: another disk"
    all_ok "$transport"
done
echo ok
