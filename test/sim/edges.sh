#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# edges.sh: threads stopped at the edges of the control flow (--enable-edge-preemption): core and its threads bear it, a seed repeats, and
# a race that no point of the source shows is seen. It stands in app/cap-load on purpose: a counter that its threads share without care.
# timeout: 300
# cost: serial
set -eu
unset MAKEFLAGS MFLAGS MAKELEVEL # of the make that runs the tests
fleet=$CAPOS_TOP/test/sim/fleets/caps.fleet
tree=$CAPOS_BUILD/edges
sim="$CAPOS_BUILD/sim/sim --build $tree/build --fleet $fleet"
mkdir -p "$tree/build"
cd "$tree"
[ -e build/deps ] || [ ! -e "$CAPOS_BUILD/deps" ] || ln -s "$CAPOS_BUILD/deps" build/deps
{ "$CAPOS_TOP/configure" "$CAPOS_TOP/test/profiles/caps.profile" --enable-edge-preemption && make "-j$(nproc)" build/caps/caps.sim; } >said 2>&1 ||
    { tail -n 30 said; exit 1; }

# careless FAULTS: at how many of 40 seeds the careless counter lost something.
careless() {
    seed=1
    lost=0
    while [ "$seed" -le 40 ]; do
        said=$($sim --seed "$seed" --faults "$1" --timeline -) || { printf '%s\n' "$said" | tail -n 3; exit 1; }
        # shellcheck disable=SC2046 # two numbers
        set -- "$1" $(printf '%s\n' "$said" | sed -n 's/.*@ cap careless \([0-9]*\) \([0-9]*\)$/\1 \2/p')
        [ "$#" -eq 3 ] || { echo "seed $seed does not count"; exit 1; }
        [ "$2" -eq "$3" ] || lost=$((lost + 1))
        seed=$((seed + 1))
    done
}
careless preempt
[ "$lost" -eq 0 ] || { echo "points of the source show the race in $lost of 40 seeds: it proves nothing of edges"; exit 1; }
careless edge
[ "$lost" -gt 0 ] || { echo "the race was not seen in 40 seeds"; exit 1; }
echo "the race: 0 of 40 seeds by points of the source, $lost of 40 by edges"

seed=1
while [ "$seed" -le 10 ]; do
    first=$($sim --seed "$seed")
    again=$($sim --seed "$seed")
    [ "${first##*hash}" = "${again##*hash}" ] || { printf 'seed %s does not repeat:\n%s\n%s\n' "$seed" "$first" "$again"; exit 1; }
    seed=$((seed + 1))
done
$sim --seed 1000 --swarm 300
