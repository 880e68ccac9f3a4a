# SPDX-License-Identifier: MIT OR Apache-2.0
# machines.awk: the table of machines for the host command, from the platform.conf of each; grammar: platform/README.md.
# usage: awk -f machines.awk platform/*/platform.conf >machines.inc      one C++ initialiser of struct Machine a line
function put() {
    if (name == "") { return }
    if (stands == name || stands == "" && (of["machine"] == "" || of["exit"] == "")) {
        printf "%s: no 'machine' or no 'exit' line, and no other machine as 'stand-in'\n", file > "/dev/stderr"
        bad = 1
    }
    printf "{\"%s\", \"%s\", \"%s\", \"%s\", {%s}, \"%s\", \"%s\", \"%s\", \"%s\", \"%s\", \"%s\"},\n",
        name, stands, of["machine"], of["cpu"], arguments, of["nic"], of["disk"], of["nvme"], of["scsi"], of["rng"], of["exit"]
}
function rest(separator,    i, s) {
    for (i = 2; i <= NF; i++) { s = s (i > 2 ? separator : "") $i }
    return s
}
FNR == 1 { put(); split("", of); name = stands = arguments = ""; file = FILENAME }
/["\\]/ && $1 != "summary" { printf "%s:%d: a quote or a backslash\n", FILENAME, FNR > "/dev/stderr"; bad = 1 }
$1 == "platform" { name = $2 }
$1 == "stand-in" { stands = $2 }
$1 == "qemu" { arguments = "\"" rest("\", \"") "\"" }
$1 == "machine" || $1 == "cpu" || $1 == "nic" || $1 == "disk" || $1 == "nvme" || $1 == "scsi" || $1 == "rng" || $1 == "exit" { of[$1] = rest(",") }
END { put(); exit bad }
