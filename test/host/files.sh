#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# files.sh: ls, stat, mkdir, mv, rm, watch and snapshot, against a node that behaves and against ones that lie about names.
# timeout: 120
. "$CAPOS_TOP/test/host/lib.sh"
cd "$work"
names() { expect 0 "$capos" ls "$node" "$@"; tr '\n' ' ' <out; }

mock
expect 0 "$capos" mkdir "$node" a
expect 1 "$capos" mkdir "$node" /a
err 'capos: exists:'
expect 1 "$capos" mkdir "$node" b/c
err 'not-found:'
expect 0 "$capos" mkdir "$node" //b///c/ -p
expect 0 "$capos" mkdir "$node" b/c -p
echo one >one
expect 0 "$capos" put "$node" b/c/one one
[ "$(names /)" = 'a/ b/ ' ] || fail "the names in / are $(cat out)"
[ "$(names b/c)" = 'one ' ] || fail "the names in b/c are $(cat out)"
[ "$(names b/c/one)" = 'one ' ] || fail "ls of a file says $(cat out)"
expect 0 "$capos" ls "$node"
out 'Directory'
expect 2 "$capos" ls "$node" -l
err 'capos ls NODE /'
expect 0 "$capos" ls "$node" b/c -l
out "             4  2023-11-14 22:13:20 (rtc)      $(sha256sum <one | cut -c 1-64) one"
expect 0 "$capos" ls "$node" / --json
[ "$(json 'd["entries"][1]["name"], d["entries"][1]["kind"], len(d["entries"])')" = "b directory 2" ] || fail "ls --json"
expect 0 "$capos" stat "$node" /b/c/one
out 'path     /b/c/one'
out "sha256   $(sha256sum <one | cut -c 1-64)"
expect 0 "$capos" stat "$node" b/c/one --json
[ "$(json 'd["size"], d["changed"]["time"], d["changed"]["clock"], int(d["id"]) > 0')" = "4 2023-11-14T22:13:20.123456789Z rtc True" ] ||
    fail "stat --json"
expect 1 "$capos" stat "$node" nothing
err 'capos: not-found:'
expect 1 "$capos" ls "$node" nothing
for bad in .. a/../b ./a 'a
b' "$(printf 'latin-1 \351')" "$(head -c 256 /dev/zero | tr '\0' x)"; do
    expect 1 "$capos" stat "$node" "$bad"
    err 'capos: bad-argument:'
done
expect 1 "$capos" stat "$node" "$(yes abc | head -n 1100 | tr '\n' /)"
err 'a path of 4399 bytes'

# mv
expect 0 "$capos" mv "$node" b/c/one /two
expect 1 "$capos" mv "$node" two a -n
err 'capos: exists:'
expect 0 "$capos" mv "$node" b a/b
[ "$(names a/b)" = 'c/ ' ] || fail "the directory that was moved has $(cat out)"
expect 1 "$capos" mv "$node" nothing x
err 'not-found:'

# rm: one by one, and trees; what stays is named, and the rest goes
expect 1 "$capos" rm "$node" a
err 'not-empty:'
err '; -r removes all of it'
expect 1 "$capos" rm "$node" two nothing
err 'capos: not-found: nothing:'
err 'capos: incomplete: 1 was not removed'
[ "$(names /)" = 'a/ ' ] || fail "rm left $(cat out)"
expect 1 "$capos" rm "$node" / -r
err 'cannot be removed'
for i in $(seq 30); do expect 0 "$capos" mkdir "$node" "a/d$((i % 5))/e$i" -p; done
expect 0 "$capos" put "$node" a/d1/file one
expect 0 "$capos" put "$node" a/d1/e1/keep one
expect 1 "$capos" rm "$node" -r a
err 'capos: busy: a/d1/e1/keep: somebody writes it'
err 'capos: not-empty: a/d1/e1:'
err 'capos: incomplete: 4 were not removed'
[ "$(names a)" = 'd1/ ' ] && [ "$(names a/d1)" = 'e1/ ' ] || fail "rm -r left $(cat out)"
expect 1 "$capos" rm "$node" -r a --json
tail -n 1 err >out
[ "$(json 'd["error"]')" = incomplete ] || fail "the last line of rm --json"
head -n 1 err >out
[ "$(json 'd["error"], d["path"]')" = "busy a/d1/e1/keep" ] || fail "the first line of rm --json"

# more names than a page, and an overloaded node
mock --fault page=3 --fault overloaded-dir-list=3 --fault overloaded-stat=1 --fault overloaded-remove=2 --fault overloaded-mkdir=1
for i in $(seq 10); do expect 0 "$capos" mkdir "$node" "p/$i" -p; done
[ "$(names p)" = '1/ 10/ 2/ 3/ 4/ 5/ 6/ 7/ 8/ 9/ ' ] || fail "pages were not joined: $(cat out)"
expect 0 "$capos" rm "$node" -r p # two were removed without an answer
expect 1 "$capos" ls "$node" p
mock --fault overloaded-remove=999
expect 0 "$capos" mkdir "$node" p/a -p
expect 1 "$capos" rm "$node" nothing
err 'capos: not-found: nothing:'
mock --fault no-clock
expect 0 "$capos" ls "$node" / -l
expect 0 "$capos" mkdir "$node" a
expect 0 "$capos" stat "$node" a
out 'made     - (unknown)'

