#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# hostile.sh: nodes that lie, shout, never end or never answer: the terminal gets only printable text, and capos ends.
# timeout: 60
. "$CAPOS_TOP/test/host/lib.sh"
# printable FILE: one line break a line and nothing else that a terminal would obey.
printable() {
    python3 -c '
import sys
for c in open(sys.argv[1], encoding="utf-8", errors="strict").read():
    assert c == "\n" or (c.isprintable() and c not in "\u202e"), "U+%04X reaches the terminal" % ord(c)' "$1" || fail "$1 is not printable"
}

mock --fault rude
expect 0 "$capos" ls "$node"
printable "$work/out"
out 'a?[2J?]0;title???31m???b'
[ "$(wc -l <"$work/out")" = 5 ] || fail "a name has broken its line"
expect 0 "$capos" ls "$node" --json
printable "$work/out"
expect 0 "$capos" logs "$node"
printable "$work/out"
for reason in 'a\x1b[2Jb' 'a\nb: forged' 'a\xc2\x9bb'; do
    expect 1 "$capos" call "$node" echo.fail "(reason = \"$reason\")"
    printable "$work/err"
    [ "$(wc -l <"$work/err")" = 1 ] || fail "a reason has broken its line"
done
expect 1 "$capos" call "$node" echo.fail '{"reason": "\u009b"}' --json
printable "$work/err"
expect 0 "$capos" call "$node" echo.echo '(text = "\x1b\xc2\x9b\xe2\x80\xae")'
[ "$(cat "$work/out")" = '(text = "\x1b\xc2\x9b\xe2\x80\xae")' ] || fail "text is not escaped so that it can be read back"
expect 0 "$capos" call "$node" echo.echo '{"text": "\u001b\u009b\u202e"}' --json
printable "$work/out"
[ "$(json 'd["text"] == "\u001b\u009b\u202e"')" = True ] || fail "JSON is not escaped so that it can be read back"
expect 1 "$capos" call "$node" node.get '(name = "x")'
printable "$work/err"

# without an end
mock --fault many-caps=100000
expect 1 "$capos" ls "$node"
err 'lists 100005 capabilities'
mock --fault endless-log
expect 1 "$capos" logs "$node"
err 'does not end'
mock --fault crumbs
expect 1 "$capos" describe "$node" echo
err "the image's schema is cut short"

# without an answer
mock --fault stall
expect 3 "$capos" call "$node" echo.delay '(milliseconds = 1)' --timeout 1
err 'no answer for 1 s'

# overloaded: what may be asked twice is; a method only when the user says that it may
mock --fault overloaded-list=2 --fault overloaded-schema=2 --fault overloaded-node-get=2 --fault overloaded-echo=2
expect 1 "$capos" call "$node" echo.echo '(text = "x")'
err 'overloaded: busy; try again later'
expect 0 "$capos" call "$node" echo.echo '(text = "x")' --retry

# the state directory: a link, or one that others may write, could lead our commands to their console
mkdir "$work/theirs"
ln -s "$work/theirs" "$work/link"
expect 1 "$capos" fleet status --state "$work/link"
err 'is not a directory that only you may write'
umask 0
expect 0 "$capos" fleet status --state "$work/made"
[ "$(stat -c %a "$work/made")" = 700 ] || fail "the state directory has the mode $(stat -c %a "$work/made")"
