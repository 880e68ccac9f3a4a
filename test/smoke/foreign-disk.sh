#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# foreign-disk.sh: a disk that is not ours is left alone until the explicit command says otherwise.
# timeout: 90
. "$CAPOS_TOP/test/smoke/lib.sh"
head -c 16777216 /dev/urandom >disk
printf '\353<\220mkfs.fat' | dd of=disk conv=notrunc 2>/dev/null
cp disk before
expect 0 up store
serial 'is not mounted'
expect 0 "$capos" node ls
out 'ill'
out 'store/engine: '
expect 1 "$capos" put store /a "$SRC/test/smoke/wire.py"
expect 1 "$capos" call store volume.format '(confirm = "yes")'
expect 0 "$capos" fleet down
cmp disk before || fail "a foreign disk was written to"

expect 0 up store
expect 0 "$capos" call store volume.format '(confirm = "erase everything")'
expect 0 "$capos" put store /a "$SRC/test/smoke/wire.py"
expect 0 "$capos" node ls --json
[ "$(json 'd["nodes"][0]["healthy"]')" = True ] || fail "a store that was formatted is still ill"
expect 0 "$capos" fleet down
expect 0 up store
expect 0 "$capos" get store /a back
cmp back "$SRC/test/smoke/wire.py" || fail "the file is not what it was"

# what the store does not take, it refuses for good and in words, and nothing of it stays
expect 0 "$capos" call store store.info
cp out info
expect 1 "$capos" put store /large before
err 'capos: full: put: the disk has no room'
expect 1 "$capos" put store "$(printf 'latin-1 \351')" back
err 'is no name: a name is 1 to 255 bytes of UTF-8'
expect 0 "$capos" call store store.info
cmp out info || fail "a refused put left something behind"
expect 0 "$capos" fleet down
