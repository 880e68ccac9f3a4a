#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# A few of the planted bugs (test/planted): the machinery works, and four checkers see theirs. All of them: make
# check-planted, test/deep/planted.sh.
# timeout: 600
# cost: serial
set -eu
exec env SEEDS=20 "$CAPOS_TOP/test/planted/check" "$CAPOS_TOP" "$CAPOS_BUILD" log-not-flushed kick-lost bind-forgets-previous \
    entered-with-interrupts-on
