#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# threads.sh: app/ring-test on a machine: rings, capabilities, time-outs, preemption in favour of the loop, shared slices.
# timeout: 120
. "$(dirname "$0")/machine.sh"
image=$CAPOS_BUILD/ring/ring.elf

for machine in q35 microvm; do
    # shellcheck disable=SC2086
    MEMORY=8 boot "$image" "$machine" "" $DEBUG_EXIT
    expect_status "$CLEAN" "threads on $machine"
    expect_line 'ring-test: PASS [0-9]{4} checks, 0 failed' "threads on $machine"
done
