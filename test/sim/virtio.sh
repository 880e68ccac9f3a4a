#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# virtio.sh: the drivers against the simulator's own device models, which were written from the specification and die of a
# driver that breaks it, by MMIO and by PCI: with a message for each queue, with few, with a pin. Then what lies on the disk is
# looked at from outside.
# timeout: 120
set -eu
image=$CAPOS_BUILD/virtio/virtio.sim
work=$(mktemp -d "${TMPDIR:-/tmp}/capos-sim-XXXXXX")
peer=
trap '[ -z "$peer" ] || kill "$peer" 2>/dev/null; rm -rf "$work"' EXIT
trap 'exit 1' INT TERM HUP
fail() {
    echo "FAILED: $*" >&2
    [ ! -f "$work/log" ] || tail -n 30 "$work/log" >&2
    exit 1
}

truncate -s 8M "$work/disk"
perl "$CAPOS_TOP/test/sim/arp-peer.pl" "$work/far" "$work/near" &
peer=$!
for _ in $(seq 100); do [ ! -S "$work/far" ] || break; sleep 0.05; done

for transport in mmio pci pci:2 pci:1 pci:0; do
    status=0
    timeout -s KILL 60 "$image" --transport "$transport" --disk "$work/disk" --net "dgram:$work/near,$work/far" </dev/null >"$work/log" 2>&1 ||
        status=$?
    [ "$status" = 0 ] || fail "$transport: status $status"
    grep -q 'virtio-test: all ok' "$work/log" || fail "$transport: not all ok"
    # The last round's pattern of place 0: byte i is i*31 + i/509 + 13*39, modulo 256.
    [ "$(head -c 3 "$work/disk" | od -An -tu1 | tr -s ' ')" = " 251 26 57" ] || fail "$transport: the disk holds something else"
    truncate -s 0 "$work/disk"
    truncate -s 8M "$work/disk"
done

# A disk that cannot be written is read-only to the image, which this test takes badly.
chmod a-w "$work/disk"
if [ "$(id -u)" != 0 ]; then
    timeout -s KILL 60 "$image" --disk "$work/disk" --net "dgram:$work/near,$work/far" </dev/null >"$work/log" 2>&1 && fail "read-only"
    grep -q 'read-only' "$work/log" || fail "no word of read-only"
fi

# Neither the device nor the CPU: no keys.
status=0
timeout -s KILL 60 "$image" --no-entropy --disk "$work/disk" --net "dgram:$work/near,$work/far" </dev/null >"$work/log" 2>&1 ||
    status=$?
[ "$status" != 0 ] || fail "went on without entropy"
grep -q 'no entropy, so no keys' "$work/log" || fail "no word of entropy"

# Two processes never have the same disk.
chmod u+w "$work/disk"
(
    exec 9<>"$work/disk"
    flock -n 9 || exit 1
    timeout -s KILL 60 "$image" --disk "$work/disk" </dev/null >"$work/log" 2>&1 9>&- && exit 1
    grep -q 'in use by another process' "$work/log"
) || fail "a locked disk was taken"
echo ok
