#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# virtio.sh: the drivers against the simulator's own device models, which were written from the specification and die of a
# driver that breaks it, by MMIO and by PCI: with a message for each queue, with few, with a pin. Then what lies on the disk is
# looked at from outside.
# timeout: 120
set -eu
. "$CAPOS_TOP/test/sim/models.inc"
for transport in mmio pci pci:2 pci:1 pci:0; do
    run virtio --transport "$transport" --disk "$work/disk"
    grep -q "4 queues, 32 segments, indirect, flush, discard, zeroes\$" "$work/log" || fail "$transport: another disk"
    all_ok "$transport"
done

# A disk that cannot be written is read-only to the image, which this test takes badly.
chmod a-w "$work/disk"
if [ "$(id -u)" != 0 ]; then
    run virtio --disk "$work/disk"
    [ "$status" != 0 ] || fail "read-only"
    grep -q 'read-only' "$work/log" || fail "no word of read-only"
fi

# Neither the device nor the CPU: no keys.
run virtio --no-entropy --disk "$work/disk"
[ "$status" != 0 ] || fail "went on without entropy"
grep -q 'no entropy, so no keys' "$work/log" || fail "no word of entropy"

# Two processes never have the same disk.
chmod u+w "$work/disk"
(
    exec 9<>"$work/disk"
    flock -n 9 || exit 1
    timeout -s KILL 60 "$image" --disk "$work/disk" </dev/null >"$work/log" 2>&1 9>&- && exit 1
    grep -q 'in use by another process' "$work/log"
) || fail "a locked disk was taken"
echo ok
