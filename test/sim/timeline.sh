#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# The timeline as a picture: XML, a lane for each node, and a mark for all that the same run's text says. To be looked at
# changes no run. A promise that was broken is a mark too, and a name may hold what means something in XML.
# timeout: 60
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fleet=$CAPOS_TOP/test/sim/fleets/store.fleet
run() { "$CAPOS_BUILD/sim/sim" --build "$CAPOS_BUILD" --fleet "$fleet" --seed 1 --transport pci "$@" | tail -n 1; }
unseen=$(run)
drawn=$(run --timeline "$work/run.svg")
written=$(run --timeline "$work/run.txt")
[ "$unseen" = "$drawn" ] && [ "$unseen" = "$written" ] || { printf 'watched, it is another run:\n%s\n%s\n%s\n' "$unseen" "$drawn" "$written"; exit 1; }
dropped=$("$CAPOS_BUILD/sim/sim" --build "$CAPOS_BUILD" --fleet "$fleet" --seed 1 --transport pci --swarm 1 | sed -n 's/.*happened: loss \([0-9]*\).*/\1/p')
python3 - "$work" "$unseen" "$dropped" <<'END'
import collections, re, sys
import xml.etree.ElementTree as xml
work, last, dropped = sys.argv[1:]
text = open(f"{work}/run.txt").read()
root = xml.parse(f"{work}/run.svg").getroot()
ns = "{http://www.w3.org/2000/svg}"
lanes = [lane.find(f"{ns}text").text for lane in root.iter(f"{ns}g") if lane.get("class") == "lane"]
assert lanes == ["world", "store", "load"], lanes
marks = collections.defaultdict(list)
for path in root.iter(f"{ns}path"):
    title = path.find(f"{ns}title")
    if title is not None:
        marks[path.get("class")].append((float(path.get("d")[1:].split()[0]), title.text))
def same(kind, pattern):
    want = sorted(re.findall(rf"^ *([0-9.]+)  {pattern}$", text, re.M))
    have = sorted(title.split(" s, ")[0] for _, title in marks[kind])
    assert want and have == want, f"{kind}: drawn at {have}, was at {want}"
same("cut", r"(?:store|load) +\* (?:power cut|reset)")
same("on", r"(?:store|load) +\* on, pci")
same("cable", r"(?:store|load) +\* cable (?:in|out)")
same("world", r"world +\* .*")
same("ready", r"(?:store|load) +\| ready .*")
every = sorted((float(t.split(" s, ")[0]), x) for kind in marks.values() for x, t in kind)
assert all(a[1] <= b[1] for a, b in zip(every, every[1:])), "time does not go to the right"
assert every[0][0] == 0 and every[-1][1] <= float(root.get("width"))
head = [t.text for t in root.iter(f"{ns}text") if t.get("class") == "head"]
assert last.split()[1] in head[0] and head[1] == "every promise was kept", head
frames, lost = (int(re.search(rf"(\d+) {what}", head[0]).group(1)) for what in ("frames", "lost frames"))
assert lost == len(marks["lost"]) >= int(dropped) > 0, f"{lost} lost frames in the head, {len(marks['lost'])} drawn, {dropped} dropped"
assert min(frames, 5000) == len(marks["frame"]) > 100, (head, len(marks["frame"]))
assert len(marks["line"]) > 100 and len(marks["disk"]) > 100 and not marks["panic"]
END
printf 'node a<&b crash\n' >"$work/broken.fleet" # an image that wants a disk and has none
fleet=$work/broken.fleet
run --timeline "$work/run.svg" >/dev/null
python3 - "$work/run.svg" <<'END'
import sys
import xml.etree.ElementTree as xml
marks = {(path.get("class"), "".join(path.itertext()).split(" s, ")[-1]) for path in xml.parse(sys.argv[1]).getroot().iter() if path.get("class")}
assert ("world", "world: a<&b: ended with code 1") in marks and ("line", "a<&b: boot refused") in marks, marks
END
