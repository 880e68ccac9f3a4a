#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# kill-storm.sh: writers put files of all sizes at once, and QEMU is killed with -9 in the middle, again and again: what was
# acknowledged is there after each boot, whole, or replaced by what the same writer put after it.
# test/deep/kill-storm.sh does it fifty times on each kind of disk.
# timeout: 180
. "$CAPOS_TOP/test/smoke/lib.sh"
store=${STORE:-store}
WRITERS=3
NAMES=4 # of each writer
ROUNDS=${ROUNDS:-3}

# content N: a file that says which it is in each of its lines; of 0 to 300,000 bytes.
content() { yes "this is number $1 of all" | head -c $(($1 * 7919 % 300000)); }
# writer W FIRST: puts until its node is gone. Each line of `begun.W` is "NAME N"; acknowledged ones go to the FIFO too.
writer() {
    n=$2
    while :; do
        name=w$1-$((n % NAMES))
        content "$n" >"file.$1"
        echo "$name $n" >>"begun.$1"
        "$capos" put "$store" "$name" "file.$1" --timeout 60 >/dev/null 2>"err.$1" || break
        echo "$name $n" >>"acked.$1"
        echo "$1" >&8
        n=$((n + 1))
    done
    grep -Eq '^capos: (disconnected|unreachable):' "err.$1" || { echo "writer $1: $(cat "err.$1")" >wrong; echo end >&8; }
}
last() { awk -v name="$2" '$1 == name { n = $2 } END { print n + 0 }' "$1"; }
# One of those from the last acknowledged one to the last that was begun; 0: none.
check_name() {
    from=$(last "acked.$1" "$2")
    to=$(last "begun.$1" "$2")
    got=0
    "$capos" get "$store" "$2" back >out 2>err || got=$?
    if [ "$got" = 1 ] && [ "$from" = 0 ] && grep -q not-found: err; then
        return
    fi
    [ "$got" = 0 ] || fail "round $round: $2, acknowledged as $from, cannot be had: $(cat err)"
    n=$from
    while [ "$n" -le "$to" ]; do
        content "$n" >expected
        ! cmp -s expected back || break
        n=$((n + NAMES))
    done
    [ "$n" -le "$to" ] || fail "round $round: $2 is none of $from to $to"
    rm -f back
}
check_all() {
    for w in $(seq $WRITERS); do
        for i in $(seq 0 $((NAMES - 1))); do
            check_name "$w" "w$w-$i"
        done
    done
}

mkfifo acks
exec 8<>acks # so that nobody waits for the other end
for w in $(seq $WRITERS); do
    : >"begun.$w"
    : >"acked.$w"
done
round=1
expect 0 up "$store" --disk-size 256M
while [ "$round" -le "$ROUNDS" ]; do
    pids=
    for w in $(seq $WRITERS); do
        writer "$w" $(($(wc -l <"begun.$w") + NAMES)) &
        pids="$pids $!"
    done
    count=$((1 + round * 5 % 13)) # acknowledged ones that the cut waits for
    while [ "$count" -gt 0 ] && read -r ack <&8 && [ "$ack" != end ]; do
        count=$((count - 1))
    done
    kill -9 "$(pid_of "$store")"
    # shellcheck disable=SC2086
    wait $pids
    [ ! -e wrong ] || fail "round $round: $(cat wrong)"
    expect 0 up "$store"
    check_all
    round=$((round + 1))
done
expect 0 "$capos" call "$store" volume.check
out 'faults = 0'
expect 0 "$capos" fleet down
echo "$ROUNDS kills; $(cat acked.* | wc -l) of $(cat begun.* | wc -l) puts were acknowledged, and none of them was lost"
