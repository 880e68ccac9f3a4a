#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# crash.sh: what makes `make check` fail. A fuzz target or a unit test that ends with 77 (libFuzzer's word for a crash) has
# failed; only a script may skip itself with 77. And a real libFuzzer target that crashes does fail, and leaves its input.
set -eu
: "${CAPOS_TOP:=$(cd "$(dirname "$0")/../.." && pwd)}"
command -v ctest >/dev/null || { echo "no ctest"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
fail() { echo "$*"; cat said; exit 1; }

# A tree with no test of its own, whose build has one program of each kind.
mkdir -p tree/test/smoke o/build/fuzz/run o/build/test/unit
ln -s "$CAPOS_TOP/build-scripts" tree/build-scripts
script() { printf '#!/bin/sh\nexit %s\n' "$2" >"$1"; chmod +x "$1"; }
checked() { (cd o && env -u L -u T "$@" "$CAPOS_TOP/build-scripts/check" ../tree build) >said 2>&1; }

script o/build/fuzz/run/found 77
script o/build/test/unit/ended 77
if checked FUZZ_TESTS=build/fuzz/run/found; then fail "a fuzz target that ended with 77 passed:"; fi
grep -q 'fuzz-found.*Failed' said || fail "it is not called failed:"
if checked UNIT_TESTS=build/test/unit/ended; then fail "a unit test that ended with 77 passed:"; fi
script tree/test/smoke/absent.sh 77
script o/build/test/unit/ended 0
checked UNIT_TESTS=build/test/unit/ended || fail "a script that skipped itself, beside a test that passed, failed:"
grep -q 'smoke-absent.*Skipped' said || fail "the script is not called skipped:"

command -v clang >/dev/null || { echo "passed, without a real crash: no clang"; exit 0; }
cat >crash.c <<'END'
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 0 && data[0] == 'x') {
        abort();
    }
    return 0;
}
END
clang -fsanitize=fuzzer,address -o o/build/fuzz/run/crash crash.c
rm tree/test/smoke/absent.sh
if checked FUZZ_TESTS=build/fuzz/run/crash; then fail "a crash passed:"; fi
ls o/build/fuzz/run/crash.corpus-crash-* >/dev/null || fail "the input is not there:"
echo passed
