#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# transports.sh: what the devices of a fleet are attached by: each way keeps the promises, the fleet file and the command line have
# their say, the seed has the rest.
# timeout: 120
set -eu
work=$(mktemp -d "${TMPDIR:-/tmp}/capos-sim-XXXXXX")
trap 'rm -rf "$work"' EXIT
sim="$CAPOS_BUILD/sim/sim --build $CAPOS_BUILD"
fleet=$CAPOS_TOP/test/sim/fleets/store.fleet
fail() {
    echo "FAILED: $*" >&2
    exit 1
}

for transport in mmio pci pci:2 pci:1 pci:0; do
    $sim --fleet "$fleet" --seed 3 --faults none --transport "$transport" --timeline "$work/timeline" >"$work/out" ||
        fail "$transport: $(cat "$work/out")"
    [ "$(sed -n 's/.*\* on, //p' "$work/timeline" | sort -u)" = "$transport" ] || fail "$transport: not every node has it"
    tail -n 1 "$work/out" >>"$work/hashes"
done
[ "$(sort -u "$work/hashes" | wc -l)" = 5 ] || fail "two transports gave the same run: $(cat "$work/hashes")"

# The file is above the command line.
sed 's/^node load.*/& transport=pci:1/' "$fleet" >"$work/fleet"
$sim --fleet "$work/fleet" --seed 3 --faults none --transport mmio --timeline "$work/timeline" >"$work/out" || fail "$(cat "$work/out")"
grep -q '\* on, pci:1$' "$work/timeline" && grep -q '\* on, mmio$' "$work/timeline" || fail "the fleet's transport is not taken"

# Seeds draw them all.
seed=1
while [ "$seed" -le 20 ]; do
    $sim --fleet "$CAPOS_TOP/test/sim/fleets/store-alone.fleet" --seed "$seed" --faults none --timeline "$work/timeline" >"$work/out" ||
        fail "seed $seed: $(cat "$work/out")"
    sed -n 's/.*\* on, //p' "$work/timeline" >>"$work/drawn"
    seed=$((seed + 1))
done
[ "$(sort -u "$work/drawn" | wc -l)" = 5 ] || fail "20 seeds drew only: $(sort -u "$work/drawn" | tr '\n' ' ')"

status=0
$sim --fleet "$fleet" --transport isa >/dev/null 2>"$work/err" || status=$?
[ "$status" = 2 ] && grep -q 'no such transport: isa' "$work/err" || fail "a wrong --transport: status $status"
echo 'node a store transport=isa' >"$work/fleet"
status=0
$sim --fleet "$work/fleet" >/dev/null 2>"$work/err" || status=$?
[ "$status" = 2 ] && grep -q ":1: cannot use 'transport=isa'" "$work/err" || fail "a wrong transport=: status $status"
