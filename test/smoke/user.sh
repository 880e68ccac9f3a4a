#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# user.sh: what a person types besides make and make run, in a folder of its own: configure --help and --list, a second make,
# size, debug, install, clean, distclean, and what is promised but not built yet.
# timeout: 300
. "$CAPOS_TOP/test/host/lib.sh"
unset MAKEFLAGS MFLAGS MAKELEVEL # a person has no make around his
mkdir "$work/o"
cd "$work/o"

echo "configure --help, --list"
expect 0 "$CAPOS_TOP/configure" --help
for option in --list --platform --set --components --with-NAME --enable-debug --enable-sanitizers --enable-edge-preemption --enable-werror --bootstrap; do out "  $option"; done
expect 0 "$CAPOS_TOP/configure" --list
for profile in "$CAPOS_TOP"/configs/*.profile; do
    summary=$(sed -n 's/^summary *"\(.*\)"/\1/p' "$profile")
    grep -Eq "^$(basename "$profile" .profile) +(supported|experiment) +" "$work/out" || fail "$profile is not listed"
    out "$summary"
done
[ -z "$(ls -A)" ] || fail "they left something behind: $(ls -A)"

echo "make, from another folder; and again"
expect 0 "$CAPOS_TOP/configure" bare
take_tools
expect 0 make -j2
! grep -q CXX "$work/out" || fail "the host programs were built again"
[ -s build/bare/bare.elf ] && [ -x build/bare/bare.sim ] && [ -s build/compile_commands.json ] || fail "something was not built"
expect 0 make
out "Nothing to be done for 'all'"
expect 0 make help
for target in run debug check size install clean distclean; do out "make $target"; done

echo "make size"
expect 0 make size
python3 - "$work/out" build/bare/bare.elf build/bare/size.svg <<'END' || fail "make size does not add up"
import os, subprocess, sys, xml.etree.ElementTree as xml
lines = [line.split() for line in open(sys.argv[1])]
rows = {line[0]: list(map(int, line[1:])) for line in lines if len(line) == 4 and line[1].isdigit()}
assert lines[0][1] == str(os.path.getsize(sys.argv[2])), lines[0]
together = rows.pop("together")
assert [sum(row[i] for row in rows.values()) for i in range(3)] == together, together
text, data, bss = map(int, subprocess.check_output(["size", sys.argv[2]], text=True).split("\n")[1].split()[:3])
assert abs(sum(together) - text - data - bss) < 0.02 * (text + data + bss), (together, text, data, bss)
assert {"core", "platform"} <= set(rows)
area = {}
for group in xml.parse(sys.argv[3]).getroot():
    title, rect = group[0].text, {k: float(v) for k, v in group[1].attrib.items() if k in ("x", "y", "width", "height")}
    assert rect["x"] + rect["width"] < 960.1 and rect["y"] + rect["height"] < 600.1, title
    area[title.split(":")[0]] = rect["width"] * rect["height"]
for name, row in rows.items():
    assert abs(area.get(name, 0) - 960 * 600 * sum(row) / sum(together)) < 20, (name, area.get(name), row)
END

echo "make debug: symbols, a breakpoint, a backtrace"
printf '%s\n' 'break components_start' continue backtrace kill quit >"$work/commands"
expect 0 timeout -s KILL 100 make debug <"$work/commands"
grep -Eq '^#1 .* core_main \(\) at .*core/run/main\.c:[0-9]+' "$work/out" || fail "no backtrace with names and lines"
expect 0 "$capos" fleet status
! grep -q bare "$work/out" || fail "the machine is still there"

echo "make install"
expect 0 make install "DESTDIR=$work/stage" PREFIX=/opt/capos
[ "$(ls "$work/stage")" = opt ] && [ "$(ls "$work/stage/opt")" = capos ] || fail "something was installed elsewhere"
cd "$work/stage/opt/capos"
for file in lib/capos/bare.sim share/man/man1/capos.1 share/bash-completion/completions/capos share/capos/bare.elf share/capos/bare/picture.txt \
    share/capos/bare/sbom.json; do
    [ -s $file ] && [ -r $file ] || fail "$file is not installed"
done
[ "$(stat -c %a bin/capos share/capos/bare.elf | tr '\n' ' ')" = "755 644 " ] || fail "modes: $(stat -c %a bin/capos share/capos/bare.elf)"
expect 0 bin/capos help
expect 0 bin/capos image query share/capos/bare.elf
out "bare: Core and machine"
bash -n share/bash-completion/completions/capos || fail "the completion is no bash"
cd "$work/o"

echo "what is promised, and not built"
expect 2 make image
err "make image is not built yet"

echo "clean, distclean"
expect 0 "$CAPOS_TOP/configure" hello --set net/lwip.connections=8
expect 0 "$CAPOS_TOP/configure" bare
rm -f build/third-party build/deps
mkdir build/third-party build/deps
touch build/third-party/kept build/deps/kept build/hello/hello.disk
expect 0 make clean
for file in bare/bare.elf bare/bare.sim bare/elf capos host; do [ ! -e "build/$file" ] || fail "clean left build/$file"; done
for file in third-party/kept deps/kept hello/hello.disk; do [ -e "build/$file" ] || fail "clean removed build/$file"; done
grep -q 'net/lwip.connections .* 8 ' build/hello/picture.txt || fail "clean forgot how hello was configured"
expect 0 make -j2 build/bare/bare.elf
expect 0 make distclean
[ -z "$(ls -A)" ] || fail "distclean left: $(ls -A)"
expect 0 "$CAPOS_TOP/configure" bare
