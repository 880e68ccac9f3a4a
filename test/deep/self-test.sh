#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# self-test.sh: the self-test of each library in deps.lock passes on the sources of this build, and fails on a copy with a
# mistake in it: so it can decide about a version that replaces the locked one.
# timeout: 900
set -eu
: "${CAPOS_TOP:=$(cd "$(dirname "$0")/../.." && pwd)}" "${CAPOS_BUILD:=$CAPOS_TOP/build}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "$*"; tail -n 20 "$work/log"; exit 1; }

# plant LIBRARY: a mistake that only running the code shows.
plant() {
    case $1 in
    lwip) sed -i 's/pcb->rcv_nxt = seqno + tcplen;/pcb->rcv_nxt = seqno + tcplen + 1;/' "$2/src/core/tcp_in.c" ;;
    mbedtls) sed -i 's/0x428A2F98/0x428A2F99/' "$2/library/sha256.c" ;;
    micropython) sed -i 's/val = (clst \& 1) ? (wc >> 4)/val = (clst \& 1) ? (wc >> 5)/' "$2/lib/oofatfs/ff.c" ;;
    sqlite3) sed -i 's/\*v = ((p\[0\]\&0x7f)<<7) | p\[1\]/*v = ((p[0]\&0x7f)<<6) | p[1]/' "$2/amalgamation/sqlite3.c" ;;
    *) fail "no mistake is planned for $1" ;;
    esac
}
for name in $(sed -n 's/^library  *\([^ ]*\).*/\1/p' "$CAPOS_TOP/deps.lock"); do
    test=$CAPOS_TOP/build-scripts/self-test/$name
    [ -x "$test" ] || { echo "$name has no self-test"; exit 1; }
    cp -r "$CAPOS_BUILD/deps/$name" "$work/good"
    "$test" "$work/good" >"$work/log" 2>&1 || fail "$name: its sources do not pass their self-test"
    tail -n 2 "$work/log"
    rm -rf "$work/good"
    cp -r "$CAPOS_BUILD/deps/$name" "$work/bad"
    plant "$name" "$work/bad"
    ! diff -rq "$CAPOS_BUILD/deps/$name" "$work/bad" >/dev/null || fail "$name: the mistake was not planted"
    if "$test" "$work/bad" >"$work/log" 2>&1; then fail "$name: the self-test passes a library with a mistake"; fi
    rm -rf "$work/bad"
done
echo passed
