#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# wires.sh: a storage node whose network, disk and entropy have no MSI-X and share one interrupt wire: a file goes in and comes
# out whole, before and after a restart.
# timeout: 120
. "$(dirname "$0")/machine.sh"
image=$CAPOS_BUILD/store/store.elf
capos=$CAPOS_BUILD/capos
truncate -s 32M "$work/disk"
head -c 4000000 /dev/urandom >"$work/file"

# session MACHINE SHELL-COMMAND: boots it, runs the command with its address in $node, halts it.
session() {
    machine=$1
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    rm -f "$work/keys" && mkfifo "$work/keys"
    : >"$log.raw"
    # shellcheck disable=SC2086
    timeout -s KILL 60 qemu-system-x86_64 -accel tcg -machine "$machine" -m 32 -cpu max -nodefaults -display none -serial stdio \
        -kernel "$image" -netdev "user,id=n,hostfwd=tcp:127.0.0.1:$port-:7000" -device virtio-net-pci,netdev=n,romfile=,vectors=0,addr=3 \
        -drive "if=none,id=d,format=raw,file=$work/disk" -device virtio-blk-pci,drive=d,vectors=0,addr=7 \
        -device virtio-rng-pci,vectors=0,addr=b $DEBUG_EXIT <"$work/keys" >"$log.raw" 2>&1 &
    qemu=$!
    exec 3>"$work/keys"
    await_line "$qemu" "$log.raw" '^ready store' || { console_done; fail "$machine: it is not ready"; }
    export capos work node=127.0.0.1:$port
    timeout -s KILL 50 sh -ec "$2" >"$work/out" 2>&1 || { cat "$work/out"; console_done; fail "$machine: $2"; }
    printf 'irq\nhalt\n' >&3
    status=0
    wait "$qemu" || status=$?
    exec 3>&-
    console_done
    expect_status "$CLEAN" "$machine"
    # All three on one vector, and it is what worked.
    [ "$(sed -n 's/^  vector *\([0-9]*\) *[1-9][0-9]*  pci .*/\1/p' "$log" | sort -u | wc -l)" = 1 ] || fail "$machine: the devices are not on one wire"
    [ "$(grep -c '^  vector .*  pci ' "$log")" = 3 ] || fail "$machine: not three devices with an interrupt"
}

for machine in q35 pc; do
    session "$machine" '"$capos" call "$node" volume.format "(confirm = \"erase everything\")"; "$capos" put "$node" /a/f "$work/file"'
    session "$machine" '"$capos" get "$node" /a/f "$work/back"'
    cmp "$work/file" "$work/back" || fail "$machine: the file came back otherwise"
    rm -f "$work/back"
done
