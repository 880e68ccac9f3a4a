#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# A fixed set of seeds of the store's fleet with every fault: each keeps every promise and, run again, gives the same hash.
# timeout: 120
set -eu
sim=$CAPOS_BUILD/sim/sim
fleet=$CAPOS_TOP/test/sim/fleets/store.fleet
seed=1
while [ "$seed" -le 40 ]; do
    first=$("$sim" --build "$CAPOS_BUILD" --fleet "$fleet" --seed "$seed") || {
        printf '%s\nagain: %s --fleet %s --seed %s --timeline -\n' "$first" "$sim" "$fleet" "$seed"
        exit 1
    }
    again=$("$sim" --build "$CAPOS_BUILD" --fleet "$fleet" --seed "$seed")
    [ "${first##*hash}" = "${again##*hash}" ] || { printf 'seed %s does not repeat:\n%s\n%s\n' "$seed" "$first" "$again"; exit 1; }
    seed=$((seed + 1))
done
echo "40 seeds, each twice"