# a node that lies about names: nothing of it is believed, and nothing of it reaches the terminal
for lie in slash up dot empty escape order absolute; do
    mock --fault "lie-$lie" --fault page=3
    for i in 1 2 3 4; do expect 0 "$capos" mkdir "$node" "$i"; done
    expect 1 "$capos" ls "$node" /
    err 'capos: corrupt: the node lists '
    [ "$lie" = order ] || err 'and that is no name'
    ! grep -q "$(printf '\033')" out err || fail "an escape sequence reaches the terminal"
    expect 1 "$capos" ls "$node" / --json
    expect 1 "$capos" rm "$node" -r 1 2 3 4 x
done
mock --fault endless-same
for i in 1 2; do expect 0 "$capos" mkdir "$node" "$i"; done
expect 1 "$capos" ls "$node" /
err "the node lists '1' in / behind '2'"
expect 0 "$capos" snapshot "$node"
expect 1 "$capos" snapshot "$node" --list
err 'out of their order'
mock --fault endless-empty
expect 1 "$capos" ls "$node" /
err 'has more names, and lists none'
mock --fault endless-depth
expect 0 "$capos" mkdir "$node" d
expect 1 "$capos" rm "$node" -r d
err 'does not end'

# snapshots
mock
for name in a b c; do
    expect 0 "$capos" mkdir "$node" "$name"
    expect 0 "$capos" snapshot "$node" "with $name"
done
out 'snapshot 9: --at 9 shows it'
[ "$(names / --at 7)" = 'a/ ' ] && [ "$(names / --at 8)" = 'a/ b/ ' ] || fail "--at shows $(cat out)"
expect 0 "$capos" stat "$node" b --at 8
expect 1 "$capos" stat "$node" b --at 7
expect 1 "$capos" ls "$node" / --at 6
err 'not-found: no such snapshot'
expect 0 "$capos" snapshot "$node" --list
[ "$(wc -l <out)" = 3 ] || fail "not three snapshots are listed"
out '         8  2023-11-14 22:13:20 (rtc)      with b'
expect 0 "$capos" snapshot "$node" --drop 8
expect 1 "$capos" snapshot "$node" --drop 8
expect 0 "$capos" snapshot "$node" --list --json
[ "$(json '[s["generation"] for s in d["snapshots"]]')" = '[7, 9]' ] || fail "the snapshots are not 7 and 9"
expect 0 "$capos" snapshot "$node" --json
[ "$(json 'd["generation"]')" = 10 ] || fail "snapshot --json"
expect 2 "$capos" snapshot "$node" label --list
err 'one of them'
expect 2 "$capos" snapshot "$node" --drop seven

# watch: a line a change, as it comes; ends with the node, and says so
watched() { read -r _ <&8; }
mock --fault tell=1
background "$capos" watch "$node" --json
watched
expect 0 "$capos" mkdir "$node" x
read -r line <&7
[ "$(echo "$line" | python3 -c 'import json,sys; print(json.loads(sys.stdin.readline())["path"])')" = x ] || fail "watch said $line"
kill -9 "$mock"
got=0
wait "$background" || got=$?
[ "$got" = 3 ] && grep -q '"disconnected"' err || fail "a watch whose node died ended with $got"
# It asks now and then whether the node is there: a silent connection would be ended, and a machine without power ends none.
mock --fault tell-asked=2
background "$capos" watch "$node" --timeout 2
watched
expect 0 "$capos" mkdir "$node" x
read -r line <&7 || fail "a watch that has asked has ended"
[ "$line" = x ] || fail "a watch that has asked says $line"
kill -TERM "$background"
wait "$background" || :
mock --fault silent-after=1
background "$capos" watch "$node" --timeout 3 --json
got=0
wait "$background" || got=$?
[ "$got" = 3 ] || fail "a watch whose node has gone silent ended with $got"
grep -q '"disconnected".*is silent, asked 2 times: what changed since is not known' "$work/err" || fail "it says $(cat "$work/err")"
mock --fault rude --fault lost
background "$capos" watch "$node" /
watched
expect 0 sh -c "'$capos' mkdir '$node' x 2>/dev/null"
read -r line <&7
[ "$line" = 'a?[2J?b' ] || fail "a name has broken its line: $line"
kill -TERM "$background"
got=0
wait "$background" || got=$?
[ "$got" = 143 ] || fail "an interrupted watch ended with $got"
# whose reader has gone: it ends with the next change
mock
background "$capos" watch "$node" --json
watched
exec 7<&-
expect 0 "$capos" mkdir "$node" x
got=0
wait "$background" || got=$?
[ "$got" = 1 ] || fail "a watch that nobody reads ended with $got"
grep -q 'standard output: Broken pipe' "$work/err" || fail "a watch that nobody reads says $(cat "$work/err")"
expect 1 sh -c "'$capos' ls '$node' / >/dev/full"
err 'standard output: No space left'
