#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# Seeds of the fleets with every fault: each keeps every promise; the first of them, run again, give the same hash; and
# what failed once stays mended.
# timeout: 480
# cost: serial
set -eu
sim="$CAPOS_BUILD/sim/sim --build $CAPOS_BUILD"
fleets=$CAPOS_TOP/test/sim/fleets
$sim --corpus "$fleets/corpus"
# repeats FLEET SEED
repeats() {
    first=$($sim --fleet "$1" --seed "$2") || {
        printf '%s\nagain: %s --fleet %s --seed %s --timeline -\n' "$first" "$sim" "$1" "$2"
        exit 1
    }
    again=$($sim --fleet "$1" --seed "$2")
    [ "${first##*hash}" = "${again##*hash}" ] || { printf 'seed %s does not repeat:\n%s\n%s\n' "$2" "$first" "$again"; exit 1; }
}
seed=1
while [ "$seed" -le 12 ]; do
    repeats "$fleets/store.fleet" "$seed"
    repeats "$fleets/caps.fleet" "$seed"
    repeats "$fleets/nvme.fleet" "$seed"
    seed=$((seed + 1))
done
$sim --fleet "$fleets/store.fleet" --seed 1000 --swarm 150
$sim --fleet "$fleets/files.fleet" --seed 1000 --swarm 40
$sim --fleet "$fleets/tight.fleet" --seed 1000 --swarm 60
$sim --fleet "$fleets/reboot.fleet" --seed 1000 --swarm 30
$sim --fleet "$fleets/huge.fleet" --seed 1000 --swarm 10
$sim --fleet "$fleets/nvme.fleet" --seed 1000 --swarm 40
$sim --fleet "$fleets/scsi.fleet" --seed 1000 --swarm 40
$sim --fleet "$fleets/rpc.fleet" --seed 1000 --swarm 100
$sim --fleet "$fleets/storm.fleet" --seed 1000 --swarm 15
$sim --fleet "$fleets/keeper.fleet" --seed 1000 --swarm 15
$sim --fleet "$fleets/hostile.fleet" --seed 1000 --swarm 12
$sim --fleet "$fleets/caps.fleet" --seed 1000 --swarm 600
