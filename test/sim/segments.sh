#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# segments.sh: how remote calls leave an image, from the frames of a simulated wire: what an image sends at one time on one
# connection is one segment (a Call with the Finish before it), and it does not wait for what went before to be acknowledged.
# timeout: 60
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
"$CAPOS_BUILD/sim/sim" --build "$CAPOS_BUILD" --fleet "$CAPOS_TOP/test/sim/fleets/store.fleet" --seed 1 --faults none --timeline timeline >said || { cat said; exit 1; }
# TIME NODE > tcp FROM > TO FLAGS seq N ack N window N, N bytes
awk '
$4 != "tcp" { next }
{ flow = $5 ">" $7; back = $7 ">" $5; bytes = $(NF - 1); acknowledged[back] = $12 }
bytes == 0 { next }
{
    segments++
    if (bytes < 1460 && small[flow] && at[flow] == $1) { apart++; print "apart: " $0 }
    if (bytes < 1460 && $10 != acknowledged[flow]) { at_once++ }
    small[flow] = bytes < 1460
    at[flow] = $1
}
END {
    printf "%d segments, %d of them small and behind another of the same time, %d small and with something unacknowledged before\n", segments, apart, at_once
    exit segments < 1000 || apart > 0 || at_once < 100
}' timeline
