# SPDX-License-Identifier: MIT OR Apache-2.0
# layers.awk: who may include whom. The include path enforces it already (build/PROFILE/inc); this names the line and the rule.
# usage: awk -f layers.awk component.conf... SOURCES...

BEGIN {
    split("lib 2 bus 3 drv 4 crypto 5 net 6 store 6 rpc 7 http 8 svc 9 app 10", words, " ")
    for (i = 1; i in words; i += 2) { rank[words[i]] = words[i + 1] }
}
function say(message) { printf "%s:%d: %s\n", FILENAME, FNR, message; bad = 1 }

FILENAME ~ /component\.conf$/ {
    if ($1 == "component") { component = $2 }
    if ($1 == "needs") { for (i = 2; i <= NF && $i !~ /^#/; i++) { needs[component, $i] = 1 } }
    next
}
FNR == 1 {
    n = split(FILENAME, part, "/")
    area = ""
    me = ""
    for (i = 1; i <= n; i++) {
        if (part[i] == "components") { area = "component"; me = part[i + 1] "/" part[i + 2] }
        if ((part[i] == "core" || part[i] == "platform") && area == "") { area = part[i] }
    }
    in_test = FILENAME ~ /\/test\//
}
/^[ \t]*#[ \t]*include[ \t]*[<"]/ {
    header = $0
    sub(/^[^<"]*[<"]/, "", header)
    sub(/[">].*/, "", header)
    if (in_test) { next }
    if (area == "component") { component_includes() } else { base_includes() }
}
function component_includes(    other) {
    if (header ~ /^plat\//) { say("components may not include " header "; only core asks the machine (core/device.h)"); return }
    if (header == "core/raw.h" && me !~ /^bus\//) { say(me " may not include core/raw.h; only buses do, a driver has its device\047s grant (core/device.h)"); return }
    if (split(header, q, "/") < 3 || !(q[1] in rank)) { return }
    other = q[1] "/" q[2]
    split(me, m, "/")
    if (other == me) { return }
    if (!((me, other) in needs)) { say(me " may not include " header "; component.conf does not need " other); return }
    if (rank[q[1]] >= rank[m[1]] && !(q[1] == "lib" && m[1] == "lib")) { say(m[1] " may not include " header) }
}
function base_includes() {
    if (split(header, q, "/") >= 2 && (q[1] in rank)) { say(area " may not include a component's header, " header) }
}
END { exit bad }
