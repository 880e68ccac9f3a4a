# SPDX-License-Identifier: MIT OR Apache-2.0
# await.sh: sourced by the tests that follow what a program writes to a file.

# await_line PID FILE PATTERN [COUNT]: until the file, which that process writes, has so many lines like the pattern; fails when it
# ends before that. An unfinished line does not count.
await_line() {
    [ "$(tail -n +1 -f --pid="$1" "$2" 2>/dev/null | grep -Ecm "${4:-1}" -- "$3")" = "${4:-1}" ]
}
