#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# files.sh: every verb for files against a real image, across a kill -9: what was acknowledged is there, what is read is what was
# written, and a tar out of one node goes into another.
# timeout: 240
. "$CAPOS_TOP/test/smoke/lib.sh"
mkdir -p tree/sub/deeper tree/empty
echo one >tree/one
: >tree/sub/nothing
head -c 3000000 /dev/urandom >tree/sub/large
head -c 70000 /dev/urandom >tree/middle
for i in $(seq 150); do echo "file $i" >"tree/sub/deeper/$i"; done
same() { diff -r "$1" "$2" >difference || fail "$1 and $2 differ: $(cat difference)"; }

expect 0 up store
expect 0 "$capos" put -r store /t tree
out '154 files and 3 directories'
expect 0 "$capos" ls store t/sub/deeper --json
[ "$(json 'len(d["entries"])')" = 150 ] || fail "a page was lost or came twice"
expect 0 "$capos" ls store t -l
out "$(sha256sum <tree/middle | cut -c 1-64) middle"
expect 0 "$capos" stat store t/sub/large
out 'size     3000000'
expect 0 "$capos" put store /again tree/sub/large
out 'which the node had'
expect 0 "$capos" snapshot store before
expect 0 "$capos" snapshot store --list --json
generation=$(json 'int(d["snapshots"][0]["generation"])')

# A watch is told of what happens once it stands, which it says.
mkfifo said told
"$capos" watch store / >told 2>said &
watching=$!
exec 7<told 6<said
read -r _ <&6
expect 0 "$capos" mkdir store w
read -r line <&7
[ "$line" = w ] || fail "the watch told of '$line'"
kill "$watching"
wait "$watching" || :
expect 1 "$capos" mkdir store w
err 'exists:'

expect 0 "$capos" mv store t/one t/two
expect 1 "$capos" mv store t/two t/middle -n
err 'exists:'
expect 1 "$capos" rm store t
err 'not-empty:'
expect 0 "$capos" rm store -r t/sub again
expect 1 "$capos" stat store t/sub/large
err 'not-found:'
expect 0 "$capos" stat store t/sub/large --at "$generation"

# The disk without its image: not while that runs.
expect 1 "$capos" disk check disk
err 'busy:'
pid=$(pid_of store)
kill -9 "$pid"
gone "$pid"
expect 0 "$capos" disk check disk
out 'disk: sound'
expect 0 "$capos" disk export disk offline.tar --at "$generation"
mkdir offline
tar -C offline -xf offline.tar
same tree offline/t
cmp tree/sub/large offline/again || fail "a file comes out otherwise"

expect 0 up store
expect 1 "$capos" stat store t/sub
expect 0 "$capos" stat store t/two
expect 0 "$capos" get -r store t back --at "$generation"
same tree back
expect 0 "$capos" export store t tree.tar --at "$generation"
mkdir unpacked
tar -C unpacked -xf tree.tar
same tree unpacked
expect 0 "$capos" snapshot store --drop "$generation"
expect 1 "$capos" ls store / --at "$generation"
expect 0 "$capos" import store tree.tar /restored
rm -r back
expect 0 "$capos" get -r store restored back
same tree back
expect 0 "$capos" export store - >/dev/null
expect 0 "$capos" snapshot store --list --json
[ "$(json 'len(d["snapshots"])')" = 0 ] || fail "the export's snapshot was left"
expect 0 "$capos" rm store -r t restored w
expect 0 "$capos" ls store /
[ ! -s out ] || fail "something was left: $(cat out)"
expect 0 "$capos" fleet down
expect 0 "$capos" disk check disk
