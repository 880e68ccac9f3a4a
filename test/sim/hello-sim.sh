#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# hello-sim.sh: the smallest supported image as a Linux process, reached over TCP through the user network.
# timeout: 60
. "$CAPOS_TOP/test/host/lib.sh"

expect 0 "$capos" fleet up hello --build "$CAPOS_BUILD" --platform sim --detach --lifetime 50
expect 0 "$capos" call hello echo.echo '(text = "hello, process")'
out '(text = "hello, process")'
head -c 60000 /dev/zero | tr '\0' x >"$work/text"
expect 0 "$capos" call hello echo.echo "(text = \"$(cat "$work/text")\")"
[ "$(wc -c <"$work/out")" -gt 60000 ] || fail "a long text does not come back whole"
expect 0 "$capos" fleet down
out 'clean shutdown'
