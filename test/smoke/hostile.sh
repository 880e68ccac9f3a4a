#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# hostile.sh: the real image in QEMU beside a disk and a card of ours (vhost-user), each of which lies once a boot: used ids, lengths and
# indices, answers, headers, interrupts, words that change between two reads. Drivers find out or go on; the console answers; no
# panic. LIES=1000 in test/deep/hostile.sh.
# timeout: 120
set -eu
command -v qemu-system-x86_64 >/dev/null || { echo "no qemu-system-x86_64: skipped"; exit 77; }
exec "$CAPOS_BUILD/test/hostile/lie" --build "$CAPOS_BUILD" --seed "${SEED:-1}" --lies "${LIES:-30}"
