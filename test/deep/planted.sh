#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# planted.sh: every planted bug is seen by some seed, or by the crash explorer.
# timeout: 7200
set -eu
exec env SEEDS=40 "$CAPOS_TOP/test/planted/check" "$CAPOS_TOP" "$CAPOS_BUILD"
