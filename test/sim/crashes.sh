#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# Power cuts: the sequences of two operations (drawn until nearly no new one comes), every cut, every disk that it may leave; and samples of longer sequences.
# 100,000 crash states and more, none of which breaks a promise of the store.
# timeout: 400
# cost: serial
set -eu
run() { "$CAPOS_BUILD/sim/explore" --build "$CAPOS_BUILD" "$@"; }
short=$(run --image crash --seeds 16000)
echo "$short"
run --image crash-nvme --nvme --seeds 200
half=$(mktemp)
trap 'rm -f "$half"' EXIT
run --image crash-long --seeds 1100 --job 0/2 >"$half" 2>&1 &
run --image crash-long --seeds 1100 --job 1/2
wait $! || { cat "$half"; exit 1; }
cat "$half"
