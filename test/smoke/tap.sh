#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# tap.sh: a real peer: this host's own TCP, over a TAP in a network namespace of the test's own. Through QEMU, whose TAP hands over
# segments with unfinished checksums (receive offload), and through the simulator's TAP wire.
# timeout: 120
# cost: serial
if [ "${1-}" != inside ]; then
    [ -c /dev/net/tun ] && unshare -n ip link show lo >/dev/null 2>&1 && unshare -n ip tuntap add tap0 mode tap 2>/dev/null ||
        { echo "no TAP or no network namespace here: skipped"; exit 77; }
    exec unshare -n "$0" inside
fi
. "$(dirname "$0")/machine.sh"
client=$CAPOS_TOP/test/smoke/tcp_echo.py
image=

# try NAME COMMAND...: the image must come up on tap0 and end by `halt`.
try() {
    name=$1
    shift
    ip tuntap add tap0 mode tap $flags
    ip address add 10.77.0.1/24 dev tap0
    ip link set tap0 up
    rm -f "$work/keys" && mkfifo "$work/keys"
    : >"$log.raw"
    timeout -s KILL 100 "$@" <"$work/keys" >"$log.raw" 2>&1 &
    image=$!
    exec 3>"$work/keys"
    await_line "$image" "$log.raw" '^ready tap in ' || { console_done; fail "$name: it ended before it was ready"; }
    timeout -s KILL 60 python3 "$client" 10.77.0.2:7007 echo half_close parallel serial=100 || fail "$name: the client above"
    printf 'halt\n' >&3
    status=0
    wait "$image" || status=$?
    exec 3>&-
    ip link del tap0
}

flags=
try sim "$CAPOS_BUILD/tap/tap.sim" --net tap:tap0
expect_status 0 sim
flags=vnet_hdr
# shellcheck disable=SC2086
try qemu qemu-system-x86_64 -accel tcg -machine q35 -m 16 -cpu max -nodefaults -display none -serial stdio -kernel "$CAPOS_BUILD/tap/tap.elf" \
    -netdev tap,id=n,ifname=tap0,script=no,downscript=no -device virtio-net-pci,netdev=n,romfile= $DEBUG_EXIT
expect_status "$CLEAN" qemu
