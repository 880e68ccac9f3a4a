#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# fleet-sim.sh: fleet up, logs and down with an image that is a Linux process.
# timeout: 60
. "$CAPOS_TOP/test/host/lib.sh"

image=bare
expect 0 "$capos" fleet up "$image" --build "$CAPOS_BUILD" --platform sim --detach --json --lifetime 50
[ "$(json 'd["nodes"][0]["platform"]')" = sim ] || fail "the platform of a sim node"
pid=$(json 'd["nodes"][0]["pid"]')
expect 1 "$capos" fleet up "$image" --build "$CAPOS_BUILD" --platform sim --detach
err 'exists:'
expect 0 "$capos" fleet logs
out "capos $image $(cat "$SRC/VERSION")"
expect 0 "$capos" fleet down
out 'clean shutdown'
gone "$pid"
mkfifo "$work/typed"
exec 6<>"$work/typed" # for reading too: opening it waits for nobody
background "$capos" fleet up "$image" --build "$CAPOS_BUILD" --platform sim --lifetime 50 <"$work/typed"
read_until 'is ready' <&7
out "ready $image in"
echo halt >&6
wait "$background" || fail "a typed halt ended with $?"
