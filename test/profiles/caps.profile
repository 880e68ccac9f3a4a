# SPDX-License-Identifier: MIT OR Apache-2.0
# Threads on rings and capability tables: the simulator's workload for core (test/sim/fleets/caps.fleet).
profile   caps
summary   "Test: threads that use, copy, move and revoke capabilities, and say what they saw"
platform  kvm-q35
memory    8M
status    simulated

component app/cap-load
