#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# crashes-three.sh: as test/sim/crashes.sh, for every sequence of three operations, few disks of each cut, no write failing. Each job says how far it is.
# timeout: 7200
# cost: serial
set -eu
work=$(mktemp -d "${TMPDIR:-/tmp}/capos-deep-XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM HUP
cd "$work"
mkdir build
ln -s "$CAPOS_BUILD/deps" build/deps
"$CAPOS_TOP/configure" "$CAPOS_TOP/test/profiles/crash.profile" --set app/store-load.ops=3 >said 2>&1 || { cat said; exit 1; }
make build/crash/crash.sim build/crash-audit/crash-audit.sim >said 2>&1 || { tail -n 30 said; exit 1; }
jobs=$(nproc)
explore() {
    "$CAPOS_BUILD/sim/explore" --build build --image crash --all --subsets 4 --states 1000000 --job "$1/$jobs" >"out.$1" || touch failed
}
job=0
while [ "$job" -lt "$jobs" ]; do
    explore "$job" &
    job=$((job + 1))
done
wait
cat out.*
[ ! -e failed ]
[ "$(grep -lx "these were all sequences" out.* | wc -l)" -eq "$jobs" ]
states=$(sed -n 's/^\([0-9]*\) crash states .*/\1/p' out.* | awk '{ sum += $1 } END { print sum + 0 }')
echo "$states crash states"
[ "$states" -ge 300000 ]
