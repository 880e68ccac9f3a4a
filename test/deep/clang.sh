#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# clang.sh: images built with clang boot on every machine and serve: faults, threads, drivers, TCP, hello and store.
# timeout: 1800
. "$(dirname "$0")/../smoke/clang.inc"
with_clang "fault ring virtio tcp-echo hello store" boot faults threads power virtio tcp-echo hello-q35 hello-pc hello-microvm console memory \
    store-put-kill-get store-16-clients bad-clients
