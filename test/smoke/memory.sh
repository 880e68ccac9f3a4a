#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# memory.sh: a machine that is too small says who wanted how much and which memory would do; with that the image is ready.
# timeout: 120
. "$(dirname "$0")/machine.sh"
image=$CAPOS_BUILD/hello/hello.elf
NET="-netdev user,id=net -device virtio-net-pci,netdev=net,romfile="

for small in 4 5; do
    # shellcheck disable=SC2086
    MEMORY=$small boot "$image" q35 "" $DEBUG_EXIT $NET
    expect_status "$FAILED" "$small MiB"
    expect_line 'error: too little memory: [a-z/-]+ needs [1-9][0-9]* KiB for its .*; [0-9]+ of [0-9]+ KiB are free' "$small MiB"
    enough=$(sed -n 's/.*`memory \([0-9][0-9]*\)M`.*/\1/p' "$log")
    [ -n "$enough" ] || fail "$small MiB: no word of how much would do"
    [ "$enough" -gt "$small" ] || fail "$small MiB: $enough is no more"
    # It serves until it is killed.
    # shellcheck disable=SC2086
    LIMIT=6 MEMORY=$enough boot "$image" q35 "" $DEBUG_EXIT $NET
    expect_line '^ready hello in' "$enough MiB, which it asked for"
done
