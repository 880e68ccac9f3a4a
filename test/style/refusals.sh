#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# refusals.sh: every message with which the resolver or configure refuses stands in some expectation of test/refuse: in a
# case's `expect`, or in a script there. A new refusal cannot come without a test that provokes it.
set -eu
: "${CAPOS_TOP:=$(cd "$(dirname "$0")/../.." && pwd)}"
cd "$CAPOS_TOP"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat test/refuse/*/expect test/refuse/*.sh test/style/build.sh >"$work/expected"

# messages FILE PATTERN: the longest literal of each line that matches, as FILE:LINE:TEXT.
messages() {
    awk -v pattern="$2" '
        /^ *(#|function)/ && !/ refuse\(.*\}$/ { next }
        $0 ~ pattern {
            line = $0
            sub(".*(" pattern ")", "", line)
            sub(/\$\(.*/, "", line)
            gsub(/\\"/, "\001", line)
            gsub(/\\\$/, "\002", line)
            best = ""
            n = split(line, part, "\"")
            for (i = 2; i <= n; i += 2) {
                m = split(part[i], piece, /\$[A-Za-z0-9_{]+[^ ;:]*/)
                for (j = 1; j <= m; j++) { if (length(piece[j]) > length(best)) { best = piece[j] } }
            }
            gsub(/\001/, "\"", best)
            gsub(/\002/, "$", best)
            gsub(/\\\\/, "\\", best)
            gsub(/^ +| +$/, "", best)
            if (length(best) > 3) { print FILENAME ":" FNR ":" best }
        }' "$1"
}
{
    for file in build-scripts/*.awk; do
        case $file in */tidy.awk | */layers.awk) continue ;; esac
        messages "$file" '(^|[^a-z_])(refuse|refuse_at|not_there)\\('
        messages "$file" 'expression_error = '
        awk '/^function [a-z]*_error\(/ { on = 1 } on { print } !on { print "#" } /^}/ { on = 0 }' "$file" >"$work/errors.awk"
        (cd "$work" && messages errors.awk 'return ') | sed "s|^errors.awk|$file|"
    done
    messages configure '(^|[^a-z_])die '
} >"$work/messages"

[ "$(wc -l <"$work/messages")" -gt 90 ] || { echo "only $(wc -l <"$work/messages") messages were found: this test does not see them any more"; exit 1; }
failed=0
while IFS= read -r line; do
    text=${line#*:}
    text=${text#*:}
    grep -Fq -e "$text" "$work/expected" || { printf 'no refusal test expects: %s\n' "$line"; failed=1; }
done <"$work/messages"
[ "$failed" = 1 ] || echo "$(wc -l <"$work/messages") messages, each of them expected by a test"
exit "$failed"
