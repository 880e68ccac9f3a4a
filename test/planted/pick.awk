# SPDX-License-Identifier: MIT OR Apache-2.0
# pick.awk: reads the catalogue. Without `bug`: the names, one a line. With it: the field `want` of that paragraph.
BEGIN { RS = ""; FS = "\n" }
{
    name = ""
    for (i = 1; i <= NF; i++) {
        if ($i ~ /^bug /) { split($i, word, / +/); name = word[2] }
    }
    if (name == "" || (bug != "" && name != bug)) next
    if (bug == "") { print name; next }
    for (i = 1; i <= NF; i++) {
        if (index($i, want " ") == 1) { sub(/^[a-z]+ +/, "", $i); print $i }
    }
}
