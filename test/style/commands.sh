#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# commands.sh: compile_commands.json, for editors: it is JSON, names every C file that is in the image `hello` once, and clang
# accepts each command.
# timeout: 180
set -eu
: "${CAPOS_TOP:=$(cd "$(dirname "$0")/../.." && pwd)}" "${CAPOS_BUILD:=$CAPOS_TOP/build}"
command -v clang >/dev/null || { echo "no clang"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$CAPOS_BUILD/.."
"$CAPOS_TOP/build-scripts/compile-commands" "$work/commands.json" build/hello
# Where an image is is where the linker found its objects: of each, and of what was joined into it, the debug information
# names the source. So this does not ask the files that compile-commands reads.
readelf --debug-dump=info --dwarf-depth=1 build/hello/hello.debug |
    awk '/DW_TAG_compile_unit/ { unit = 1 } unit && / DW_AT_name / { sub(/.*: /, ""); print; unit = 0 }' | sort -u >"$work/units"
python3 - "$work" "$CAPOS_TOP" build <<'END'
import concurrent.futures, json, os, subprocess, sys
work, top, build = sys.argv[1:]
entries = json.load(open(f"{work}/commands.json"))
files = [os.path.realpath(os.path.join(e["directory"], e["file"])) for e in entries]
assert len(set(files)) == len(files), "a file twice"
assert all(map(os.path.exists, files))
def place(unit): # debug information has source paths without the tree's
    return os.path.realpath(unit if os.path.exists(unit) else os.path.join(top, unit))
units = {place(u.strip()) for u in open(f"{work}/units") if u.strip().endswith(".c") and os.path.exists(place(u.strip()))}
assert len(units) > 80, f"only {len(units)} units found in the image"
assert units <= set(files), f"not named: {sorted(units - set(files))}"
def refused(entry):
    if not entry["file"].endswith(".c"):
        return None
    words = entry["arguments"]
    at = words.index("-o")
    words = ["clang", "-fsyntax-only", "-w"] + [w for w in words[1:at] + words[at + 2:] if w not in ("-c", "-MMD", "-MP")]
    ran = subprocess.run(words, cwd=entry["directory"], capture_output=True, text=True)
    return f"{entry['file']}: {ran.stderr[:400]}" if ran.returncode else None
with concurrent.futures.ThreadPoolExecutor(2) as pool:
    bad = [r for r in pool.map(refused, entries) if r]
assert not bad, "\n".join(bad[:3])
print(f"{len(files)} files, {len(units)} of them seen in the image; clang accepts each command")
END
