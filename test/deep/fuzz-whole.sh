#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# fuzz-whole.sh: whole images under libFuzzer (test/fuzz/whole) for ten minutes instead of ten seconds, from a seed of its own.
# timeout: 1200
# cost: serial
set -eu
target=$CAPOS_BUILD/fuzz/run/whole-store
[ -x "$target" ] || { echo "no $target: skipped (no clang)"; exit 77; }
seed=${FUZZ_SEED:-$(date +%s)}
said=$(mktemp)
trap 'rm -f "$said"' EXIT
status=0
FUZZ_SECONDS=${FUZZ_SECONDS:-600} FUZZ_RUNS=-1 FUZZ_SEED=$seed "$CAPOS_TOP/build-scripts/fuzz" "$target" >"$said" 2>&1 || status=$?
if [ "$status" = 0 ]; then tail -n 1 "$said"; else tail -n 80 "$said"; fi
echo "FUZZ_SEED=$seed"
exit "$status"
