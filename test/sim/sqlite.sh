#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# sqlite.sh: SQLite in an image as a process: twice on one disk.
# timeout: 60
set -eu
image=$CAPOS_BUILD/sqlite/sqlite.sim
work=$(mktemp -d "${TMPDIR:-/tmp}/capos-sim-XXXXXX")
trap 'rm -rf "$work"' EXIT
truncate -s 64M "$work/disk"
for n in 0 100; do
    status=0
    timeout -s KILL 50 "$image" --disk "$work/disk" </dev/null >"$work/log" 2>&1 || status=$?
    if [ "$status" != 0 ] || ! grep -q "@ open $n\$" "$work/log" || ! grep -q 'sqlite-test: PASS' "$work/log"; then
        echo "FAILED: status $status, '@ open $n' was expected" >&2
        tail -n 40 "$work/log" >&2
        exit 1
    fi
done
