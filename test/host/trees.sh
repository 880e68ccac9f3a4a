#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# trees.sh: put -r and get -r: all of a tree, several files at once; what fails is named and the rest goes on; and whatever a node
# says, nothing is written outside of the target.
# timeout: 120
. "$CAPOS_TOP/test/host/lib.sh"
cd "$work"
mkdir -p tree/sub/deeper tree/empty "tree/with blank"
echo one >tree/one
: >tree/sub/nothing
head -c 300000 /dev/urandom >tree/sub/deeper/large
head -c 300001 /dev/urandom >tree/larger
for i in $(seq 40); do echo "file $i" >"tree/with blank/$i"; done
same() { diff -r "$1" "$2" >difference || fail "$1 and $2 differ: $(cat difference)"; }

# all of it, within the window, whatever a node takes at once
for fault in window=16 uploads=3 uploads=1 short-reads page=7; do
    mock --fault "$fault" --fault slow=1
    expect 0 "$capos" put -r "$node" /t tree
    out 'put /t: 44 files and 4 directories'
    rm -rf back
    expect 0 "$capos" get -r "$node" t back
    out 'get t: 44 files and 4 directories'
    same tree back
done

# again: what is there is not moved
expect 0 "$capos" put -r "$node" /t tree --json
[ "$(json 'd["known"], d["files"], d["failed"]')" = "2 44 0" ] || fail "put -r again: $(cat out)"
echo changed >back/one
rm "back/with blank/7"
expect 0 "$capos" get -r "$node" t back --json
[ "$(json 'd["known"], d["files"]')" = "42 44" ] || fail "get -r again: $(cat out)"
same tree back
: >back/more
expect 0 "$capos" get -r "$node" t back
[ -e back/more ] || fail "what the node has not was removed"

# to the directory that everything is in, and under the name that it has there
mock
expect 0 "$capos" put -r "$node" / tree
expect 2 "$capos" get -r "$node" /
err 'say which directory'
expect 0 "$capos" get -r "$node" sub
same tree/sub sub
expect 1 "$capos" get -r "$node" nothing
err 'not-found:'
[ ! -e nothing ] || fail "a directory was made for what is not there"
expect 1 "$capos" get -r "$node" one
err 'not-directory:'
expect 1 "$capos" put -r "$node" /x tree/one
err 'is no directory'
expect 1 "$capos" put "$node" /x tree
err 'is a directory'

# what cannot be put is named, and the rest is put
cp -r tree odd
ln -s /etc/passwd odd/link
mkfifo odd/fifo
: >"odd/$(printf 'latin-1 \351')"
expect 1 "$capos" put -r "$node" /odd odd
err 'capos: skipped: link: is a symbolic link'
err 'capos: skipped: fifo: is neither file nor directory'
err 'capos: bad-argument: latin-1 ?:'
err 'capos: incomplete: 3 were not put'
out '44 files'
expect 1 "$capos" put -r "$node" /odd odd --json
[ "$(grep -c '"path"' err)" = 3 ] && [ "$(json 'd["failed"]')" = 3 ] || fail "put -r --json"

# what cannot be got, too; what stands in the way is left alone
expect 0 "$capos" put "$node" /sub/rotten tree/one
expect 0 "$capos" put "$node" /sub/.capos-part/x tree/one
rm -rf back elsewhere
mkdir -p back elsewhere back/one
ln -s ../elsewhere back/sub
ln -s ../elsewhere/made back/larger
mkfifo back/larger.part
expect 1 "$capos" get -r "$node" / back
err 'capos: exists: sub: back/sub is there and no directory'
err 'capos: skipped: sub/rotten: its directory could not be made'
err 'capos: exists: larger: back/larger is there and no regular file'
err 'capos: exists: one: back/one is there and no regular file'
[ -z "$(ls elsewhere)" ] || fail "a link was followed: $(ls elsewhere)"
same 'tree/with blank' 'back/with blank'
rm -rf back
expect 1 "$capos" get -r "$node" sub back
err 'capos: corrupt: rotten: sub/rotten has a damaged block'
err 'capos: exists: .capos-part'
[ "$(ls back)" = "$(printf 'deeper\nnothing')" ] && [ ! -e back/.capos-part ] || fail "back has $(ls -a back)"
rm -rf back
mkdir -p back/.capos-part
for id in $(seq 100); do ln -s ../../elsewhere/made "back/.capos-part/$id.sha256.new"; done
expect 1 "$capos" get -r "$node" sub back
[ -z "$(ls elsewhere)" ] || fail "a link was followed: $(ls elsewhere)"

# a node that lies about names writes nowhere
for lie in slash up dot empty escape order absolute; do
    mock --fault "lie-$lie" --fault page=3
    expect 0 "$capos" put -r "$node" /t tree
    rm -rf back
    mkdir back
    (cd back && expect 1 "$capos" get -r "$node" t in)
    [ -z "$(ls -A back/in 2>/dev/null)" ] && [ "$(ls -A back)" != x ] || fail "lie-$lie: $(ls -A back/in)"
    [ ! -e x ] && [ ! -e back/x ] || fail "lie-$lie: something was written outside"
done
mock --fault flip-byte=200000
expect 0 "$capos" put -r "$node" /t tree
rm -rf back
expect 1 "$capos" get -r "$node" t back
err 'capos: corrupt: larger: what came has sha256'
err 'capos: incomplete: 2 were not got'
[ ! -e back/larger ] && [ -e back/one ] || fail "a damaged file was kept, or a good one was not"
mock --fault full
expect 1 "$capos" put -r "$node" /t tree
err 'incomplete: 44 were not put'

# the node dies in between: what was done is done, and the next one goes on
mock --fault die-after=1000000
expect 0 "$capos" put -r "$node" /t tree
rm -rf back
expect 3 "$capos" get -r "$node" t back
err 'disconnected:'
[ "$(find back -name '[0-9]*.sha256' | wc -l)" -gt 0 ] || fail "no part was kept"
mock
expect 0 "$capos" put -r "$node" /t tree
expect 0 "$capos" get -r "$node" t back
same tree back
[ ! -e back/.capos-part ] || fail "parts were left"
mock --fault die-after=300000
expect 3 "$capos" put -r "$node" /t tree
err 'disconnected:'

# overloaded for good: said of each file, and the end comes
mock --fault overloaded-put=100000
mkdir two
cp tree/one two
cp tree/one two/again
expect 1 "$capos" put -r "$node" /t two
err 'overloaded: one:'
err 'asked 6 times'

# at a snapshot
mock
mkdir two/below
expect 0 "$capos" put -r "$node" /t two
out 'put /t: 2 files and 1 directory,'
expect 0 "$capos" snapshot "$node"
expect 0 "$capos" rm "$node" -r t
rm -rf back
expect 1 "$capos" get -r "$node" t back
expect 0 "$capos" get -r "$node" t back --at 7
same two back
expect 0 "$capos" get "$node" t/one back/one --at 7

# one bar for all
expect 0 script -qec "'$capos' put -r '$node' /t tree" bar
grep -qF ' of 44 files' bar || fail "no progress bar of a tree on a terminal"
