#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# network-sim.sh: the same with the image as a Linux process.
# timeout: 120
exec "$CAPOS_TOP/test/smoke/network.sh" sim
