#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# threads.sh: app/ring-test as a process; with --enable-sanitizers every switch of stacks is watched.
# timeout: 60
set -eu
image=$CAPOS_BUILD/ring/ring.sim
work=$(mktemp -d "${TMPDIR:-/tmp}/capos-sim-XXXXXX")
trap 'rm -rf "$work"' EXIT
status=0
timeout -s KILL 50 "$image" </dev/null >"$work/log" 2>&1 || status=$?
if [ "$status" != 0 ] || ! grep -Eq 'ring-test: PASS [0-9]{4} checks, 0 failed' "$work/log"; then
    echo "FAILED: status $status" >&2
    tail -n 40 "$work/log" >&2
    exit 1
fi
