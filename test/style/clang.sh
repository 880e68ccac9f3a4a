#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# clang.sh: every source of every checked image under clang with -Wthread-safety (the rooms of docs/ROOMS.md) and all
# warnings as errors; and gcc, the image compiler, left no warning either.
# timeout: 300
set -eu
: "${CAPOS_TOP:=$(cd "$(dirname "$0")/../.." && pwd)}" "${CAPOS_BUILD:=$CAPOS_TOP/build}" "${CAPOS_CHECKED=bare}"
command -v clang >/dev/null || { echo "no clang"; exit 77; }
cd "$CAPOS_BUILD/.."
include=$(clang -print-resource-dir)/include
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# One command for each source of ours: the image's where there is one, else the simulator's.
for profile in $CAPOS_CHECKED; do
    for flavor in elf sim; do find "build/$profile/$flavor" -name '*.o.json' 2>/dev/null; done
done | while read -r json; do cat "$json"; done | sed -n 's/^{"directory": "[^"]*", "file": "\([^"]*\)", "arguments": \["\(.*\)" *\]},$/\1\t\2/p' |
    awk -F '\t' '!seen[$1]++ && $1 !~ /\.S$|^build\/deps\// { print $2 }' | sed -e "s/'/'\\\\''/g" -e "s/\", \"/' '/g" -e "s/^/'/" -e "s/\$/'/" -e 's/\\\(["\]\)/\1/g' |
    sed -e 's/^[^ ]*/clang -fsyntax-only -Werror -Wthread-safety -Wno-unused-command-line-argument -Wno-ignored-attributes/' \
        -e "s/ '-M[MDP]*'//g" -e "s/ '-c' '-o' '[^']*'//" -e "s/ '-ftrivial-auto-var-init=zero'//" -e "s,'-isystem' '[^ ]*gcc[^ ]*include',-isystem $include," >"$work/commands"
[ -s "$work/commands" ] || { echo "nothing was built"; exit 1; }
split -l 1 -a 5 "$work/commands" "$work/one."
failed=0
ls "$work"/one.* | xargs -P "$(nproc)" -I{} sh -c '. "$1" >"$1.said" 2>&1 || { cat "$1" "$1.said"; exit 1; }' - {} || failed=1

warned=$(find build -name '*.o.warnings' -size +0 2>/dev/null)
for file in $warned; do
    [ ! -s "$file" ] || { echo "$file:"; cat "$file"; failed=1; }
done
echo "$(wc -l <"$work/commands") sources"
exit "$failed"
