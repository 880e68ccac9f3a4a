#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# transfer.sh: put and get against a node that behaves, and against ones that do not: the file is right or is not there.
# timeout: 120
. "$CAPOS_TOP/test/host/lib.sh"
cd "$work"
head -c 3000001 /dev/urandom >file
same() { cmp -s "$1" "$2" || fail "$1 and $2 differ"; }

# sizes around a chunk, and a stream without a size
mock --fault window=16
for size in 0 1 65535 65536 65537 1048576; do
    head -c "$size" file >part-of-file
    expect 0 "$capos" put "$node" /s part-of-file
    expect 0 "$capos" get "$node" /s back
    same part-of-file back
done
expect 0 sh -c "cat file | '$capos' put '$node' /a/file -"
expect 0 "$capos" get "$node" /a/file
same file "$work/file"
rm -f back
expect 0 "$capos" get "$node" /a/file -
same file out
expect 0 "$capos" put "$node" /a/file file --json
[ "$(json 'd["size"]')" = 3000001 ] || fail "put --json"
[ "$(json 'd["digest"]')" = "$(sha256sum <file | cut -c 1-64)" ] || fail "the digest of put --json"
expect 1 "$capos" get "$node" /nothing
err 'not-found:'
expect 1 "$capos" put "$node" /x "$work/no-such-file"
expect 1 "$capos" put "$node" /x "$work"
err 'is a directory'
expect 2 "$capos" get "$node" /
expect 1 "$capos" get "$node" / back
err 'is-directory: this is a directory; -r gets all of it'

# a node that says another digest is not believed; one that is damaged on the way is refused by the node
mock --fault wrong-digest
expect 1 "$capos" put "$node" /a file
err 'corrupt: the node says that it has sha256'
mock --fault flip-write=2000000
expect 1 "$capos" put "$node" /a file
err 'corrupt: the upload has another digest than expected'
expect 1 "$capos" get "$node" /a
err 'not-found:'

# what the node has is not sent again; what it has not any more, is
mock
expect 0 "$capos" put "$node" /a file
expect 0 "$capos" put "$node" /b/c file
out 'which the node had'
expect 0 "$capos" put "$node" /b/d file --json
[ "$(json 'd["known"]')" = True ] || fail "put --json says that the bytes were sent again"
expect 0 "$capos" get "$node" b/d back
same file back
mock --fault no-bind
expect 0 "$capos" put "$node" /a file
expect 0 "$capos" put "$node" /b file
! grep -q 'had' out || fail "a blob that could not be bound was not sent"
expect 0 "$capos" get "$node" /b back
same file back

# a byte changed on the way: no file, and nothing to go on from
rm -f back
mock --fault flip-byte=2000000
expect 0 "$capos" put "$node" /a file
expect 1 "$capos" get "$node" /a back
err 'corrupt:'
[ ! -e back ] && [ ! -e back.part ] || fail "a damaged file was kept"

# short answers
mock --fault short-reads
expect 0 "$capos" put "$node" /a part-of-file
expect 0 "$capos" get "$node" /a back
same part-of-file back

# slow, but within the user's patience; then beyond it
mock --fault slow=100
expect 0 "$capos" put "$node" /a part-of-file --timeout 5
mock --fault stall-writes
expect 3 "$capos" put "$node" /a part-of-file --timeout 1
err 'no answer for 1 s'

mock --fault full
expect 1 "$capos" put "$node" /a file
err 'full: no room for the file'
expect 1 "$capos" put "$node" '' file
err 'bad-argument: a name is'
mock --fault deny
expect 1 "$capos" put "$node" /a file
err 'denied:'

# the node dies in the middle of a put
mock --fault die-after=1000000
expect 3 "$capos" put "$node" /a file
err 'disconnected:'
! grep -qF '::' "$work/err" || fail "libkj's source is shown"

# the connection breaks: the put goes on over a new one, as long as that brings it further; also one that is typed again
mock --fault break-every=800000
expect 0 "$capos" put "$node" /a file --json
[ "$(json 'int(d["resumedAt"])')" = 0 ] || fail "what this put itself brought is said to have been there before"
[ "$(grep -c 'capos: put /a: the connection broke (.*); going on over a new one' err)" = 3 ] || fail "not three breaks of 3,000,001 bytes"
mock --fault break-every=1300000 --fault window=16
expect 0 "$capos" put "$node" /b/a file
expect 0 "$capos" put "$node" /b/c file # by its digest
out 'which the node had'
mock --fault break-every=800000 --fault no-keep
expect 3 "$capos" put "$node" /a file
[ "$(grep -c 'going on over a new one' err)" = 2 ] || fail "a put that does not get on was tried another number of times than 3"
err 'disconnected:'
mock --fault tell=900000 --fault slow=20
background "$capos" put "$node" /a file
read -r _ <&8
kill -KILL "$background"
wait "$background" || :
expect 1 "$capos" get "$node" /a
expect 0 "$capos" put "$node" /a file --json
had=$(json 'int(d["resumedAt"])')
[ "$had" -ge 900000 ] && [ "$had" -lt 3000001 ] || fail "went on from $had"
expect 0 "$capos" get "$node" /a/ back
same file back

# what the node kept is not right: all of it is sent once more; a node that boasts is not believed
mock --fault break-every=1600000 --fault once --fault flip-kept
expect 0 "$capos" put "$node" /a file --json
[ "$(json 'int(d["resumedAt"])')" = 0 ] || fail "what was wrong is said to have been there before"
expect 0 "$capos" get "$node" /a back
same file back
mock --fault boast=3000002
expect 1 "$capos" put "$node" /a file
err 'the node says that it has 3000002 bytes of 3000001'

