# SPDX-License-Identifier: MIT OR Apache-2.0
# treemap.awk: draws what `make size` prints as an SVG: each component a rectangle as large as its bytes in memory (text, data
# and bss). A list is cut where its two parts weigh most alike, the longer side of the place with it, until one is left.
# usage: awk -f treemap.awk size.txt >size.svg
NF == 4 && $2 ~ /^[0-9]+$/ && $1 != "together" {
    weight[++n] = $2 + $3 + $4
    name[n] = $1
    says[n] = $2 " text, " $3 " data, " $4 " bss"
    total += weight[n]
}
# The largest first: the cuts are then near the middle.
function sort_weights(    i, j, s) {
    for (i = 1; i <= n; i++) { order[i] = i }
    for (i = 2; i <= n; i++) {
        for (j = i; j > 1 && weight[order[j]] > weight[order[j - 1]]; j--) { s = order[j]; order[j] = order[j - 1]; order[j - 1] = s }
    }
}
function sum(from, to,    i, s) { for (i = from; i <= to; i++) { s += weight[order[i]] } return s }
function cut(from, to,    i, half, s) {
    half = sum(from, to) / 2
    for (i = from; i < to - 1; i++) {
        s += weight[order[i]]
        if (s + weight[order[i + 1]] / 2 > half) { break }
    }
    return i
}
function lay(from, to, x, y, w, h,    at, share) {
    if (from > to || sum(from, to) == 0) { return }
    if (from == to) { draw(order[from], x, y, w, h); return }
    at = cut(from, to)
    share = sum(from, at) / sum(from, to)
    if (w > h) { lay(from, at, x, y, w * share, h); lay(at + 1, to, x + w * share, y, w * (1 - share), h) }
    else { lay(from, at, x, y, w, h * share); lay(at + 1, to, x, y + h * share, w, h * (1 - share)) }
}
function draw(i, x, y, w, h) {
    printf "<g><title>%s: %s</title>\n<rect x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\" fill=\"%s\" stroke=\"white\"/>\n", \
        name[i], says[i], x, y, w, h, colour(name[i])
    if (w > 7 * length(name[i]) && h > 32) {
        printf "<text x=\"%.2f\" y=\"%.2f\">%s</text><text x=\"%.2f\" y=\"%.2f\">%d</text>\n", x + 4, y + 14, name[i], x + 4, y + 28, weight[i]
    }
    print "</g>"
}
# One colour a room.
function colour(s) {
    if (s ~ /^(core|platform)$/) { return "#b8c4d6" }
    if (s ~ /^[(]/) { return "#d9d9d9" }
    if (s ~ /^(lib|bus|drv)\//) { return "#c9dfc0" }
    if (s ~ /^(net|rpc)\//) { return "#f2d6b3" }
    if (s ~ /^(store|crypto)\//) { return "#e3c7dd" }
    return "#f5ecb5"
}
END {
    sort_weights()
    print "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 960 600\" font-family=\"sans-serif\" font-size=\"12\">"
    lay(1, n, 0, 0, 960, 600)
    print "</svg>"
}
