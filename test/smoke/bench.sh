#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# bench.sh: calls and disk reads take no more instructions than test/bench/goals allows, by the counter of make bench. Nothing is
# timed: the counts are the same on any machine. And what make bench says of a row or a kernel that is not there.
# timeout: 120
set -eu
bench=$CAPOS_TOP/test/bench/bench
"$bench" "$CAPOS_TOP" "$CAPOS_BUILD" goals

work=$(mktemp -d "${TMPDIR:-/tmp}/capos-bench-XXXXXX")
trap 'rm -rf "$work"' EXIT
refused() { # TEXT ARGUMENT...
    text=$1
    shift
    if "$@" >"$work/said" 2>&1 || ! grep -qF -- "$text" "$work/said"; then
        echo "FAILED: no word of '$text':" >&2
        cat "$work/said" >&2
        exit 1
    fi
}
refused "no row 'ech'; there are: size boot calls echo disk put bulk list mount" "$bench" "$CAPOS_TOP" "$CAPOS_BUILD" calls,ech
echo no package >"$work/kernel.deb"
refused 'kernel.deb is no Debian package' env CAPOS_BENCH_KERNEL="$work/kernel.deb" "$bench" "$CAPOS_TOP" "$work" calls
echo ok
