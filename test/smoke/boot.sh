#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# boot.sh: the same image boots on q35, pc and microvm, old CPU and new, in 8 MiB and in 5 GiB; the console answers; it lies at
# another place each time, and at a fixed one when asked.
# timeout: 180
. "$(dirname "$0")/machine.sh"
image=$CAPOS_BUILD/fault/fault.elf

expect_boot() {
    expect_status "$CLEAN" "$1"
    head -n 1 "$log" | grep -Eq '^capos fault [^ ]+ [0-9a-f]{40}$' || fail "$1: the first line is not 'capos PROFILE VERSION build-id'"
    expect_line '^ready fault in [0-9]+\.[0-9]{3} s$' "$1"
}

for machine in q35 pc microvm microvm,acpi=off; do
    for CPU in qemu64 max; do
        MEMORY=8
        # shellcheck disable=SC2086
        boot "$image" "$machine" fault=off $DEBUG_EXIT
        expect_boot "$machine $CPU"
    done
done
MEMORY=5000
# shellcheck disable=SC2086
boot "$image" q35 fault=off $DEBUG_EXIT
expect_boot "q35 with 5 GiB"
MEMORY=16

# What a command prints depends on the machine's tables: each must have been read.
for machine in q35 pc microvm; do
    type_commands "$image" "$machine" status mem irq acpi pci devices "cpu until [1-9][0-9]* kHz" halt
    expect_status "$CLEAN" "console on $machine"
    expect_line "^machine +$machine " "console on $machine"
    expect_line '^clock tsc .*[1-9][0-9]+ kHz' "console on $machine"
    expect_line '^protections: W\^X NX WP SMEP SMAP UMIP' "console on $machine"
    expect_line '^ACPI by .BOCHS .: [0-9]+ tables, 0 refused' "console on $machine"
    expect_line '^RAM 0x000100000-0x000f' "console on $machine"
done
type_commands "$image" q35 pci halt
expect_line '8086:29c0' "PCI of q35 by ECAM"

places=$work/places
for _ in 1 2 3; do
    # shellcheck disable=SC2086
    boot "$image" microvm fault=panic $DEBUG_EXIT
    sed -n 's/.*image at \(0x[0-9a-f]*\)$/\1/p' "$log" >>"$places"
done
[ "$(sort -u "$places" | wc -l)" = 3 ] || fail "three boots, and the image was at: $(tr '\n' ' ' <"$places")"
# shellcheck disable=SC2086
boot "$image" microvm "base=fixed fault=panic" $DEBUG_EXIT
expect_line 'image at 0xffffe00000000000$' "base=fixed"

# Without an interrupt controller's help a sleeping loop would hang here; it must neither wake early nor not at all.
for machine in q35 microvm; do
    # shellcheck disable=SC2086
    boot "$image" "$machine" fault=timers $DEBUG_EXIT
    expect_status "$CLEAN" "timers on $machine"
    expect_line 'fault-test: 300 timers' "timers on $machine"
done
