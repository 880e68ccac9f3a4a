#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# sbom.sh: the bill of materials of every image that make check builds is SPDX 2.3, names exactly its components and the third-party sources
# that these compile, with what deps.lock says of them; says so when a source is not the locked one; and image and bill are
# the same bytes when they are built somewhere else.
# timeout: 180
set -eu
: "${CAPOS_TOP:=$(cd "$(dirname "$0")/../.." && pwd)}" "${CAPOS_BUILD:=$CAPOS_TOP/build}" "${CAPOS_IMAGES:=hello bare}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "$*"; exit 1; }

cat >"$work/check.py" <<'END'
"""Holds sbom.json of each profile to the profile's picture, the components' own words and deps.lock."""
import glob, hashlib, json, re, sys
top, build, profiles = sys.argv[1], sys.argv[2], sys.argv[3:]
lock = {}
for line in open(f"{top}/deps.lock"):
    if line.startswith("library "):
        name, *pairs = line.split()[1:]
        lock[name] = dict(pair.split("=", 1) for pair in pairs)

def compiled_by(component):
    conf = open(glob.glob(f"{top}/components/{component}/component.conf")[0]).read()
    return set(re.findall(r"^(?:library|include)\s+(\S+)", conf, re.M))

def check_document(bill):
    assert bill["spdxVersion"] == "SPDX-2.3" and bill["dataLicense"] == "CC0-1.0" and bill["SPDXID"] == "SPDXRef-DOCUMENT"
    assert bill["documentNamespace"].startswith("http://") and "#" not in bill["documentNamespace"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", bill["creationInfo"]["created"])
    ids = [p["SPDXID"] for p in bill["packages"]]
    assert len(set(ids)) == len(ids), "an id twice"
    assert all(re.fullmatch(r"SPDXRef-[A-Za-z0-9.-]+", i) for i in ids)
    for p in bill["packages"]:
        assert p["name"] and p["downloadLocation"] and p["licenseDeclared"] and p["filesAnalyzed"] is False
        assert all(re.fullmatch("[0-9a-f]{64}", c["checksumValue"]) for c in p["checksums"]), p["name"]
    for r in bill["relationships"]:
        assert {r["spdxElementId"], r["relatedSpdxElement"]} <= set(ids) | {"SPDXRef-DOCUMENT"}, r

for profile in profiles:
    bill = json.load(open(f"{build}/{profile}/sbom.json"))
    check_document(bill)
    part = {p["name"]: p for p in bill["packages"]}
    image = part.pop(f"{profile}.elf")
    elf = hashlib.sha256(open(f"{build}/{profile}/{profile}.elf", "rb").read()).hexdigest()
    assert image["checksums"][0]["checksumValue"] == elf, f"{profile}: the digest is not the image's"
    components = set(re.findall(r"^ +\d+  ([a-z]+/\S+)", open(f"{build}/{profile}/picture.txt").read(), re.M))
    sources = set().union(*map(compiled_by, components))
    expected = components | sources | {"core", "platform/x86_64"}
    assert set(part) - {"libgcc"} == expected, f"{profile}: {set(part) ^ expected}"
    for name in sources:
        p, locked = part[name], lock[name]
        assert p["versionInfo"] == locked["version"] and p["checksums"][0]["checksumValue"] == locked["dsc-sha256"], name
        assert p["licenseDeclared"] == locked["licence"].replace(",", " OR ") and p["licenseDeclared"] in image["licenseDeclared"]
    held = {r["relatedSpdxElement"] for r in bill["relationships"] if r["relationshipType"] == "CONTAINS"}
    assert held == {p["SPDXID"] for p in part.values()}, f"{profile}: {held}"
    print(f"{profile}: {len(components)} components, third party: {' '.join(sorted(sources)) or 'none'}")
END
if grep -q '^WITH_' "$CAPOS_BUILD/config.mk" || grep -q '^status=replaced' "$CAPOS_BUILD"/deps/*.origin; then
    echo "third-party sources here are not the locked ones: skipped"
    exit 77
fi
# shellcheck disable=SC2086  # a list of names
python3 "$work/check.py" "$CAPOS_TOP" "$CAPOS_BUILD" $CAPOS_IMAGES >"$work/said" || exit 1
cat "$work/said"
grep -q '^hello: .*: lwip mbedtls$' "$work/said" && grep -q '^bare: .*: none$' "$work/said" || fail "hello has two sources, bare none"

# A source that is not the locked one: the bill says what was unpacked.
mkdir "$work/deps" "$work/given"
for name in lwip mbedtls; do cp "$CAPOS_BUILD/deps/$name.origin" "$work/deps"; done
printf 'name=lwip\nversion=2.2.9-1\ndsc-sha256=%064d\nstatus=replaced 2.2.1\n' 7 >"$work/deps/lwip.origin"
echo text >"$work/given/file"
"$CAPOS_TOP/build-scripts/sbom" "$work/sbom.json" "$CAPOS_TOP" "$CAPOS_BUILD/hello" "$work/deps" mbedtls="$work/given"
python3 - "$work/sbom.json" <<'END'
import json, sys
part = {p["name"]: p for p in json.load(open(sys.argv[1]))["packages"]}
lwip, mbedtls = part["lwip"], part["mbedtls"]
assert lwip["versionInfo"] == "2.2.9-1" and lwip["checksums"][0]["checksumValue"] == "%064d" % 7, lwip
assert "has replaced the locked" in lwip["comment"] and lwip["packageFileName"] == "lwip_2.2.9-1.dsc", lwip
assert "versionInfo" not in mbedtls and "nobody vouches" in mbedtls["comment"], mbedtls
END

# Somewhere else, the same bytes.
mkdir -p "$work/some/where/build"
cd "$work/some/where"
"$CAPOS_TOP/configure" bare $(grep -E '^(CC|LD)=|^--enable-' "$CAPOS_BUILD/arguments" || :) >"$work/said" 2>&1 || { cat "$work/said"; exit 1; }
make -s build/bare/sbom.json >"$work/said" 2>&1 || { cat "$work/said"; exit 1; }
cmp build/bare/bare.elf "$CAPOS_BUILD/bare/bare.elf" || fail "the image depends on where it is built"
cmp build/bare/sbom.json "$CAPOS_BUILD/bare/sbom.json" || fail "the bill depends on where it is made"
echo passed
