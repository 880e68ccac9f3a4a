#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# format.sh: the tree is as clang-format 14 leaves it (.clang-format). Another version formats differently: then this is skipped.
# timeout: 120
set -eu
: "${CAPOS_TOP:=$(cd "$(dirname "$0")/../.." && pwd)}"
clang-format --version 2>/dev/null | grep -q 'version 14\.' || { echo "no clang-format 14"; exit 77; }
"$CAPOS_TOP/build-scripts/format" --check
