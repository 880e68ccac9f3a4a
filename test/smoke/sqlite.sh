#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# sqlite.sh: SQLite in an image on a blank disk, on the same disk again, and after kill -9 of QEMU in the middle: each boot verifies that
# all acknowledged transactions are there, whole, and nothing else. A damaged page is found and named.
# timeout: 180
. "$(dirname "$0")/machine.sh"
image=$CAPOS_BUILD/sqlite/sqlite.elf
truncate -s 64M "$work/disk"
disk() { printf '%s' "-drive if=none,id=d,file=$work/disk,format=raw -device virtio-blk-pci,drive=d -device virtio-rng-pci"; }
go() { # WHAT
    # shellcheck disable=SC2046,SC2086
    LIMIT=60 MEMORY=24 boot "$image" q35 "" $DEBUG_EXIT $(disk)
    expect_status "$CLEAN" "$1"
    expect_line 'sqlite-test: PASS' "$1"
}
opened() { sed -n 's/.*@ open \([0-9]*\)$/\1/p' "$log"; }
done_last() { sed -n 's/.*@ done \([0-9]*\)$/\1/p' "$1" | tail -n 1; }

go "a blank disk"
expect_line 'the disk is blank' "a blank disk"
expect_line '@ open 0' "a blank disk"
go "the same disk"
expect_line '@ open 100' "the same disk"

# Killed when it has said that a transaction is done: that one is there.
for count in 1 2 3; do
    before=$(done_last "$log")
    wanted=$((before + count * 20))
    # shellcheck disable=SC2046,SC2086
    timeout -s KILL 60 qemu-system-x86_64 -accel tcg -machine q35 -m 24 -cpu max -nodefaults -display none -serial stdio \
        -pidfile "$work/pid" -kernel "$image" $DEBUG_EXIT $(disk) </dev/null 2>&1 | {
        while IFS= read -r said; do
            printf '%s\n' "$said"
            case $said in *"@ done $wanted"*) break ;; esac
        done
        kill -9 "$(cat "$work/pid")" || fail "it ended before transaction $wanted"
        cat
    } >"$work/killed"
    tr -d '\r' <"$work/killed" >"$work/killed.text"
    last=$(done_last "$work/killed.text")
    [ "${last:-0}" -ge "$wanted" ] || fail "it did not come to transaction $wanted before it was killed"
    go "after kill -9"
    [ "$(opened)" -ge "$last" ] || fail "transaction $last was acknowledged, and $(opened) are there"
    [ "$(opened)" -le $((last + 1)) ] || fail "transaction $last was the last, and $(opened) are there"
done

# A page of the database that rots: block 17 + 1024 of the log + 2 + 2 is the first page, the fourth holds rows.
printf x | dd of="$work/disk" bs=1 seek=$(((17 + 1024 + 2 + 2 + 3) * 4096 + 2000)) conv=notrunc 2>/dev/null
# shellcheck disable=SC2046,SC2086
LIMIT=60 MEMORY=24 boot "$image" q35 "" $DEBUG_EXIT $(disk)
expect_status "$FAILED" "a rotten page"
expect_line 'page 3 of the database, in block 1048, is not what was written there' "a rotten page"
expect_line '@ fail verify' "a rotten page"