# and in the middle of a get; the next one goes on from there, the one after a change of the blob does not
rm -f back
mock --fault die-after=4500000
expect 0 "$capos" put "$node" /a file
expect 3 "$capos" get "$node" /a back
err 'disconnected: /a: '
[ ! -e back ] && [ -s back.part ] || fail "no part of the file was kept"
had=$(stat -c %s back.part)
mock
expect 0 "$capos" put "$node" /a file
expect 0 "$capos" get "$node" /a back --json
[ "$(json 'int(d["resumedAt"])')" = "$had" ] && [ "$had" -gt 0 ] || fail "did not go on from $had"
same file back
[ ! -e back.part ] && [ ! -e back.part.sha256 ] || fail "a part was left behind"
head -c 1000 file >back.part
echo 'another digest' >back.part.sha256
expect 0 "$capos" get "$node" /a back --json
[ "$(json 'int(d["resumedAt"])')" = 0 ] || fail "went on from a part of another blob"
same file back

# overloaded now and then: asked again; too often: said so, and nothing is bound
mock --fault overloaded-put=2 --fault overloaded-write=1 --fault overloaded-finish=1 --fault overloaded-bind=2 --fault overloaded-node-get=2
expect 0 "$capos" put "$node" /a file
expect 0 "$capos" put "$node" /a file # by its digest
expect 0 "$capos" get "$node" /a back
same file back
mock --fault overloaded-list=2 --fault overloaded-get=2 --fault overloaded-read=3
expect 0 "$capos" put "$node" /a file
expect 0 "$capos" get "$node" /a back
same file back
mock --fault overloaded-write=99
expect 1 "$capos" put "$node" /a file
err 'overloaded: busy; try again later (asked 6 times)'
expect 1 "$capos" get "$node" /a
err 'not-found:'
mock --fault overloaded-read=32 # 16 at once, then 8, 4, 2, 1, 1
expect 0 "$capos" put "$node" /a file
expect 1 "$capos" get "$node" /a back
err 'overloaded: /a: busy; try again later (asked 6 times)'
expect 0 "$capos" get "$node" /a back
same file back

# interrupted: a put leaves the name as it was, a get leaves a part that the next one takes up; both say so
interrupt() { # COMMAND...: once the node has moved enough
    background "$@"
    read -r _ <&8
    kill -TERM "$background"
    got=0
    wait "$background" || got=$?
    [ "$got" = 143 ] || fail "'$*' ended with $got when it was interrupted"
}
mock --fault tell=300000 --fault slow=20
interrupt "$capos" put "$node" /a file
err "capos: interrupted; the node's files are as they were"
expect 1 "$capos" get "$node" /a
err 'not-found:'
rm -f back
mock --fault tell=3300000 --fault slow=20
expect 0 "$capos" put "$node" /a file
interrupt "$capos" get "$node" /a back
err 'goes on from FILE.part'
[ ! -e back ] && [ -e back.part ] || fail "an interrupted get left a file, or no part"
expect 0 "$capos" get "$node" /a back --json
same file back

# where the bytes go: into a directory, to a device as they are, never over another get's part, never onto a full disk
mock
expect 0 "$capos" put "$node" /a/file file
mkdir folder
expect 0 "$capos" get "$node" /a/file folder
same file folder/file
mkfifo pipe
cat pipe >through &
expect 0 "$capos" get "$node" /a/file pipe
wait $!
same file through
[ -p pipe ] || fail "a FIFO was replaced by a file"
: >held.part
expect 1 flock held.part "$capos" get "$node" /a/file held
err 'another capos writes held.part'
mock --fault larger=1000000000000000
expect 0 "$capos" put "$node" /a file
expect 1 "$capos" get "$node" /a new
err 'no room in . for the 909.5 TiB to come'
[ ! -e new ] || fail "a file was begun that has no room"

# content without a digest: it comes as it is, and a part of it is begun anew
mock --fault no-digest
expect 0 "$capos" put "$node" /a file
rm -f back
head -c 1000 file >back.part
echo >back.part.sha256
expect 0 "$capos" get "$node" /a back --json
[ "$(json 'int(d["resumedAt"]), d["digest"]')" = "0 $(sha256sum <file | cut -c 1-64)" ] || fail "a part without a digest was gone on from"
same file back
[ ! -e back.part ] && [ ! -e back.part.sha256 ] || fail "a part was left behind"
: >elsewhere
ln -s elsewhere linked.part
expect 1 "$capos" get "$node" /a linked
[ ! -s elsewhere ] || fail "a link was followed"

# a pipe without an end is not collected beyond what the node has room for
mock --fault room=1000000
expect 1 sh -c "yes | '$capos' put '$node' /a -"
err 'full: standard input holds more than the 976.6 KiB'
expect 1 env TMPDIR=/nonexistent "$capos" put "$node" /a - </dev/null
err '/nonexistent/capos-spool'

# a bar is for terminals
expect 0 "$capos" put "$node" /a file
[ ! -s err ] || fail "there is a progress bar in a file"
expect 0 script -qec "'$capos' put '$node' /a file" bar
grep -qF 'put /a [' bar || fail "no progress bar on a terminal"
grep -qF "$(printf '\r\033[Kput /a: 3000001 bytes')" bar || fail "the bar is not taken away before the last line"
