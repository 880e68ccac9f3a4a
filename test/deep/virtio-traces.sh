#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# virtio-traces.sh: asks this machine's QEMU anew what its virtio devices answer to our drivers, and the simulator's models the same.
# Where QEMU answers otherwise than it did for test/sim/traces, that is shown; it fails only when the models differ.
# timeout: 300
# cost: serial
set -eu
command -v qemu-system-x86_64 >/dev/null || { echo "no qemu-system-x86_64: skipped"; exit 77; }
work=$(mktemp -d "${TMPDIR:-/tmp}/capos-deep-XXXXXX")
trap 'rm -rf "$work"' EXIT
"$CAPOS_TOP/test/sim/traces/record" "$CAPOS_BUILD/virtio/virtio.elf" "$work"
for trace in "$work"/*.trace; do
    diff -u "$CAPOS_TOP/test/sim/traces/${trace##*/}" "$trace" || true
    "$CAPOS_BUILD/sim/replay" "$trace"
done
