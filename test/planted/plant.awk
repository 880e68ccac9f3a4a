# SPDX-License-Identifier: MIT OR Apache-2.0
# plant.awk: plants `bug` of the catalogue (first file) into a source file (second). The lines with `-` must stand there one after
# another, once; those with `+` come in their place. Exit 1: they do not.
function paragraph_end() { mine = 0 }
FNR == NR && /^$/ { paragraph_end(); next }
FNR == NR && /^bug / { mine = $2 == bug; next }
FNR == NR { if (mine && /^-/) old[++olds] = substr($0, 2); if (mine && /^[+]/) new[++news] = substr($0, 2); next }
{ line[++lines] = $0 }
END {
    for (at = 1; at + olds - 1 <= lines; at++) {
        for (i = 1; i <= olds && line[at + i - 1] == old[i]; i++);
        if (i > olds) { found++; place = at }
    }
    if (olds == 0 || found != 1) exit 1
    for (i = 1; i < place; i++) print line[i]
    for (i = 1; i <= news; i++) print new[i]
    for (i = place + olds; i <= lines; i++) print line[i]
}
