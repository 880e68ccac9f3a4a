# SPDX-License-Identifier: MIT OR Apache-2.0
# lib.sh: sourced by the smoke tests that boot a real image under QEMU. test/host/lib.sh says what else there is.
. "$CAPOS_TOP/test/host/lib.sh"
cd "$work"

# up PROFILE OPTION...: boots it in the background, unless DISKLESS with a disk of its own; the node has the profile's name.
up() {
    [ -n "${DISKLESS:-}" ] || set -- "$@" --disk "$work/disk"
    [ -e "$CAPOS_BUILD/$1/$1.elf" ] || fail "there is no image of '$1' in $CAPOS_BUILD"
    "$capos" fleet up "$@" --build "$CAPOS_BUILD" --detach --lifetime "${LIFETIME:-280}"
}
# pid_of NODE, rpc_of NODE: from the fleet's state.
of() {
    "$capos" fleet status "$1" --json >"$work/status"
    python3 -c "import json; print(json.load(open('$work/status'))['nodes'][0]['$2'])"
}
pid_of() { of "$1" pid; }
rpc_of() { of "$1" rpc; }
# serial TEXT: the console has said that since the last start.
serial() { grep -qF -- "$1" "$CAPOS_STATE"/*/serial.log || fail "the console never said '$1'"; }
# answers NODE: it still serves.
answers() {
    "$capos" call "$1" node.info >"$work/out" 2>"$work/err" || fail "$1 does not answer any more"
}
