#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# swarm.sh: new seeds of every fleet, with every fault, one round after another for two hours; those that break a promise are named with
# the line that shows it again, and the rounds go on. SWARM_SECONDS=n: another time. SWARM_SEED=n: where the seeds begin.
# timeout: 9000
# cost: serial
set -eu
fleets=$CAPOS_TOP/test/sim/fleets
work=$(mktemp -d "${TMPDIR:-/tmp}/capos-deep-XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM HUP
seed=${SWARM_SEED:-$(($(date +%s) * 1000))}
until=$(($(date +%s) + ${SWARM_SECONDS:-7200}))
tried=0
broken=0
echo "seeds from $seed on"

# round FLEET COUNT
round() {
    "$CAPOS_BUILD/sim/sim" --build "$CAPOS_BUILD" --fleet "$fleets/$1.fleet" --seed "$seed" --swarm "$2" --go-on >"$work/said" 2>&1 ||
        { cat "$work/said"; broken=$((broken + 1)); }
    tried=$((tried + $2))
}
while [ "$(date +%s)" -lt "$until" ]; do
    while read -r fleet count; do round "$fleet" "$count" </dev/null; done <<'END'
store 60
caps 60
files 30
tight 20
nvme 20
scsi 20
rpc 20
store-alone 20
reboot 10
huge 4
storm 4
keeper 4
hostile 4
END
    seed=$((seed + 1000))
done
echo "$tried seeds, $broken rounds with a broken promise"
[ "$broken" = 0 ]
