#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# missing-devices.sh: without its card, its disk, entropy or memory an image says so and stops; it never runs on silently.
# timeout: 120
. "$CAPOS_TOP/test/smoke/lib.sh"

# refuses TEXT OPTION...: it does not come up, the console says why, and it ends by itself at once.
refuses() {
    text=$1
    shift
    expect 1 up store --deadline 20 "$@"
    cp "$work/err" "$work/refusal"
    serial "$text"
    serial 'boot refused'
    expect 0 "$capos" fleet status store --json
    [ "$(json 'd["nodes"][0]["state"]')" = refused ] || fail "the state of an image that refused to boot"
    expect 1 "$capos" fleet down
}
refuses 'no virtio network device' --no-net
refuses 'no virtio disk' --no-disk
refuses 'no entropy' --no-rng --cpu qemu64
refuses 'too little memory' --memory 5M
serial_hint=$(sed -n 's/.*give this machine `memory \([0-9]*M\)`.*/\1/p' "$work/refusal" | head -n 1)
[ -n "$serial_hint" ] || fail "the refusal does not say how much memory works"
expect 0 up store --memory "$serial_hint"
expect 0 "$capos" fleet down
