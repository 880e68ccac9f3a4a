#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# store-16-clients.sh: sixteen clients put and get at once, each its own file.
# timeout: 120
. "$CAPOS_TOP/test/smoke/lib.sh"
expect 0 up store
client() {
    head -c $((500000 + $1 * 1001)) /dev/urandom >"in.$1"
    "$capos" put store "/c/$1" "in.$1" --connect-timeout 30 --timeout 60 >"log.$1" 2>&1 || return 1
    "$capos" get store "/c/$1" "out.$1" --connect-timeout 30 --timeout 60 >>"log.$1" 2>&1 || return 1
    cmp "in.$1" "out.$1" >>"log.$1" 2>&1
}
clients=
for i in $(seq 16); do
    client "$i" &
    clients="$clients $!"
done
bad=0
for pid in $clients; do wait "$pid" || bad=$((bad + 1)); done
[ "$bad" = 0 ] || fail "$bad of 16 clients failed: $(cat log.*)"
expect 0 "$capos" ls store /c --json
[ "$(json 'len(d["entries"])')" = 16 ] || fail "not 16 names"
expect 0 "$capos" fleet down
