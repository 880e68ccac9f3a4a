#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# What the simulator is asked wrongly it refuses and says where: numbers, fleets, a corpus. A fleet without a workload is no failure.
# timeout: 120
set -eu
work=$(mktemp -d "${TMPDIR:-/tmp}/capos-sim-XXXXXX")
trap 'rm -rf "$work"' EXIT
sim="$CAPOS_BUILD/sim/sim --build $CAPOS_BUILD"
fleets=$CAPOS_TOP/test/sim/fleets
# refuses STATUS TEXT ARGUMENT...
refuses() {
    want=$1
    text=$2
    shift 2
    status=0
    $sim "$@" >"$work/out" 2>&1 || status=$?
    if [ "$status" != "$want" ] || ! grep -qF -- "$text" "$work/out"; then
        printf '%s: status %s, not %s with "%s":\n' "$*" "$status" "$want" "$text"
        head -n 3 "$work/out"
        exit 1
    fi
}
for number in -3 99999999999999999999 7x '' ' 7'; do
    refuses 2 "not a number: $number" --fleet "$fleets/store.fleet" --seed "$number"
done
refuses 2 'no swarm: 0' --fleet "$fleets/store.fleet" --swarm 0
unset MAKEFLAGS MFLAGS MAKELEVEL # of the make that runs the tests
! make -C "$CAPOS_BUILD/.." -n sim FLEET=none-such >"$work/out" 2>&1 || { echo "FLEET=none-such is taken"; exit 1; }
grep -q 'FLEET=none-such: there is none; .* store ' "$work/out" || { cat "$work/out"; exit 1; }

# fleet TEXT WHY: WHY is said of the last line.
fleet() {
    printf '%b\n' "$1" >"$work/fleet"
    refuses 2 "$work/fleet:$(wc -l <"$work/fleet"): $2" --fleet "$work/fleet"
}
fleet 'node a store disk=1M disk=2M' "cannot use 'disk=2M'"
fleet 'node a store disk=32X' "cannot use 'disk=32X'"
fleet '# a comment\nnode a store disk=1M\nnode a load load' "two nodes 'a'"
fleet 'node a' "incomplete 'a'"
fleet '# nothing' 'no node in'

# corpus LINE WHY
corpus() {
    printf '# a comment\n%s\n' "$1" >"$work/corpus"
    refuses 3 "$work/corpus$2" --corpus "$work/corpus"
}
corpus 'store.fleet 23' ':2: a line is: FLEET SEED'
corpus 'store.fleet x all' ':2: a line is: FLEET SEED'
corpus 'store.fleet 23 all mmio pci' ':2: a line is: FLEET SEED'
corpus 'store.fleet 23 lss' ':2: no such fault: lss'
corpus 'store.fleet 23 all isa' ':2: no such transport: isa'
corpus '' ': no seed in it'

# The faults that a run says it drew are that run.
$sim --fleet "$fleets/store.fleet" --seed 3 >"$work/all"
$sim --fleet "$fleets/store.fleet" --seed 3 --faults "$(sed -n 's/^faults: //p' "$work/all")" >"$work/list"
[ "$(tail -n 1 "$work/all")" = "$(tail -n 1 "$work/list")" ] || { cat "$work/all" "$work/list"; exit 1; }

$sim --fleet "$fleets/store-alone.fleet" --faults none >"$work/out" || { cat "$work/out"; exit 1; }
