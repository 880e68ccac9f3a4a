#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# traces.sh: the simulator's models answer as QEMU's devices did when they were asked by our drivers, or by us (traces/*.trace), and
# an answer that is another is seen. test/deep/virtio-traces.sh asks QEMU anew.
set -eu
work=$(mktemp -d "${TMPDIR:-/tmp}/capos-sim-XXXXXX")
trap 'rm -rf "$work"' EXIT
fail() {
    echo "FAILED: $*" >&2
    exit 1
}

count=0
for trace in "$CAPOS_TOP"/test/sim/traces/*.trace; do
    "$CAPOS_BUILD/sim/replay" "$trace" || fail "$trace"
    count=$((count + 1))
done
[ "$count" = 13 ] || fail "$count traces, not 13"

# refused WHAT TRACE SED: with this change to the trace it must not pass.
refused() {
    sed "$3" "$CAPOS_TOP/test/sim/traces/$2.trace" >"$work/changed.trace"
    ! cmp -s "$work/changed.trace" "$CAPOS_TOP/test/sim/traces/$2.trace" || fail "$1: nothing changed"
    ! "$CAPOS_BUILD/sim/replay" "$work/changed.trace" >"$work/out" 2>&1 || fail "$1 passed"
}
refused "another capacity" virtio-blk-pci 's/^device r 00 4 .*/device r 00 4 4001/'
refused "a status that another device would show" virtio-net-mmio 's/^mmio r 70 4 b/mmio r 70 4 3/'
refused "a feature that QEMU has not" virtio-blk-pci 's/^common r 04 4 30007e54/common r 04 4 30007c54/'
refused "a vector that did not stick" virtio-rng-pci 's/^common r 1a 2 1/common r 1a 2 ffff/'
refused "a capability that the model has not" virtio-net-pin 's/^header r 34.*/&\ncap-11 r 00 1 11/'
refused "a mask" virtio-net-pci 's/^cap-11 r 02 2 c.*/cap-11 r 02 2 8002/'
refused "a vector that there is not" virtio-net-edges 's/^common w 10 2 1234/common w 10 2 2/'
refused "a reset that is none" virtio-blk-edges 's/^common w 14 1 0/common w 14 1 8f/'
refused "another status of a command" nvme-edges 's/^ram r 30\(.\)c 4 8\([01]\)01004/ram r 30\1c 4 8\203004/'
refused "a queue head that QEMU has not" nvme-edges 's/^ram r 1018 4 2/ram r 1018 4 3/'
refused "bytes that were not read" nvme-edges 's/^ram r a1fc 4 .*/ram r a1fc 4 12345678/'
refused "a register that a reset keeps" nvme-edges 's/^nvme r 24 4 70007/nvme r 24 4 0/'
refused "a trace of nothing" virtio-rng-mmio '/^mmio/d'
refused "no trace" virtio-rng-mmio 's/^mmio r/mmio x/'
