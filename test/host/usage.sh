#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# usage.sh: help, and what is wrong with a command line that makes no sense.
# timeout: 30
. "$CAPOS_TOP/test/host/lib.sh"

expect 0 "$capos" --version
out "capos $(cat "$SRC/VERSION")"
expect 0 "$capos" help
for verb in 'fleet up' 'fleet down' 'fleet status' 'fleet logs' 'node ls' ls describe call put get 'image query' 'image symbolize' help; do
    grep -q "^  capos $verb\( \|$\)" "$work/out" || fail "help does not mention '$verb'"
done
for verb in 'fleet up' 'node ls' call put; do
    # shellcheck disable=SC2086
    expect 0 "$capos" help $verb
    out "capos $verb"
    grep -q "^\.B capos $verb\$" "$SRC/docs/man/capos.1" || fail "the man page does not mention '$verb'"
done
expect 0 "$capos" help fleet
out 'capos fleet status'
expect 0 "$capos" call --help
out 'CAP.METHOD'

# Every option of every verb is in the man page and known to the completion.
for option in $("$capos" help fleet up | sed -n 's/^  \(--[a-z-]*\).*/\1/p'); do
    grep -qF -- "$(echo "$option" | sed 's/-/\\-/g')" "$SRC/docs/man/capos.1" || fail "the man page does not mention $option"
    grep -qF -- "$option" "$SRC/build-scripts/host/capos/completion.bash" || fail "the completion does not know $option"
done

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
