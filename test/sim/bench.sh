#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# bench.sh: app/bench ends well as a process too: all its sections, five times each, and the machine halts by itself.
set -eu
work=$(mktemp -d "${TMPDIR:-/tmp}/capos-sim-XXXXXX")
trap 'rm -rf "$work"' EXIT
truncate -s 8M "$work/disk"
timeout -s KILL 50 "$CAPOS_BUILD/bench-local/bench-local.sim" --disk "$work/disk" </dev/null >"$work/log" 2>&1 || {
    cat "$work/log"
    exit 1
}
[ "$(grep -c 'bench: section' "$work/log")" = 50 ] || { cat "$work/log"; exit 1; }
grep -q 'bench: all done' "$work/log"
echo ok
