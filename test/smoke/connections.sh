#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# connections.sh: 20,000 connections one after another, each with an answered question; nothing may be used up by them.
# timeout: 280
. "$CAPOS_TOP/test/smoke/lib.sh"
DISKLESS=1
expect 0 up hello
expect 0 python3 "$SRC/test/smoke/wire.py" connections "$(rpc_of hello)" "${CONNECTIONS:-20000}"
cat "$work/out"
answers hello
expect 0 "$capos" fleet down
out 'clean shutdown'
