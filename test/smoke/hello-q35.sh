#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# hello-q35.sh: the smallest supported image on QEMU's q35, through capos.
# timeout: 60
. "$CAPOS_TOP/test/smoke/hello.inc"
hello q35
