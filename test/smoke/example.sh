#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# example.sh: examples/guests/README.md as written: a component and a profile that stand outside the tree are configured, built,
# tested, booted and called. From a copy, so that nothing is found by standing in the tree.
# timeout: 300
. "$CAPOS_TOP/test/host/lib.sh"
cp -r "$CAPOS_TOP/examples/guests" "$work/mine"
mkdir "$work/o"
cd "$work/o"

expect 0 "$CAPOS_TOP/configure" "$work/mine/guests.profile" "--components=$work/mine"
out "svc/guests"
take_tools
expect 0 make -j2 build/guests/sbom.json build/test/unit/svc-guests-svc_guests
expect 0 build/test/unit/svc-guests-svc_guests
[ "$(python3 -c 'import json; print([p["licenseDeclared"] for p in json.load(open("build/guests/sbom.json"))["packages"] if p["name"] == "svc/guests"])')" = \
    "['MIT OR Apache-2.0']" ] || fail "the bill of materials does not name svc/guests with its licence"

expect 0 "$capos" fleet up guests --detach --lifetime 200
expect 0 "$capos" call guests guests.enter '(name = "Ada")'
out '(number = 1, welcome = "Hello, Ada")'
expect 0 "$capos" call guests guests.last '(count = 5)'
out '(names = ["Ada"])'
for name in Bea Cleo Dora; do expect 0 "$capos" call guests guests.enter "(name = \"$name\")"; done
expect 0 "$capos" call guests guests.last '(count = 5)'
out '(names = ["Dora", "Cleo", "Bea"])'
expect 1 "$capos" call guests guests.enter '(name = "")'
err 'a name has 1 to 63 bytes'
expect 0 "$capos" fleet down
out 'clean shutdown'
grep -Fq "(names = [\"Ada\"])" "$work/mine/README.md" || fail "the example's README shows something else"

# Its own words are held like ours: an edit of the copy is taken, and a mistake in it refused by place.
sed -i 's/^option     welcome text 40 "Welcome"/option     welcome text 3 "Welcome"/' "$work/mine/svc/guests/component.conf"
expect 2 make build/guests/guests.elf
err "$work/mine/svc/guests/component.conf:8:"
