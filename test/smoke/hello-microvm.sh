#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# hello-microvm.sh: the smallest supported image on QEMU's microvm, through capos.
# timeout: 60
. "$CAPOS_TOP/test/smoke/hello.inc"
hello microvm
