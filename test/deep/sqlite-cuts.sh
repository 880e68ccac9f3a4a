#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# sqlite-cuts.sh: sqlite_test with every subset of up to twelve unflushed writes at each cut, and 4,096 of what has more.
# timeout: 3600
set -eu
CRASH_SUBSETS=4096 exec "$CAPOS_BUILD/test/unit/lib-sqlite-sqlite"
