#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# usage.sh: help, and what is wrong with a command line that makes no sense.
# timeout: 30
. "$CAPOS_TOP/test/host/lib.sh"

expect 0 "$capos" --version
out "capos $(cat "$SRC/VERSION")"
expect 0 "$capos" help
# One table: help, completion and, by this test, the man page have the same verbs and options.
verbs=$(sed -n 's/^  capos //p' "$work/out" | sed -e 's/  .*//' -e 's/ [A-Z[].*//' | sort)
[ "$(echo "$verbs" | grep -c .)" -ge 13 ] || fail "help lists hardly any verbs"
[ "$(sed -n 's/^\.B capos \([a-z ]*\)$/\1/p' "$SRC/docs/man/capos.1" | sort -u | grep -vx 'help')" = "$(echo "$verbs" | grep -vx 'help')" ] ||
    fail "the man page has other verbs than help: $verbs"
{ "$capos" help --completion; cat "$SRC/build-scripts/host/capos/completion.bash"; } >"$work/completion"
echo "$verbs" | while read -r verb; do
    # shellcheck disable=SC2086
    expect 0 "$capos" help $verb
    out "capos $verb"
    for option in $(sed -n 's/^  \(-[a-z-]*\).*/\1/p' "$work/out"); do
        escaped=$(echo "$option" | sed 's/-/\\-/g')
        grep -qF -- "$escaped" "$SRC/docs/man/capos.1" || fail "the man page does not mention $option of $verb"
    done
done || exit 1
expect 0 "$capos" help fleet
out 'capos fleet status'
expect 0 "$capos" call --help
out 'CAP.METHOD'

# completes WORDS...: what bash offers for the last of them.
completes() {
    bash -c '. "$1"; shift; COMP_WORDS=(capos "$@"); COMP_CWORD=$#; _capos; echo "${COMPREPLY[*]}"' - "$work/completion" "$@"
}
mkdir -p "$CAPOS_STATE/alpha"
: >"$CAPOS_STATE/alpha/node.json"
[ "$(completes f)" = fleet ] || fail "no completion of a verb"
[ "$(completes fleet '')" = 'up down status logs' ] || fail "no completion of a verb's second word"
[ "$(completes ls al)" = alpha ] && [ "$(completes fleet logs a)" = alpha ] && [ "$(completes put '')" = alpha ] || fail "no completion of a node"
[ "$(completes fleet down alpha a)" = alpha ] || fail "no completion of a second node"
[ -z "$(completes put alpha a)" ] || fail "a path is completed as a node"
[ "$(completes fleet up --pl)" = --platform ] || fail "no completion of an option"
[ "$(completes fleet up --platform s)" = sim ] || fail "no completion of an option's value"
[ "$(completes help imp)" = import ] || fail "no completion of help"
rm -r "$CAPOS_STATE/alpha"

expect 2 "$capos"
expect 2 "$capos" frobnicate
err "no verb 'frobnicate'"
expect 2 "$capos" fleet
err 'capos fleet up'
expect 2 "$capos" put a
err 'usage: capos put NODE PATH FILE|-'
expect 2 "$capos" ls x --bogus
err "unknown option '--bogus'"
expect 2 "$capos" ls x --timeout
expect 2 "$capos" ls x --timeout soon
expect 2 "$capos" ls x --json=yes
expect 2 "$capos" frobnicate --json
python3 -c "import json; assert json.load(open('$work/err'))['error'] == 'usage'" || fail "the error is no JSON"
mkdir -m 0777 "$work/open"
chmod 0777 "$work/open"
expect 1 "$capos" fleet status --state "$work/open"
err 'denied:'

# A file for `image query` may be anybody's: only a file, of a bounded size, and nothing of it reaches the terminal raw.
expect 1 "$capos" image query /dev/zero
err 'no file of at most 256 MiB, so no image'
expect 1 "$capos" image query "$work"
err 'no file of at most 256 MiB, so no image'
truncate -s 257M "$work/large"
expect 1 "$capos" image query "$work/large"
err 'no file of at most 256 MiB, so no image'
printf '(profile = "x", picture = "\\x1b[2Jpicture")' | capnp encode "$SRC/build-scripts/schema/boot.capnp" BootPackage >"$work/message"
{ printf '\006\000\000\000'; printf "\\$(printf %o "$(wc -c <"$work/message")")\\000\\000\\000"; printf '\001\000\000\000capos\000\000\000'; cat "$work/message"; } >"$work/note"
echo 'int x;' | gcc -x c -c -o "$work/x.o" -
objcopy --add-section .note.capos="$work/note" "$work/x.o"
expect 0 "$capos" image query "$work/x.o"
out '?[2Jpicture'
