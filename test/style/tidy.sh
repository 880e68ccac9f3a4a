#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# tidy.sh: build-scripts/tidy.awk holds on the whole tree, and refuses each of its bad samples.
# timeout: 120
set -eu
: "${CAPOS_TOP:=$(cd "$(dirname "$0")/../.." && pwd)}" "${CAPOS_BUILD:=$CAPOS_TOP/build}" "${CAPOS_CHECKED=bare}"
cd "$CAPOS_TOP"
sources() {
    find core components examples platform build-scripts test -type f \( -name '*.c' -o -name '*.h' -o -name '*.S' -o -name '*.c++' \) \
        ! -path '*/samples/*' ! -path '*/refuse/*' | sort
}
# A sample says what must be printed in its last line: "expect: MESSAGE".
failed=0
for sample in test/style/samples/*.c; do
    expected=$(sed -n 's/.*expect: \(.*\) \*\/$/\1/p' "$sample" | tail -n 1)
    said=$(awk -f build-scripts/tidy.awk "$sample" || true)
    case $said in
    *"$expected"*) ;;
    *) printf '%s: expected "%s", said: %s\n' "$sample" "$expected" "$said"; failed=1 ;;
    esac
done
long=$(mktemp -d)
trap 'rm -rf "$long"' EXIT
{ printf '/* SPDX-License-Identifier: MIT OR Apache-2.0\n * long.c: a bad sample.\n */\n'; yes 'int x;' | head -n 998; } >"$long/long.c"
awk -f build-scripts/tidy.awk "$long/long.c" | grep -q 'the file has 1001 lines' || { echo "a file of 1001 lines was accepted"; failed=1; }
# shellcheck disable=SC2046  # no blanks in names
awk -f build-scripts/tidy.awk $(sources) || failed=1
exit "$failed"
