#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# network.sh: svc/network of an image in QEMU, used from outside: TCP both ways, UDP, limits, and what a killed client leaves.
# timeout: 180
. "$CAPOS_TOP/test/host/lib.sh"

platform=${1:-qemu}
client=$CAPOS_BUILD/test/smoke/network_client
expect 0 "$capos" fleet up network --build "$CAPOS_BUILD" --platform "$platform" --detach --lifetime 170
expect 0 "$capos" fleet status --json
rpc=$(json 'd["nodes"][0]["rpc"]')
listen=$(json '[p["host"] for p in d["nodes"][0]["ports"] if p["name"] == "listen"][0]')
case $listen in *:*) ;; *) listen=127.0.0.1:$listen ;; esac

expect 0 timeout 150 "$client" "$rpc" "$listen"
out 'ok   udp'

# A client that is killed leaves nothing behind.
mkfifo "$work/says"
"$client" "$rpc" "$listen" hold >"$work/says" &
held=$!
mocks="$mocks $held"
read -r said <"$work/says"
[ "$said" = holding ] || fail "the client does not hold: $said"
kill -9 "$held"
expect 0 timeout 60 "$client" "$rpc" "$listen" left
expect 0 "$capos" fleet down
