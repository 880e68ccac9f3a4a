#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# power.sh: a clean end without isa-debug-exit is ACPI S5, and reboot reboots, on each machine. Resets are let through here, so
# that a triple fault would boot again and again until the time is over: status 0 is S5 and nothing else.
# timeout: 120
. "$(dirname "$0")/machine.sh"
image=$CAPOS_BUILD/fault/fault.elf

for machine in q35 pc microvm; do
    LIMIT=20
    boot "$image" "$machine" fault=off
    expect_status 0 "S5 on $machine"
    [ "$(grep -c 'capos fault [0-9]' "$log")" = 1 ] || fail "$machine booted more than once on its way to S5"
    LIMIT=4
    boot "$image" "$machine" fault=reboot
    expect_status 137 "reboot on $machine"
    [ "$(grep -c 'capos fault [0-9]' "$log")" -gt 1 ] || fail "$machine did not come back from a reboot"
    if grep -q PANIC "$log"; then fail "$machine panics on its way to a reboot"; fi
done
