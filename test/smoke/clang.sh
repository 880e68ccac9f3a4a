#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# clang.sh: an image built with clang boots, answers calls, and faults as it should. test/deep/clang.sh does all images.
# timeout: 300
. "$(dirname "$0")/clang.inc"
with_clang "hello fault" hello-q35 faults
