#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# make coverage: a component of which half is tried has a row that says so, the page names its file, and the objects of the
# folder that it was asked in are not touched.
# timeout: 180
set -eu
: "${CAPOS_TOP:=$(cd "$(dirname "$0")/../.." && pwd)}"
command -v gcovr >/dev/null || { echo "no gcovr"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { printf '%s\n' "$*"; cat "$work/out"; exit 1; }
mkdir "$work/src" "$work/here"
for part in build-scripts components configs configure core deps.lock Makefile.in platform test VERSION; do
    cp -r "$CAPOS_TOP/$part" "$work/src/"
done
half=$work/src/components/lib/half
mkdir -p "$half/test"
cat >"$half/component.conf" <<'END'
component  lib/half
prefix     half_
summary    "Half of it is tried"
source     half.c
test       unit test/half_test.c
END
cat >"$half/half.c" <<'END'
#include "core/assert.h"

int half_of(int x);
int half_of(int x)
{
    ASSERT(x != 7);
    if (x < 0) {
        return -x;
    }
    return x / 2;
}
END
cat >"$half/test/half_test.c" <<'END'
#include "test.h"
#include "../half.c"

int main(void)
{
    CHECK_EQ(half_of(8), 4);
    return test_end();
}
END
cd "$work/here"
"$work/src/configure" hello >"$work/out" 2>&1 || fail "configure"
COVERAGE_T='/lib-half-half$' make coverage >"$work/out" 2>&1 || fail "make coverage"
# One line did not run, and one of the two sides of the `if`; the ASSERT's do not count.
[ "$(awk '$1 == "lib/half" { print $2, $3, $4, $5 }' build/coverage/summary.txt)" = "80.0% 5 50.0% 2" ] || fail "the row of lib/half"
grep -q 'components/lib/half/half.c' build/coverage/index.html || fail "the page does not name the file"
[ -z "$(find build -path build/coverage -prune -o -name '*.o' -print -o -name '*.gc*' -print)" ] || fail "it built outside of its folder"
