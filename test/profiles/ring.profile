# SPDX-License-Identifier: MIT OR Apache-2.0
# Threads and rings tried on a machine: prints PASS or FAIL and halts with 0 or 1.
profile   ring
summary   "Test: threads, rings, preemption; says PASS or FAIL and halts"
platform  kvm-q35
memory    8M
status    experiment

component app/ring-test
