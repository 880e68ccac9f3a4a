#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# store-put-kill-get.sh: what was acknowledged survives kill -9 of QEMU in the middle of a second, larger put; the second
# file is then absent or whole.
# timeout: 180
. "$CAPOS_TOP/test/smoke/lib.sh"
store=${STORE:-store}
head -c 67108864 /dev/urandom >first
head -c 100663296 /dev/urandom >second

expect 0 up "$store" --disk-size 256M
expect 0 "$capos" put "$store" /a/f first
"$capos" put "$store" /a/g second >put.out 2>put.err &
put=$!
sleep "${KILL_AFTER:-1}"
kill -9 "$(pid_of "$store")"
got=0
wait "$put" || got=$?
[ "$got" = 3 ] || fail "the put that was cut off ended with $got, not 3 (a fast machine? KILL_AFTER=0.3 kills sooner)"
grep -q 'disconnected:' put.err || fail "the put that was cut off does not say so"

expect 0 up "$store"
expect 0 "$capos" get "$store" /a/f back
cmp first back || fail "the acknowledged file is not what it was"
got=0
"$capos" get "$store" /a/g second-back >"$work/out" 2>"$work/err" || got=$?
case $got in
0) cmp second second-back || fail "the second file is there, but not whole" ;;
1) err 'not-found:' ;;
*) fail "getting the second file ended with $got" ;;
esac

# The node goes on as if nothing had been, and so does the disk after a clean stop.
head -c 1000000 second >third
expect 0 "$capos" put "$store" /a/g third
expect 0 "$capos" fleet down
expect 0 up "$store"
expect 0 "$capos" get "$store" /a/g third-back
cmp third third-back || fail "the third file is not what it was"
expect 0 "$capos" fleet down
