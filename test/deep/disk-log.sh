#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# disk-log.sh: test/smoke/disk-log.sh with more operations and crash states.
# timeout: 1200
OPS=150 STATES=20000 exec "$CAPOS_TOP/test/smoke/disk-log.sh"
