#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# sizes.sh: an image that grew by more than 3 % over test/baseline/sizes is a red build until the file is edited on purpose.
# usage: sizes.sh [--write]
set -eu
: "${CAPOS_TOP:=$(cd "$(dirname "$0")/../.." && pwd)}" "${CAPOS_BUILD:=$CAPOS_TOP/build}"
baseline=$CAPOS_TOP/test/baseline/sizes
grep -q '^CC := gcc$' "$CAPOS_BUILD/config.mk" && [ "$(gcc -dumpversion)" = 12 ] || { echo "sizes are kept for gcc 12"; exit 77; }
weigh() { printf '%s %s %s\n' "$1" "$(size "$CAPOS_BUILD/$1/$1.elf" | awk 'NR == 2 { print $1 }')" "$(wc -c <"$CAPOS_BUILD/$1/$1.elf")"; }
if [ "${1-}" = --write ]; then
    kept=$(grep '^#' "$baseline")
    { printf '%s\n' "$kept"; for profile in hello store; do weigh "$profile"; done; } >"$baseline"
    exit 0
fi
failed=0
grep -v '^#' "$baseline" >/dev/null || { echo "the baseline is empty"; exit 1; }
while read -r profile text elf; do
    case $profile in '#'*) continue ;; esac
    [ -f "$CAPOS_BUILD/$profile/$profile.elf" ] || { echo "$profile was not built"; failed=1; continue; }
    read -r _ is_text is_elf <<END
$(weigh "$profile")
END
    [ "$is_text" -le $((text * 103 / 100)) ] || { echo "$profile: text is $is_text bytes, was $text"; failed=1; }
    [ "$is_elf" -le $((elf * 103 / 100)) ] || { echo "$profile: the ELF is $is_elf bytes, was $elf"; failed=1; }
done <"$baseline"
[ "$failed" = 0 ] || echo "if that is meant: test/style/sizes.sh --write, in the same commit"
exit "$failed"
