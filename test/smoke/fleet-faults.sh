#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# fleet-faults.sh: what the host command says of an image that panics, resets or ends by itself: clean only what was clean, and
# with functions and lines in the backtrace.
# timeout: 120
. "$CAPOS_TOP/test/smoke/lib.sh"
fault() { "$capos" fleet up fault --build "$CAPOS_BUILD" --machine microvm --append "fault=$1" --detach --deadline 30 --lifetime 100; }
# ended STATE: the node has that state, whether it ended before it was ready or behind it.
ended() {
    pid=$(of fault pid)
    [ "$pid" = 0 ] || gone "$pid"
    [ "$(of fault state)" = "$1" ] || fail "the state is '$(of fault state)', not '$1'"
}

fault null >"$work/out" 2>"$work/err" || :
ended panicked
expect 0 "$capos" fleet logs
grep -Eq '^  0x[0-9a-f]{16}  write_to at components/app/fault-test/fault_test.c:[0-9]+.*fault_null' "$work/out" || fail "no function in the backtrace"
expect 0 "$capos" logs fault
out 'fault_null at components/app/fault-test/fault_test.c:'
cp "$CAPOS_STATE/fault/serial.log" "$work/serial"
expect 1 "$capos" fleet down
out 'fault: panicked: the image panicked'
out 'fault_null at components/app/fault-test/fault_test.c:'

# The same by hand; and another build's symbols are no symbols.
expect 0 "$capos" image symbolize "$CAPOS_BUILD/fault/fault.elf" "$work/serial"
out 'fault_null at components/app/fault-test/fault_test.c:'
expect 0 "$capos" image symbolize "$CAPOS_BUILD/hello/hello.elf" "$work/serial"
out '(the image has been built anew since)'

fault triple >"$work/out" 2>"$work/err" || :
ended reset
expect 1 "$capos" fleet down
out 'fault: reset: the machine was reset without a clean end'
fault failed >"$work/out" 2>"$work/err" || :
ended failed
expect 1 "$capos" fleet down
fault off >"$work/out" 2>"$work/err" || :
ended stopped
expect 0 "$capos" fleet down
out 'fault: clean shutdown'
