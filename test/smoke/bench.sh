#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# bench.sh: calls and disk reads take no more instructions than test/bench/goals allows, by the counter of make bench. Nothing is
# timed: the counts are the same on any machine.
# timeout: 120
set -eu
exec "$CAPOS_TOP/test/bench/bench" "$CAPOS_TOP" "$CAPOS_BUILD" goals
