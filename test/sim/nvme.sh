#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# nvme.sh: the NVMe driver against the simulator's own controller, which was written from the specification and dies of a driver that
# breaks it: with a message for each queue, with few, with a pin; polled on several queues. Then what lies on the disk is looked at
# from outside.
# timeout: 120
set -eu
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

# run PROFILE TRANSPORT: status in $status, console in $work/log.
run() {
    status=0
    timeout -s KILL 60 "$CAPOS_BUILD/$1/$1.sim" --transport "$2" --device "nvme:$work/disk" --net "dgram:$work/near,$work/far" </dev/null \
        >"$work/log" 2>&1 || status=$?
}
for way in "nvme mmio" "nvme pci:2" "nvme pci:1" "nvme pci:0" "nvme-many pci" "nvme-many pci:0"; do
    # shellcheck disable=SC2086
    run $way
    [ "$status" = 0 ] || fail "$way: status $status"
    grep -q 'virtio-test: all ok' "$work/log" || fail "$way: not all ok"
    grep -q "id 'sim-nvme-0', namespace 1, block 512/4096, .* flush, discard" "$work/log" || fail "$way: another disk"
    # The last round's pattern of place 0: byte i is i*31 + i/509 + 13*39, modulo 256.
    [ "$(head -c 3 "$work/disk" | od -An -tu1 | tr -s ' ')" = " 251 26 57" ] || fail "$way: the disk holds something else"
    truncate -s 0 "$work/disk"
    truncate -s 8M "$work/disk"
done
grep -q '4 queues of 16, 0 vectors' "$work/log" || fail "no four queues on the pin"
echo ok
