#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# scrub.sh: a byte of a file rots on the disk while the node is off. A scrub finds it and names the file, no other; a get refuses it;
# to put the same bytes mends it; and Volume.check finds nothing wrong at any time.
# timeout: 120
. "$CAPOS_TOP/test/smoke/lib.sh"

# volume METHOD [PARAMS]: calls it; what it said is in `said`, as JSON.
volume() {
    "$capos" call store "volume.$1" "${2:-{\}}" --json >said 2>&1 || { cat said; fail "volume.$1 failed"; }
}
# says EXPRESSION: of what was said, r, this is true.
says() {
    python3 -c "import json, sys; r = json.load(open('said')); sys.exit(0 if $1 else 1)"
}
# scrub_all: a whole round; its report is in `said`.
scrub_all() {
    volume scrub '{"bytesPerSecond": 1000000000}'
    for _ in $(seq 200); do
        volume scrubbed
        says 'not r["report"]["running"]' && return 0
        sleep 0.1
    done
    fail "the scrub does not end"
}
# nothing_wrong: neither the blocks nor the catalog.
nothing_wrong() {
    scrub_all
    says 'r["report"].get("damagedBlocks", 0) in (0, "0") and not r["report"].get("damaged")' || { cat said; fail "it finds damage"; }
    says 'int(r["report"]["bytes"]) == int(r["report"]["bytesTotal"]) >= 1600000' || { cat said; fail "it did not read everything"; }
    volume check
    says 'int(r.get("faults", 0)) == 0' || fail "the catalog is at fault"
}

head -c 1000000 /dev/urandom >bad
head -c 600000 /dev/urandom >good
up store >/dev/null
expect 0 "$capos" put store /a/bad bad
expect 0 "$capos" put store /a/good good
nothing_wrong
"$capos" fleet down >/dev/null

python3 - "$work/disk" bad <<'END'
import sys
block = open(sys.argv[2], 'rb').read()[100 * 4096:101 * 4096]
with open(sys.argv[1], 'r+b') as disk:
    disk.seek(disk.read().index(block) + 77)
    byte = disk.read(1)
    disk.seek(-1, 1)
    disk.write(bytes([byte[0] ^ 1]))
END

up store >/dev/null
scrub_all
says 'int(r["report"]["damagedBlocks"]) == 1 and len(r["report"]["damaged"]) == 1' || { cat said; fail "it finds something else"; }
says 'r["report"]["damaged"][0] == "blob '"$(sha256sum bad | cut -d ' ' -f 1)"', a/bad"' || { cat said; fail "it names something else"; }
volume info
says 'int(r["info"]["damaged"]) == 1' || { cat said; fail "the damage was not counted"; }
expect 1 "$capos" get store /a/bad back
err 'corrupt: /a/bad: read'
expect 1 "$capos" get store /a/bad back --json
err '"path":"/a/bad"'
expect 0 "$capos" get store /a/good back
cmp good back || fail "the other file is not what it was"
expect 0 "$capos" put store /a/bad bad
expect 0 "$capos" get store /a/bad back
cmp bad back || fail "the file is not what was put"
nothing_wrong
"$capos" fleet down >/dev/null
