#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# symbols.sh: links the objects of one component into one, and holds it to what its component.conf declares:
#   (1) a global that its own sources define begins with one of its prefixes;
#   (2) a name that it uses, if it begins with another component's prefix, belongs to one that it `needs`;
#   (3) it never calls the machine (plat_*): only core does; and hardware by its number (raw_*, core/raw.h) only when it is a bus.
# What third-party files (after --) define stays inside: everything without a prefix is made local.
# usage: symbols.sh COMPONENT TABLE OUT OWN.o... [-- LIBRARY.o...]
set -eu
component=$1
table=$2
out=$3
shift 3
own=
library=
list=own
for object in "$@"; do
    case $object in
    --) list=library ;;
    *) eval "$list=\"\$$list \$object\"" ;;
    esac
done

# shellcheck disable=SC2086  # word lists on purpose
{ nm -g $own 2>/dev/null || nm -g $own; } | awk -v component="$component" -v table="$table" '
    BEGIN {
        while ((getline line < table) > 0) {
            n = split(line, w, " ")
            for (i = 3; i <= n; i++) {
                if (w[1] == "own" && w[2] == component) { own[w[i]] = 1; list = list " " w[i] }
                if (w[1] == "own") { owner[w[i]] = w[2] }
                if (w[1] == "may" && w[2] == component) { may[w[i]] = 1 }
            }
        }
    }
    function begins_with_any(name, set,    p) { for (p in set) { if (index(name, p) == 1) { return p } } return "" }
    /:$/ { file = substr($0, 1, length($0) - 1); next }
    NF == 2 && $1 == "U" {
        name = $2
        if (name ~ /^plat_/ || name ~ /^core_trap_/) { refuse(name " belongs to core alone; see core/device.h"); next }
        if (name ~ /^raw_/ && component !~ /^bus\//) { refuse(name " is for buses alone; a driver has its device\047s grant (core/device.h)"); next }
        p = begins_with_any(name, owner)
        if (p != "" && !(p in own) && !(p in may)) { refuse(name " belongs to " owner[p] ", which component.conf does not need") }
    }
    NF == 3 && $2 ~ /^[A-Z]$/ && $3 !~ /^__(asan|ubsan|odr_asan)/ {
        if (begins_with_any($3, own) == "") { refuse("defines the global " $3 " without a declared prefix (" substr(list, 2) "); make it static, or declare: prefix") }
    }
    function refuse(message) { if (!(message in told)) { told[message] = 1; print component ": " message > "/dev/stderr"; bad = 1 } }
    END { exit bad }
'
# shellcheck disable=SC2086
${LD:-ld} -r -o "$out" $own $library
prefixes=$(awk -v component="$component" '$1 == "own" && $2 == component { for (i = 3; i <= NF; i++) printf "%s* ", $i }' "$table")
keep=
for prefix in $prefixes; do keep="$keep --keep-global-symbol=$prefix"; done
set -f
# shellcheck disable=SC2086
${OBJCOPY:-objcopy} --wildcard $keep "$out"
