#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# bad-clients.sh: clients that send what no client may, stop in the middle or say nothing: only their connections die.
# timeout: 120
. "$CAPOS_TOP/test/smoke/lib.sh"
expect 0 up store
expect 0 "$capos" put store /before "$SRC/test/smoke/wire.py"
expect 0 python3 "$SRC/test/smoke/wire.py" bad "$(rpc_of store)"
answers store
expect 0 "$capos" get store /before after
cmp after "$SRC/test/smoke/wire.py" || fail "the file is not what it was"
expect 0 "$capos" fleet down
out 'clean shutdown'
