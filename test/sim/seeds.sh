#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# Seeds of the fleets with every fault: each keeps every promise; the first of them, run again, give the same hash; and
# what failed once stays mended.
# timeout: 300
# cost: serial
set -eu
sim="$CAPOS_BUILD/sim/sim --build $CAPOS_BUILD"
fleet=$CAPOS_TOP/test/sim/fleets/store.fleet
$sim --corpus "$CAPOS_TOP/test/sim/fleets/corpus"
seed=1
while [ "$seed" -le 20 ]; do
    first=$($sim --fleet "$fleet" --seed "$seed") || {
        printf '%s\nagain: %s --fleet %s --seed %s --timeline -\n' "$first" "$sim" "$fleet" "$seed"
        exit 1
    }
    again=$($sim --fleet "$fleet" --seed "$seed")
    [ "${first##*hash}" = "${again##*hash}" ] || { printf 'seed %s does not repeat:\n%s\n%s\n' "$seed" "$first" "$again"; exit 1; }
    seed=$((seed + 1))
done
$sim --fleet "$fleet" --seed 1000 --swarm 500
$sim --fleet "${fleet%/*}/tight.fleet" --seed 1000 --swarm 200
$sim --fleet "${fleet%/*}/rpc.fleet" --seed 1000 --swarm 100
$sim --fleet "${fleet%/*}/hostile.fleet" --seed 1000 --swarm 20
