#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# tcp-echo.sh: TCP from outside, through QEMU's user network: a megabyte intact, half-close, 16 at once, a client that stalls,
# peers that vanish, connections one after another; afterwards the stack holds nothing. SERIAL=70000 for the long run.
# timeout: 300
# cost: serial
. "$(dirname "$0")/machine.sh"
image=$CAPOS_BUILD/tcp-echo/tcp-echo.elf
client=$CAPOS_TOP/test/smoke/tcp_echo.py
LIMIT=280
port=

# Asks the stack what it holds, as often as it takes: the last FIN's answer may still be under way.
wait_nothing_left() {
    for asked in $(seq 100); do
        printf 'net\n' >&3
        await_line "$qemu" "$log.raw" '^  heap bytes ' "$asked" || fail "$machine: QEMU ended before it told what it holds"
        console_done
        [ "$(grep -E '^  (connections|receive buffers held|segments|heap bytes) ' "$log" | tail -n 4 | grep -Ec ' 0 of +[1-9]')" != 4 ] || return 0
    done
    fail "$machine: the stack still holds something"
}
# start MACHINE DEVICE: up to its ready line.
start() {
    machine=$1
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    rm -f "$work/keys" && mkfifo "$work/keys"
    : >"$log.raw"
    # shellcheck disable=SC2086
    timeout -s KILL "$LIMIT" qemu-system-x86_64 -accel tcg -machine "$machine" -m 16 -cpu "${CPU:-max}" -nodefaults -display none \
        -serial stdio -kernel "$image" -netdev "user,id=n,hostfwd=tcp:127.0.0.1:$port-:7007" $2 $DEBUG_EXIT \
        <"$work/keys" >"$log.raw" 2>&1 &
    qemu=$!
    exec 3>"$work/keys"
    await_line "$qemu" "$log.raw" '^ready tcp-echo in ' || { console_done; fail "$machine: it is not ready"; }
}
# try MACHINE DEVICE CASE...
try() {
    start "$1" "$2"
    shift 2
    timeout -s KILL 200 python3 "$client" "127.0.0.1:$port" "$@" || fail "$machine: the client above"
    wait_nothing_left
    ! grep -q 'panic' "$log" || fail "$machine: panic"
    printf 'halt\n' >&3
    status=0
    wait "$qemu" || status=$?
    exec 3>&-
    console_done
    expect_status "$CLEAN" "$machine"
}

try q35 "-device virtio-net-pci,netdev=n,romfile=" echo half_close parallel stall reset "serial=${SERIAL:-3000}"
try pc "-device virtio-net-pci,netdev=n,romfile=,vectors=0" echo half_close parallel "serial=200"
try microvm "-global virtio-mmio.force-legacy=false -device virtio-net-device,netdev=n" echo half_close parallel stall "serial=200"
