#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# disk-log.sh: test/smoke/disk-log.sh with more operations and all crash states that there are.
# timeout: 1200
OPS=150 STATES=1000000 exec "$CAPOS_TOP/test/smoke/disk-log.sh"
