#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# faults.sh: whatever goes wrong in an image ends in one panic block and the exit code for it, and the block says what it was;
# a triple fault is never taken for success; capos finds the function.
# timeout: 180
. "$(dirname "$0")/machine.sh"
image=$CAPOS_BUILD/fault/fault.elf

# expect_panic WORD REASON: boots with fault=WORD and wants one whole panic block with that reason.
expect_panic() {
    # shellcheck disable=SC2086
    boot "$image" microvm "fault=$1" $DEBUG_EXIT
    expect_status "$PANIC" "fault=$1"
    expect_line "^\*\*\* panic: $2" "fault=$1"
    tail -n 1 "$log" | grep -Eq '^PANIC 2 [0-9a-f]{40}$' || fail "fault=$1: the last line is not 'PANIC code build-id'"
    [ "$(grep -c '^PANIC ' "$log")" = 1 ] || fail "fault=$1: more than one panic block"
    if grep -q 'went unnoticed' "$log"; then fail "fault=$1 went unnoticed"; fi
}

expect_panic null 'null pointer: page fault: write to an unmapped page at 0x8$'
expect_panic text 'page fault: write to a read-only page'
expect_panic rodata 'page fault: write to a read-only page'
expect_panic relro 'page fault: write to a read-only page'
expect_panic execute 'page fault: execute of a no-execute page'
expect_panic stack 'stack overflow: page fault: write to an unmapped page'
expect_panic thread-stack 'stack overflow: page fault: write to an unmapped page'
expect_line '^room THREAD' "fault=thread-stack"
# It must end in the page below this very stack, not in the next hole further down. The last nine digits: dash has 63 bits.
low_digits() { sed -n "s/.*$1 0x[0-9a-f]*\([0-9a-f]\{9\}\)\$/\1/p" "$log"; }
top=$(low_digits 'bytes of stack at')
end=$(low_digits 'unmapped page at')
[ "$((0x$top - 0x$end))" -le $((8192 + 4096)) ] || fail "fault=thread-stack: no guard page below the stack at ...$top: it ended at ...$end"
expect_panic undefined 'invalid opcode'
expect_panic assert 'fault_test.c:[0-9]+: depth == 1$'
expect_panic panic 'asked for by fault=panic$'
expect_panic smash 'stack smashed'
"$CAPOS_BUILD/capos" image symbolize "$image" "$log" >"$work/named"
grep -Eq '^  0x[0-9a-f]{16}  smash at components/app/fault-test/fault_test.c:[0-9]+' "$work/named" || fail "symbolize does not find smash()"
expect_panic jump 'page fault: jump to an unmapped page at 0x1234567$'
# The caller of a bad pointer is found by what the call left on the stack.
"$CAPOS_BUILD/capos" image symbolize "$image" "$log" >"$work/named"
grep -Eq 'first_turn at components/app/fault-test/fault_test.c:[0-9]+' "$work/named" || fail "symbolize does not find who jumped"

# shellcheck disable=SC2086
boot "$image" microvm fault=triple $DEBUG_EXIT
[ "$status" != "$CLEAN" ] || fail "a triple fault looks like a clean end"
# shellcheck disable=SC2086
boot "$image" microvm fault=failed $DEBUG_EXIT
expect_status "$FAILED" "fault=failed"
