#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# engine.sh: the same as store-put-kill-get.sh, on the engine of decision 0007.
# timeout: 180
STORE=engine
. "$CAPOS_TOP/test/smoke/store-put-kill-get.sh"
