#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# host-full.sh: the file of a node's disk is sparse, and the host's file system has no room for the rest of it. The node says that its disk
# failed and writes no more, what was acknowledged is read, and with room again its next boot writes: a small tmpfs in a mount namespace of
# the test's own.
# timeout: 120
if [ "${1-}" != inside ]; then
    unshare -Urm mount -t tmpfs none /mnt 2>/dev/null || { echo "no mount namespace here: skipped"; exit 77; }
    exec unshare -Urm "$0" inside
fi
. "$CAPOS_TOP/test/smoke/lib.sh"
let_go() {
    ended=$?
    set +e
    umount -l "$work/small"
    (exit "$ended")
    finish
}
trap let_go EXIT
mkdir small && mount -t tmpfs -o size=24m none small
boot() {
    expect 0 "$capos" fleet up store --build "$CAPOS_BUILD" --detach --disk small/disk --disk-size 128M --lifetime 100
}
head -c 6000000 /dev/urandom >first
head -c 30000000 /dev/urandom >second # more than one extent: the catalogue is written to on the way, too

boot
expect 0 "$capos" put store /first first
expect 1 "$capos" put store /second second
err 'the disk failed'
expect 0 "$capos" get store /first back
cmp first back || fail "what was acknowledged before the host was full is not what it was"
expect 1 "$capos" get store /second back
err 'not-found:'
expect 0 "$capos" node ls
out 'ill'
out 'nothing more is written before the next boot'
expect 0 "$capos" fleet down
expect 0 "$capos" disk check small/disk

mount -o remount,size=100m small
boot
expect 0 "$capos" put store /second second
expect 0 "$capos" get store /second back
cmp second back || fail "what was put once there was room is not what it was"
expect 0 "$capos" fleet down
