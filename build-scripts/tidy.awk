# SPDX-License-Identifier: MIT OR Apache-2.0
# tidy.awk: the rules of docs/STYLE.md that a line-by-line reader can hold. Prints FILE:LINE: MESSAGE for each breach; exit 1.
# usage: awk -f tidy.awk FILE...      (C, C++ and assembler of this project; never third-party or generated files)
# test/style/samples has one bad sample for each rule.

BEGIN {
    function_lines_max = 70
    file_lines_max = 1000
    columns_max = 132
    split("strcpy:fmt_text strcat:fmt_text sprintf:fmt_text vsprintf:fmt_textv gets:nothing strtok:a_loop alloca:a_pool " \
          "atoi:a_checked_parser atol:a_checked_parser malloc:a_pool calloc:a_pool realloc:a_pool free:a_pool", pair, " ")
    for (i in pair) {
        split(pair[i], half, ":")
        gsub(/_/, " ", half[2])
        if (half[2] ~ /^fmt /) { sub(/ /, "_", half[2]) }
        instead[half[1]] = half[2]
    }
    for (i = 1; i < ARGC; i++) { collect(ARGV[i]) }
}
# Functions that return a status, in all files that are looked at together: only their result may not be cast away.
function collect(path,    line) {
    while ((getline line < path) > 0) {
        if (match(line, /(^|[^A-Za-z0-9_])status_t [a-z_][A-Za-z0-9_]*\(/)) {
            line = substr(line, RSTART, RLENGTH - 1)
            sub(/.* /, "", line)
            gives_status[line] = 1
        }
    }
    close(path)
}
function casts_status_away(code,    called) {
    if (!match(code, /\(void\)[ ]*[a-z_][A-Za-z0-9_]*\(/)) { return 0 }
    called = substr(code, RSTART, RLENGTH - 1)
    sub(/.*\)[ ]*/, "", called)
    return called in gives_status
}

function say(message) { say_at(FNR, message) }
function say_at(line, message) { printf "%s:%d: %s\n", FILENAME, line, message; bad = 1 }

FNR == 1 { finish(); begin() }
{ last = FNR; file = FILENAME }

function begin() {
    is_c = FILENAME ~ /\.c$/
    is_cxx = FILENAME ~ /\.c\+\+$/
    is_assembler = FILENAME ~ /\.S$/
    is_test = FILENAME ~ /(^|\/)test\// && FILENAME !~ /\/samples\//
    is_host = FILENAME ~ /(^|\/)(build-scripts\/host|platform\/sim)\//
    is_image = !is_test && !is_host && FILENAME !~ /(^|\/)core\/(freestanding|include\/libc)\//
    name = FILENAME
    sub(/.*\//, "", name)
    opened = 0
    in_comment = 0
    signature = 0
    head_said = 0
    if ($0 !~ /SPDX-License-Identifier: MIT OR Apache-2\.0/) { say("the first line has no SPDX-License-Identifier: MIT OR Apache-2.0") }
}
function finish() {
    if (file == "") { return }
    if (!head_said) { printf "%s:1: no header comment that says \"%s: what it is\"\n", file, name; bad = 1 }
    if (last > file_lines_max) { printf "%s:%d: the file has %d lines; %d is the most\n", file, last, last, file_lines_max; bad = 1 }
}
FNR <= 3 && index($0, name ":") { head_said = 1 }

# --- the text as it stands -----------------------------------------------------------------------------------------------
/[ \t]$/ { say("blanks at the end of the line") }
/\t/ && !is_assembler { say("a tab; four spaces indent") }
length($0) > columns_max { say("the line is longer than " columns_max " columns") }
/(^|[^A-Za-z_])(FIXME|XXX|TODO)([^A-Za-z_]|$)/ { say("unfinished work is marked here; finish it or put it into docs/CAVEATS.md") }
/__DATE__|__TIME__|__TIMESTAMP__/ { say("the build may not depend on when it runs") }
/^[ \t]*#[ \t]*include[ \t]*["<][^">]*\.\.\// && !is_test && FILENAME !~ /(^|\/)(core|platform)\// { say("an include may not climb with ..; declare what is needed in component.conf") }

# --- code only: comments and literals are blanked ------------------------------------------------------------------------
{
    code = blank($0)
    if (is_c && !is_test && code ~ /^[ \t]*#[ \t]*(if|ifdef|ifndef|elif|else)([^a-z]|$)/) { say("#if in a .c file; choose by another file, an option's value, or a header") }
    if (!is_test && !is_assembler && casts_status_away(code)) { say("a status is cast away; say status_ignore(s, \"why\")") }
    if (is_image && code ~ /->ops->/ && FILENAME ~ /components\/.*\.c$/ && FILENAME !~ /components\/lib\//) { say("an ops table is called raw; use the wrapper in the contract's header") }
    if (is_image && code ~ /(^|[^A-Za-z_])volatile([^A-Za-z_]|$)/ && FILENAME !~ /platform\// && code !~ /__asan/) { say("volatile outside platform/; use the mmio or atomic helpers") }
    if (is_image && !is_assembler) { banned(code) }
    if (!is_assembler) { measure(code) }
}

function banned(code,    word, at) {
    for (word in instead) {
        at = match(code, "(^|[^A-Za-z0-9_.>])" word "[ ]*\\(")
        if (at) { say(word "() is banned; instead: " instead[word]) }
    }
}
# Blanks strings, characters and comments; keeps the rest in place.
function blank(line,    i, c, two, out, quote) {
    out = ""
    quote = ""
    for (i = 1; i <= length(line); i++) {
        c = substr(line, i, 1)
        two = substr(line, i, 2)
        if (in_comment) {
            if (two == "*/") { in_comment = 0; i++ }
            continue
        }
        if (quote != "") {
            if (c == "\\") { i++ } else if (c == quote) { quote = ""; out = out c }
            continue
        }
        if (two == "/*") { in_comment = 1; i++; continue }
        if (two == "//") { break }
        if (c == "\"" || (c == "'" && substr(line, i - 1, 1) !~ /[0-9a-fA-F]/)) { quote = c; out = out c; continue }
        out = out c
    }
    return out
}
# Functions of C begin with { in the first column; of C++ with { at the end of a line that closes a parameter list.
function measure(code,    indent) {
    if (!opened) {
        if (code ~ /^[A-Za-z_].*\(/ && code !~ /;[ ]*$/) { signature = FNR }
        if (code ~ /^{/ && signature) { opened = signature; opened_indent = "" }
        else if (is_cxx && code ~ /\)[^;=]*{[ ]*$/ && code !~ /^[ ]*(if|for|while|switch|else|do|}|namespace|class|struct)/) {
            opened = FNR
            opened_indent = code
            sub(/[^ ].*/, "", opened_indent)
        }
        if (code ~ /^}/ || code ~ /;[ ]*$/) { signature = 0 }
        return
    }
    indent = code
    sub(/[^ ].*/, "", indent)
    if (substr(code, length(indent) + 1, 1) == "}" && indent == opened_indent) {
        if (FNR - opened + 1 > function_lines_max) { say_at(opened, "the function has " (FNR - opened + 1) " lines; " function_lines_max " is the most") }
        opened = 0
        signature = 0
    }
}
END {
    finish()
    exit bad
}
