#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# Power cuts: every sequence of two operations on a volume that is made, every cut, disks that it may leave; samples of sequences in
# which a write or FLUSH failed, of longer ones, and of the making of a volume. 100,000 crash states and more, none of which breaks a
# promise of the store.
# timeout: 600
# cost: serial
set -eu
wanted=100000
work=$(mktemp -d "${TMPDIR:-/tmp}/capos-sim-XXXXXX")
trap 'rm -rf "$work"' EXIT
# run NAME ARGUMENT...
run() {
    name=$1
    shift
    "$CAPOS_BUILD/sim/explore" --build "$CAPOS_BUILD" "$@" >"$work/$name" 2>&1
}
# Every sequence; then those of samples in which a write or FLUSH fails; from the making of the volume on; and long ones.
run short-0 --image crash --all --subsets 64 --states 100000 --job 0/2 &
failed=
run short-1 --image crash --all --subsets 64 --states 100000 --job 1/2 || failed=1
wait $! || failed=1
[ -n "$failed" ] || grep -qx "these were all sequences" "$work/short-0" || failed=1
[ -n "$failed" ] || grep -qx "these were all sequences" "$work/short-1" || failed=1
run nvme --image crash-nvme --nvme --fail --seeds 200 --subsets 64 --states 5000 &
run long --image crash-long --seeds 1100 --subsets 64 --states 10000 || failed=1
wait $! || failed=1
run blank --image crash --from-blank --all --subsets 64 --states 3000 || failed=1
cat "$work"/*
[ -z "$failed" ] || exit 1
states=$(sed -n 's/^\([0-9]*\) crash states .*/\1/p' "$work"/* | awk '{ sum += $1 } END { print sum + 0 }')
echo "$states crash states"
[ "$states" -ge "$wanted" ] || { echo "fewer than $wanted"; exit 1; }
