#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# faults.sh: whatever goes wrong in an image ends in one panic block and the exit code for it, and the block says what it was;
# a triple fault is never taken for success; capos finds the function.
# timeout: 180
. "$(dirname "$0")/machine.sh"
image=$CAPOS_BUILD/fault/fault.elf
id=$(readelf -n "$image" | sed -n 's/ *Build ID: //p')

# expect_panic WORD REASON: boots with fault=WORD and wants one whole panic block with that reason.
expect_panic() {
    # shellcheck disable=SC2086
    boot "$image" microvm "fault=$1" $DEBUG_EXIT
    expect_status "$PANIC" "fault=$1"
    expect_line "^\*\*\* panic: $2" "fault=$1"
    [ "$(tail -n 1 "$log")" = "PANIC 2 $id" ] || fail "fault=$1: the last line is not 'PANIC code build-id'"
    grep -q "^room [A-Z]*, cpu 0, [0-9]*\\.[0-9]* s after boot, image at 0x[0-9a-f]*\$" "$log" || fail "fault=$1: no line of room, CPU, time and place"
    grep -A 1 '^backtrace:$' "$log" | grep -Eq '^  0x[0-9a-f]{16}$' || fail "fault=$1: no backtrace"
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
"$CAPOS_BUILD/capos" image symbolize "$image" "$log" >"$work/named"
[ "$(sed -n '/^backtrace:/{n;s/^  0x[0-9a-f]* *\([a-z_]*\) .*/\1/p}' "$work/named")" = fault_assert ] || fail "fault=assert: the backtrace does not begin at fault_assert"
sed -n '/^backtrace:/{n;n;p}' "$work/named" | grep -q ' first_turn at ' || fail "fault=assert: fault_assert's caller is not the next line"
expect_panic panic 'asked for by fault=panic$'
expect_panic smash 'stack smashed'
"$CAPOS_BUILD/capos" image symbolize "$image" "$log" >"$work/named"
grep -Eq '^  0x[0-9a-f]{16}  smash at components/app/fault-test/fault_test.c:([0-9]+|\?)' "$work/named" || fail "symbolize does not find smash()" # clang has no line for it
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

# An exception tells all registers; rip less the image's place is where the backtrace begins. The last nine digits, as above.
registers_fit() {
    for name in rip rsp base rbp rax rbx rcx rdx rsi rdi r8 r9 r10 r11 r12 r13 r14 r15 cr2 rflags; do
        grep -Eq "(^|[0-9a-f])  $name +[0-9a-f]{16}( |\$)" "$log" || fail "fault=$1: no register $name"
    done
    register() { sed -En "s/.*(^|  )$1 +[0-9a-f]{7}([0-9a-f]{9}).*/\2/p" "$log" | head -n 1; }
    first=$(sed -n '/^backtrace:$/{n;s/^  0x[0-9a-f]\{7\}//p}' "$log")
    [ "$(((0x$(register rip) - 0x$(register base)) & 0xfffffffff))" = "$((0x$first))" ] || fail "fault=$1: the backtrace does not begin at rip"
    "$CAPOS_BUILD/capos" image symbolize "$image" "$log" >"$work/named"
    grep -Eq "^  0x[0-9a-f]{16}  $2 at components/app/fault-test/fault_test.c:[0-9]+" "$work/named" || fail "fault=$1: symbolize does not find $2"
}
expect_panic divide 'divide error, error 0x0$'
registers_fit divide fault_divide
expect_panic undefined 'invalid opcode, error 0x0$'
registers_fit undefined fault_undefined
for name in rax=11 rbx=12 rcx=13 rdx=14 rsi=15 rdi=16 r8=18 r9=19 r10=1a r11=1b r12=1c r13=1d r14=1e r15=1f; do
    [ "$(register "${name%=*}")" = "0000000${name#*=}" ] || fail "fault=undefined: ${name%=*} is not 0x${name#*=}"
done
# A stack that was written over: the block is whole, and short.
expect_panic frame 'invalid opcode'
registers_fit frame fault_frame
[ "$(grep -c '^  0x' "$log")" -le 2 ] || fail "fault=frame: a backtrace that runs in a circle"
expect_panic lost-frame 'invalid opcode'
registers_fit lost-frame fault_lost_frame
# A panic whose own words fault is told as that fault, once.
expect_panic reason 'page fault: read of an unmapped page at 0x1234567$'

# NMI: what an operator sends to a machine that hangs. It comes to a sleeping CPU, and has a stack of its own.
DEVICES="-monitor unix:$work/monitor,server=on,wait=off"
send_nmi() {
    await_line $$ "$log.raw" '^ready ' || fail "no image is there to be sent an NMI"
    tell_monitor "$work/monitor" nmi
}
: >"$log.raw"
send_nmi &
type_commands "$image" q35
expect_status "$PANIC" "NMI"
expect_line '^\*\*\* panic: NMI, error 0x0$' "NMI"
expect_line '^room LOOP, cpu 0' "NMI"
[ "$(tail -n 1 "$log")" = "PANIC 2 $id" ] || fail "NMI: the last line is not 'PANIC code build-id'"

# Without isa-debug-exit a panic powers off; its block is all that tells it from a clean end (docs/CAVEATS.md).
boot "$image" q35 fault=panic -no-reboot
expect_status 0 "a panic without isa-debug-exit"
[ "$(tail -n 1 "$log")" = "PANIC 2 $id" ] || fail "a panic without isa-debug-exit ends otherwise than in its block"
