#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# turns.sh: no turn of the store's loop takes more than BOUND instructions while one client puts, lists and gets files, while six put
# at once, nor while the store formats its disk and mounts it. QEMU counts (-icount shift=0): an instruction is a nanosecond of the
# image's clock, however
# slow this machine is, so what the console's `cpu` calls the longest turn's microseconds is thousands of instructions.
# timeout: 60
. "$CAPOS_TOP/test/smoke/lib.sh"
BOUND=6000000 # 2.2 million measured, 4.5 without AVX2: the SHA-256 of a 64-KiB chunk is nearly all of it
LEAST=1000000 # less is not counted: that chunk alone has more

mkfifo keys
exec 6<>keys

# await COUNT TEXT: until the console has said that so many times.
await() {
    await_line "$machine" console "$2" "$1" || { cat console; fail "the console did not say '$2' $1 times"; }
}
# longest TIMES: instructions of the longest turn since the boot; which time it is asked.
longest() {
    echo cpu >&6
    await "$1" '^cpu 0: .* longest [0-9]* us'
    await 1 ', (1000|999)[0-9]{3} kHz; timer ' # the image measured the nanosecond that we speak of
    echo $(($(sed -n 's/^cpu 0: .* longest \([0-9]*\) us.*/\1/p' console | tail -n 1) * 1000))
}
# start, halt: the image, with its console here and its disk kept.
start() {
    : >console
    "$capos" fleet up store --build "$CAPOS_BUILD" --disk "$work/disk" --lifetime 50 --qemu-arg -icount --qemu-arg shift=0 <keys >console 2>&1 &
    machine=$!
    await 1 "^store is ready"
}
halt() {
    echo halt >&6
    wait "$machine" || fail "the store did not end cleanly"
}
bounded() {
    echo "$1: the longest turn had $2 instructions, of $BOUND"
    [ "$2" -le "$BOUND" ] || fail "$1: a turn of $2 instructions"
}

head -c 1000000 /dev/urandom >file
start
expect 0 "$capos" put store /a/f file
expect 0 "$capos" ls store
expect 0 "$capos" get store /a/f back
cmp file back || fail "the file is not what it was"
turn=$(longest 1)
bounded "formatted, put, got" "$turn"
[ "$turn" -ge "$LEAST" ] || fail "a chunk in $turn instructions: they are not counted"
putting=
for i in 1 2 3 4 5 6; do
    "$capos" put store "/a/$i" file >"said.$i" 2>&1 &
    putting="$putting $!"
done
for one in $putting; do wait "$one" || { cat said.*; fail "a put failed"; }; done
bounded "six put at once" "$(longest 2)"
halt

start
expect 0 "$capos" get store /a/f back
cmp file back || fail "the file is not what it was after a boot"
bounded "mounted, got" "$(longest 1)"
halt
