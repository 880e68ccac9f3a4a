#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# Power cuts: every sequence of two operations, every cut, every disk that it may leave, also when one of the writes and FLUSHes failed;
# and samples of longer sequences. 100,000 crash states and more, none of which breaks a promise of the store.
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
run short --image crash --all --fail --states 100000 || { cat "$work/short"; exit 1; }
grep -qx "these were all sequences" "$work/short" || { cat "$work/short"; exit 1; }
run nvme --image crash-nvme --nvme --seeds 200 || { cat "$work/nvme"; exit 1; }
# The engine's first sequence, from the making of its volume on: it has far more states.
run engine --image crash-engine --audit crash-engine-audit --megabytes 16 --all --states 4000 || { cat "$work/engine"; exit 1; }
run long-0 --image crash-long --seeds 1100 --states 20000 --job 0/2 &
failed=
run long-1 --image crash-long --seeds 1100 --states 20000 --job 1/2 || failed=1
wait $! || failed=1
cat "$work"/*
[ -z "$failed" ] || exit 1
states=$(sed -n 's/^\([0-9]*\) crash states .*/\1/p' "$work"/* | awk '{ sum += $1 } END { print sum + 0 }')
echo "$states crash states"
[ "$states" -ge "$wanted" ] || { echo "fewer than $wanted"; exit 1; }
