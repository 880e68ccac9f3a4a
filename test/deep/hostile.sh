#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# hostile.sh: a thousand lies of devices: test/smoke/hostile.sh from other seeds.
# timeout: 3600
SEED=1000 LIES=1000 exec "$CAPOS_TOP/test/smoke/hostile.sh"
