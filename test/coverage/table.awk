# SPDX-License-Identifier: MIT OR Apache-2.0
# table.awk: what gcovr counted in each file (--csv), as a row for each component. A file that no test compiles is not there.
BEGIN { FS = "," }
FNR == 1 || $1 ~ /^build\// { next }
{
    split($1, part, "/")
    name = part[1] == "core" ? "core" : part[1] == "platform" ? "platform/" part[2] : part[2] "/" part[3]
    if (!(name in lines)) { names[++count] = name }
    add(name); add("together")
}
END {
    sort()
    printf "%-24s %7s %9s %7s %9s\n", "", "lines", "of", "branches", "of"
    for (i = 1; i <= count; i++) { row(names[i]) }
    row("together")
}
function add(name) { lines[name] += $2; lines_run[name] += $3; branches[name] += $5; branches_run[name] += $6 }
function percent(some, all) { return all == 0 ? "-" : sprintf("%.1f%%", int(1000 * some / all) / 10) }
function row(name) {
    printf "%-24s %7s %9d %7s %9d\n", name, percent(lines_run[name], lines[name]), lines[name], percent(branches_run[name], branches[name]), branches[name]
}
function sort(    i, j, t) {
    for (i = 2; i <= count; i++) {
        for (j = i; j > 1 && names[j - 1] > names[j]; j--) { t = names[j]; names[j] = names[j - 1]; names[j - 1] = t }
    }
}
