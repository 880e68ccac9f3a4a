# SPDX-License-Identifier: MIT OR Apache-2.0
# resolve.awk: reads every component.conf, then one profile; refuses each mistake by file and line; decides wires, grants
# and start order. emit.awk, loaded after it, writes what make and the image need. configs/README.md is the grammar.
#
#   awk -f expression.awk -f resolve.awk -f emit.awk -v out=DIR -v top=SOURCE -v sets="c.opt=v ..." CONF... PLATFORM... PROFILE
#
# With mode=tests there is no profile: every component is used with its defaults, and only headers and test rules come out.
#
#  (1) Nothing is guessed and nothing is pulled in silently: what is missing is refused with the line to add.
#  (2) All mistakes of one run are reported, in the order in which they stand in the files; then the exit status is 1.
#  (3) The output depends on the input files alone: no dates, no paths of this machine besides `top` and the build directory.

BEGIN {
    split("lib 2 bus 3 drv 4 crypto 5 net 6 store 6 rpc 7 http 8 svc 9 app 10", words, " ")
    for (i = 1; i in words; i += 2) {
        rank[words[i]] = words[i + 1]
    }
    conf_keys = "component prefix summary needs slot provides holds grants option memory dma interrupts schema source library include " \
                "cflags cflags_library fpu start bus insecure test"
    profile_keys = "profile summary platform memory status component core wire grant expose port insecure budget"
    option_kinds = "int pow2 size bool enum text ip"
    line_max = 1000
    size_max = 1099511627776
    sets = ENVIRON["CAPOS_SETS"]
}

# --- words ---------------------------------------------------------------------------------------------------------------

# Splits a line into w[1..nw]; "..." is one word, # outside of it begins a comment. False on an unclosed quote.
function words_of(line,    c, word, quoted, inside, i) {
    nw = 0
    word = ""
    for (i = 1; i <= length(line); i++) {
        c = substr(line, i, 1)
        if (inside) {
            if (c == "\"") { inside = 0 } else { word = word c }
        } else if (c == "\"") {
            inside = 1
            quoted = 1
        } else if (c == "#") {
            break
        } else if (c == " ") {
            if (word != "" || quoted) { w[++nw] = word; word = ""; quoted = 0 }
        } else {
            word = word c
        }
    }
    if (word != "" || quoted) { w[++nw] = word }
    return !inside
}

function where_now() { return shown(FILENAME) ":" FNR }
function shown(path) { return index(path, top "/") == 1 ? substr(path, length(top) + 2) : path }
function refuse_at(place, message) { print place ": " message > "/dev/stderr"; bad = 1 }
function refuse(message) { refuse_at(where_now(), message) }
function upper(s) { gsub(/[^A-Za-z0-9]/, "_", s); return toupper(s) }
function identifier(s) { gsub(/[^A-Za-z0-9]/, "_", s); return s }
function flat(c) { sub(/\//, "-", c); return c }
function room(c) { return substr(c, 1, index(c, "/") - 1) }
function rank_of(c) { return c == "core" ? 0 : rank[room(c)] }
# A word may be any text that a profile quotes, also an empty one or one with blanks: those are in no list.
function has_word(list, word) { return word != "" && word !~ / / && index(" " list " ", " " word " ") > 0 }
function list_or_none(list) { sub(/^ /, "", list); return list == "" ? "nothing" : list }
function pow2(v) { while (v > 1 && v % 2 == 0) { v /= 2 } return v == 1 }
function is_name(s) { return s ~ /^[a-z][a-z0-9_-]*$/ && length(s) <= 64 }
function is_component_name(s) { return s ~ /^[a-z]+\/[a-z][a-z0-9-]*$/ && length(s) <= 64 }
function contract_type(s) { sub(/\.v[0-9]+$/, "", s); gsub(/-/, "_", s); return s }
# "rpc/vat.listen" -> part[1] = component, part[2] = name.
function endpoint(s, part,    at) {
    at = index(s, ".")
    part[1] = at ? substr(s, 1, at - 1) : s
    part[2] = at ? substr(s, at + 1) : ""
    return at > 0 && part[2] != ""
}

# The component of `list` that is nearest to `name`, for "did you mean".
function nearest(name, list,    n, part, i, best, d, best_d) {
    best_d = 4
    n = split(list, part, " ")
    for (i = 1; i <= n; i++) {
        d = distance(name, part[i])
        if (d < best_d) { best_d = d; best = part[i] }
    }
    return best == "" ? "" : "; did you mean '" best "'?"
}
function distance(a, b,    i, j, la, lb, previous, current, least) {
    la = length(a); lb = length(b)
    if (la - lb > 3 || lb - la > 3) { return 9 }
    for (j = 0; j <= lb; j++) { previous[j] = j }
    for (i = 1; i <= la; i++) {
        current[0] = i
        for (j = 1; j <= lb; j++) {
            least = previous[j - 1] + (substr(a, i, 1) != substr(b, j, 1))
            if (previous[j] + 1 < least) { least = previous[j] + 1 }
            if (current[j - 1] + 1 < least) { least = current[j - 1] + 1 }
            current[j] = least
        }
        for (j = 0; j <= lb; j++) { previous[j] = current[j] }
    }
    return previous[lb]
}

# --- which file ----------------------------------------------------------------------------------------------------------

FNR == 1 {
    kind = "profile"
    if (FILENAME ~ /\/(component|core)\.conf$/) { kind = "conf" }
    if (FILENAME ~ /\/platform\.conf$/) { kind = "platform" }
    c = ""
    if (kind == "platform") {
        platform_name = FILENAME
        sub(/\/platform\.conf$/, "", platform_name)
        sub(/.*\//, "", platform_name)
        platforms = add_word(platforms, platform_name)
    }
}
{
    sub(/\r$/, "")
    gsub(/\t/, " ")
    if ($0 ~ /[^ -~]/) { refuse("this line holds a character that is not printable ASCII; write it without"); next }
    if (length($0) > line_max) { refuse("this line is longer than " line_max " characters"); next }
    if (!words_of($0)) { refuse("a \" is not closed on this line"); next }
    if (nw == 0) { next }
}
kind == "platform" { platform_line(); next }
kind == "conf" { conf_line(); next }
kind == "profile" { profile_line(); next }

# platform.conf is read by the runners too; only what the resolver needs is looked at here.
function platform_line(    i) {
    if (w[1] == "bus") { for (i = 2; i <= nw; i++) { platform_bus[platform_name] = platform_bus[platform_name] " " w[i] } }
}

# --- component.conf ------------------------------------------------------------------------------------------------------

function conf_line(    k) {
    k = w[1]
    if (!has_word(conf_keys, k)) { refuse("unknown key '" k "' in a component.conf" nearest(k, conf_keys)); return }
    if (k == "component") { conf_component(); return }
    if (c == "") { if (!orphan[FILENAME]++) { refuse("'" k "' before the 'component' line") } return }
    if (nw < 2) { refuse("'" k "' needs a value"); return }
    if (k == "prefix") { conf_prefix() }
    else if (k == "summary") { summary[c] = w[2] }
    else if (k == "needs") { conf_needs() }
    else if (k == "slot" || k == "provides" || k == "holds" || k == "grants") { conf_endpoint(k) }
    else if (k == "option") { conf_option() }
    else if (k == "memory" || k == "dma" || k == "interrupts") { conf_sum(k) }
    else if (k == "schema" || k == "source") { conf_files(k) }
    else if (k == "library" || k == "include") { conf_library(k) }
    else if (k == "cflags" || k == "cflags_library") { conf_flags(k) }
    else if (k == "fpu" || k == "start") { conf_yes_no(k) }
    else if (k == "bus") { buses[c] = rest(2) }
    else if (k == "insecure") { insecure_reason[c] = w[2] }
    else if (k == "test") { conf_test() }
}
# The line after its key as it stands, for the shell that make starts: quotes reach the compiler.
function raw_rest(    s) {
    s = $0
    sub(/^[ \t]*[a-z_]+[ \t]+/, "", s)
    sub(/[ \t]+#.*$/, "", s)
    gsub(/"/, "\\\"", s)
    return s
}
function rest(from,    i, s) { for (i = from; i <= nw; i++) { s = s (s == "" ? "" : " ") w[i] } return s }
function rest_prefixed(name,    i, s) { for (i = 3; i <= nw; i++) { s = s (s == "" ? "" : " ") name ":" w[i] } return s }
function add_word(list, word) { return has_word(list, word) ? list : list " " word }

# Flags reach a shell through make, so they hold nothing that either of the two would expand.
function conf_flags(k) {
    if ($0 ~ /[^-A-Za-z0-9_ \t=.,:+"#\/]/) { refuse("flags may hold letters, digits and - _ = . , : + / \" only"); return }
    flags[c, k] = flags[c, k] " " raw_rest()
}
# library NAME FILE...    include NAME FOLDER...
function conf_library(k,    i) {
    if (nw < 3) { refuse("write: " k " NAME " (k == "library" ? "FILE.c ..." : "FOLDER ...")); return }
    if (!has_word(locked, w[2])) { refuse("deps.lock has no library '" w[2] "'; it has: " list_or_none(locked)); return }
    for (i = 3; i <= nw; i++) { if (!is_plain_path(w[i])) { refuse("'" w[i] "' is no path that a make rule can hold"); return } }
    if (k == "library") { library[c] = library[c] " " rest_prefixed(w[2]) } else { include[c] = include[c] " " rest_prefixed(w[2]) }
    libraries[c] = add_word(libraries[c], w[2])
}
# Relative, below its folder, and without a character that make or a shell reads as its own.
function is_plain_path(s) { return s ~ /^[A-Za-z0-9_][A-Za-z0-9_.+-]*(\/[A-Za-z0-9_][A-Za-z0-9_.+-]*)*$/ }

function conf_component(    d) {
    d = FILENAME
    sub(/\/[^\/]*$/, "", d)
    if (nw != 2) { refuse("write: component ROOM/NAME"); return }
    if (w[2] == "core" && FILENAME !~ /\/core\.conf$/) { refuse("'core' is described in core/core.conf and nowhere else"); return }
    if (w[2] != "core" && !is_component_name(w[2])) { refuse("component name '" w[2] "' is not ROOM/NAME in lower case"); return }
    if (w[2] != "core" && !(room(w[2]) in rank)) { refuse("unknown room '" room(w[2]) "'; rooms are: lib bus drv crypto net store rpc http svc app"); return }
    if (c != "") { refuse("a second 'component' line in one file"); return }
    if (w[2] in dir) { refuse("component '" w[2] "' is already defined in " shown(dir[w[2]])); return }
    if (w[2] != "core" && d !~ ("/" w[2] "$")) { refuse("component '" w[2] "' does not live in a folder " w[2]); return }
    c = w[2]
    dir[c] = d
    components = components " " c
    ncomponents++
    component_at[ncomponents] = c
    defined_at[c] = where_now()
    start[c] = "yes"
    if (c == "core") { prefixes[c] = "core_" }
}
function conf_prefix(    i) {
    for (i = 2; i <= nw; i++) {
        if (w[i] !~ /^[A-Za-z][A-Za-z0-9_]*_$/) { refuse("prefix '" w[i] "' does not end in '_' or is no C name"); continue }
        if (w[i] in prefix_owner) { refuse("prefix '" w[i] "' already belongs to '" prefix_owner[w[i]] "'"); continue }
        prefix_owner[w[i]] = c
        prefixes[c] = prefixes[c] (prefixes[c] == "" ? "" : " ") w[i]
    }
}
function conf_needs(    i) {
    for (i = 2; i <= nw; i++) {
        if (!is_component_name(w[i])) { refuse("'" w[i] "' is no component; write: needs ROOM/NAME ..."); continue }
        needs[c] = add_word(needs[c], w[i])
        needs_at[c, w[i]] = where_now()
    }
}
# slot NAME : TYPE [optional]    provides NAME : TYPE [INTERFACE]    holds NAME : TYPE [optional]    grants NAME : TYPE [scope "FORM"]
function conf_endpoint(k,    name) {
    name = w[2]
    if (nw < 4 || w[3] != ":") { refuse("write: " k " NAME : CONTRACT.vN"); return }
    if (!is_name(name)) { refuse("'" name "' is no name: lower case, digits, - and _"); return }
    if (w[4] !~ /^[a-z][a-z0-9_-]*\.v[0-9]+$/) { refuse("'" w[4] "' is no contract; write NAME.vN, as in netdev.v1"); return }
    if ((c, identifier(name)) in endpoint_named) { refuse("'" name "' is already the name of a " endpoint_named[c, identifier(name)] " of '" c "'"); return }
    if (nw > 4 && !conf_endpoint_tail(k, name)) { refuse("unexpected '" rest(5) "' after the contract"); return }
    endpoint_kind[c, name] = k
    endpoint_named[c, identifier(name)] = k
    type[c, name] = w[4]
    names[c, k] = names[c, k] " " name
    declared_at[c, name] = where_now()
}
function conf_endpoint_tail(k, name) {
    if ((k == "slot" || k == "holds") && nw == 5 && w[5] == "optional") { optional[c, name] = 1; return 1 }
    if (k == "provides" && nw == 5 && w[4] == "object.v1" && w[5] ~ /^[A-Z][A-Za-z0-9]*$/) { interface[c, name] = w[5]; return 1 }
    if (k == "grants" && nw == 6 && w[5] == "scope" && w[6] ~ /^[A-Za-z0-9 .:\/_-]+$/) { scope_form[c, name] = w[6]; return 1 }
    return 0
}
function conf_sum(k,    s) {
    s = rest(2)
    gsub(/ /, "", s)
    sum_of[c, k] = sum_of[c, k] (sum_of[c, k] == "" ? "" : "+") "(" s ")"
    sum_at[c, k] = where_now()
}
function conf_files(k,    i) {
    for (i = 2; i <= nw; i++) {
        if (!is_file_of(k, w[i])) { continue }
        if ((c, object_name(w[i])) in object_of) { refuse("'" w[i] "' and '" object_of[c, object_name(w[i])] "' would be the same object"); continue }
        object_of[c, object_name(w[i])] = w[i]
        files[c, k] = files[c, k] (files[c, k] == "" ? "" : " ") w[i]
    }
}
# Two sources of one object name overwrite each other. A schema has a name of its own.
function object_name(file) { gsub(/\//, "-", file); sub(/\.[cS]$/, "", file); return file }
# True for a file of the component's folder with the right ending; otherwise says why not, or keeps it for check_files().
function is_file_of(k, file) {
    if (!is_plain_path(file)) { refuse("'" file "' is no path that a make rule can hold"); return 0 }
    if (k == "schema" ? file !~ /\.capnp$/ : file !~ /\.[cS]$/) { refuse(k " '" file "' does not end in " (k == "schema" ? ".capnp" : ".c or .S")); return 0 }
    if (!exists(dir[c] "/" file)) { not_there(k " '" file "' is not there; the folder is " shown(dir[c])); return 0 }
    return 1
}
# A missing file matters to who uses the component, and is told then.
function not_there(message) {
    nproblems[c]++
    problem[c, nproblems[c]] = message
    problem_at[c, nproblems[c]] = where_now()
}
function exists(path,    line, r) { r = (getline line < path); close(path); return r >= 0 }
function conf_yes_no(k) {
    if (w[2] != "yes" && w[2] != "no") { refuse("'" k "' is yes or no"); return }
    if (k == "fpu") { fpu[c] = w[2] } else { start[c] = w[2] }
}
# Schemas that only tests use: no image gets them.
function conf_test_schema(    i) {
    for (i = 3; i <= nw; i++) {
        if (!is_file_of("schema", w[i])) { continue }
        if (mode == "tests") { files[c, "schema"] = files[c, "schema"] (files[c, "schema"] == "" ? "" : " ") w[i] }
    }
}
function conf_test(    i) {
    if (w[2] == "schema") { conf_test_schema(); return }
    if (w[2] != "unit" && w[2] != "fuzz") { refuse("test kind '" w[2] "' is not unit, fuzz or schema"); return }
    for (i = 3; i <= nw; i++) { if (!is_file_of("test", w[i])) { return } }
    if (nw < 3) { refuse("write: test " w[2] " FILE.c [SOURCES]"); return }
    ntests++
    test_component[ntests] = c; test_kind[ntests] = w[2]; test_file[ntests] = w[3]; test_extra[ntests] = rest(4)
}

# option NAME KIND ... DEFAULT ["TEXT"]
function conf_option(    name, k, at) {
    name = w[2]; k = w[3]
    if (!is_name(name)) { refuse("option '" name "' is no name: lower case, digits, - and _"); return }
    if (!has_word(option_kinds, k)) { refuse("unknown option kind '" k "'; kinds are: " option_kinds); return }
    if ((c, upper(name)) in option_macro) { refuse("option '" name "' is declared twice"); return }
    at = k == "bool" || k == "ip" ? 4 : k == "enum" || k == "text" ? 5 : 6
    if (nw < at) { refuse("option '" name "' of kind " k " needs " (k == "enum" ? "A|B|C DEFAULT" : k == "text" ? "MAXLEN DEFAULT" : at == 4 ? "a default" : "LOW HIGH DEFAULT")); return }
    if (!option_limits(name, k, at)) { return }
    option_kind[c, name] = k
    option_macro[c, upper(name)] = name
    options[c] = options[c] " " name
    option_text[c, name] = w[at + 1]
    default_value[c, name] = w[at]
    option_set(c, name, w[at], where_now(), "the default of ")
}

# What stands between the kind and the default.
function option_limits(name, k, at) {
    if (k == "enum") {
        if (w[4] !~ /^[a-z][a-z0-9_-]*(\|[a-z][a-z0-9_-]*)*$/) { refuse("option '" name "': write its choices as a|b|c, in lower case"); return 0 }
        choices[c, name] = w[4]
        return choices_differ(name, w[4])
    }
    if (k == "text") {
        if (w[4] !~ /^[0-9]+$/ || w[4] + 0 > line_max) { refuse("option '" name "': MAXLEN is a number up to " line_max); return 0 }
        longest[c, name] = w[4] + 0
    }
    if (at != 6) { return 1 }
    if (k == "size" ? bytes_of(w[4]) < 0 || bytes_of(w[5]) < 0 : !is_number(w[4]) || !is_number(w[5])) { refuse("option '" name "': LOW and HIGH are no " (k == "size" ? "sizes" : "whole numbers")); return 0 }
    low[c, name] = w[4]
    high[c, name] = w[5]
    return 1
}
# Each choice becomes a macro of its own.
function choices_differ(name, list,    i, n, part, seen) {
    n = split(list, part, "|")
    for (i = 1; i <= n; i++) {
        if (upper(part[i]) in seen) { refuse("option '" name "': choice '" part[i] "' stands there twice"); return 0 }
        seen[upper(part[i])] = 1
    }
    return 1
}
function is_number(v) { return v ~ /^(0|-?[1-9][0-9]*)$/ && length(v) <= 15 }

# --- options -------------------------------------------------------------------------------------------------------------

# Checks a value and stores it; `place` is what a message begins with, `who` stands before the name.
function option_set(c, name, v, place, who,    k, error) {
    k = option_kind[c, name]
    error = ""
    if (k == "int" || k == "pow2") { error = number_error(c, name, v, k) }
    else if (k == "size") { error = size_error(c, name, v) }
    else if (k == "bool") { if (v != "yes" && v != "no") { error = " is not yes or no" } }
    else if (k == "enum") { error = enum_error(c, name, v) }
    else if (k == "text") { error = text_error(c, name, v) }
    else if (ip_value(v) < 0) { error = " is no IPv4 address" }
    if (error != "") { refuse_at(place, who c "." name "=" v error); return 0 }
    value[c, name] = v
    return 1
}
function number_error(c, name, v, k) {
    if (!is_number(v)) { return " is not a whole number" }
    if (v + 0 < low[c, name] + 0 || v + 0 > high[c, name] + 0) { return " is outside " low[c, name] ".." high[c, name] }
    if (k == "pow2" && !pow2(v + 0)) { return " is not a power of two" }
    return ""
}
function size_error(c, name, v) {
    if (bytes_of(v) < 0) { return " is no size; write bytes or a number with K, M or G" }
    if (bytes_of(v) < bytes_of(low[c, name]) || bytes_of(v) > bytes_of(high[c, name])) { return " is outside " low[c, name] ".." high[c, name] }
    return ""
}
function enum_error(c, name, v,    list) {
    list = choices[c, name]
    gsub(/\|/, " ", list)
    return has_word(list, v) ? "" : " is none of: " list nearest(v, list)
}
function text_error(c, name, v) {
    if (length(v) > longest[c, name]) { return " is longer than " longest[c, name] " characters" }
    return v ~ /[\\"]|[^ -~]/ ? " may hold printable ASCII without \\ and \" only" : ""
}
# -1: not an IPv4 address.
function ip_value(v,    part, n, i, r) {
    n = split(v, part, ".")
    if (n != 4) { return -1 }
    r = 0
    for (i = 1; i <= 4; i++) {
        if (part[i] !~ /^(0|[1-9][0-9]*)$/ || length(part[i]) > 3 || part[i] + 0 > 255) { return -1 }
        r = r * 256 + part[i]
    }
    return r
}
# "64K" -> 65536; -1: no size. The largest is 1T, so that every size is exact in awk, C and Cap'n Proto.
function bytes_of(v,    n) {
    if (v !~ /^(0|[1-9][0-9]*)[KMG]?$/ || length(v) > 14) { return -1 }
    n = v + 0
    if (v ~ /K$/) { n *= 1024 }
    if (v ~ /M$/) { n *= 1048576 }
    if (v ~ /G$/) { n *= 1073741824 }
    return n <= size_max ? n : -1
}
function option_number(c, name,    k) {
    k = option_kind[c, name]
    return k == "size" ? bytes_of(value[c, name]) : k == "bool" ? value[c, name] == "yes" : value[c, name] + 0
}

# --- profile -------------------------------------------------------------------------------------------------------------

function profile_line(    k) {
    k = w[1]
    if (!has_word(profile_keys, k)) { refuse("unknown key '" k "' in a profile" nearest(k, profile_keys)); return }
    if (nw < 2) { refuse("'" k "' needs a value"); return }
    if (k == "component") { profile_component(w[2]) }
    else if (k == "core") { profile_options("core", 2) }
    else if (k == "wire") { profile_wire() }
    else if (k == "grant") { profile_grant() }
    else if (k == "expose") { profile_expose() }
    else if (k == "port") { profile_port() }
    else if (k == "insecure") { profile_insecure() }
    else if (k == "budget") { profile_budget() }
    else { profile_head(k) }
}
function profile_head(k) {
    if (k in head) { refuse("'" k "' stands here twice; first at line " head_line[k]); return }
    head_line[k] = FNR
    head[k] = w[2]
    if (nw > 2) { refuse("unexpected '" rest(3) "' after " k (k == "summary" ? "; put the text into \"...\"" : "")) }
    if (k == "status" && w[2] !~ /^(supported|experiment|simulated)$/) { refuse("status is 'supported', 'experiment' or 'simulated', not '" w[2] "'") }
    if (k == "memory" && bytes_of(w[2]) < 1048576) { refuse("memory '" w[2] "' is no size from 1M on; write 16M"); head[k] = "16M" }
    if (k == "platform" && !has_word(platforms, w[2])) { refuse("no platform '" w[2] "'; there are: " platforms); head[k] = "" }
    if (k == "profile" && !is_name(w[2])) { refuse("profile name '" w[2] "' may hold lower case, digits, - and _ only") }
    else if (k == "profile" && base_name(FILENAME) != w[2] ".profile") { refuse("profile '" w[2] "' is in a file of another name") }
}
function base_name(path) { sub(/.*\//, "", path); return path }
function profile_component(name) {
    if (!(name in dir) || name == "core") { refuse("no component '" name "'" nearest(name, components)); return }
    if (name in used_at) { refuse("component '" name "' is named twice; first at line " used_at[name]); return }
    use(name, FNR)
    profile_options(name, 3)
}
function use(name, line) {
    used_at[name] = line
    used[++nused] = name
    used_list = used_list " " name
}
function profile_options(name, from,    i, eq) {
    for (i = from; i <= nw; i++) {
        eq = index(w[i], "=")
        if (!eq) { refuse("'" w[i] "' is not OPTION=VALUE"); continue }
        option_override(name, substr(w[i], 1, eq - 1), substr(w[i], eq + 1), where_now())
    }
}
function option_override(name, option, v, place) {
    if (!((name, option) in option_kind)) {
        refuse_at(place, "'" name "' has no option '" option "'; it has: " list_or_none(options[name]))
        return
    }
    if (place == where_now() && ((name, option) in set_at)) { refuse_at(place, name "." option " is set twice"); return }
    set_at[name, option] = place
    option_set(name, option, v, place, "")
}
# The two ends of a line are kept and checked when the whole profile is known, so that order does not matter.
function profile_wire() {
    if (nw != 4 || w[3] != "->" || !endpoint(w[2], p) || !endpoint(w[4], q)) { refuse("write: wire A/B.SLOT -> C/D.PROVIDED"); return }
    nwires++
    wire_from[nwires] = p[1]; wire_slot[nwires] = p[2]; wire_to[nwires] = q[1]; wire_name[nwires] = q[2]; wire_line[nwires] = FNR
}
function profile_grant() {
    if (nw < 4 || nw > 5 || w[3] != "->" || !endpoint(w[2], p) || !endpoint(w[4], q)) { refuse("write: grant A/B.HOLD -> C/D.GRANTED [SCOPE]"); return }
    ngrants++
    grant_from[ngrants] = p[1]; grant_hold[ngrants] = p[2]; grant_to[ngrants] = q[1]; grant_name[ngrants] = q[2]
    grant_scope[ngrants] = w[5]; if (nw < 5) { grant_scope[ngrants] = "" }
    grant_line[ngrants] = FNR
}
function profile_expose() {
    if (nw != 4 || w[3] != "->" || !is_name(w[2]) || !endpoint(w[4], q)) { refuse("write: expose NAME -> C/D.PROVIDED"); return }
    if (w[2] in exposed_line) { refuse("'" w[2] "' is exposed twice; first at line " exposed_line[w[2]]); return }
    exposed_line[w[2]] = FNR
    nexposed++
    exposed_name[nexposed] = w[2]; exposed_to[nexposed] = q[1]; exposed_what[nexposed] = q[2]
}
function profile_port() {
    if (nw != 3 || !is_number(w[2]) || !is_name(w[3])) { refuse("write: port NUMBER NAME, as in: port 7000 rpc"); return }
    if (w[2] + 0 < 1 || w[2] + 0 > 65535) { refuse("port " w[2] " is outside 1..65535"); return }
    if (w[2] in port_line) { refuse("port " w[2] " stands here twice; first at line " port_line[w[2]]); return }
    port_line[w[2]] = FNR
    nports++
    port_number[nports] = w[2]; port_name[nports] = w[3]
}
function profile_insecure(    i) {
    for (i = 2; i <= nw; i++) {
        if (w[i] in waived_line) { refuse("insecure '" w[i] "' stands here twice; first at line " waived_line[w[i]]); continue }
        waived_line[w[i]] = FNR
        waived[++nwaived] = w[i]
    }
}
function profile_budget(    i, eq, name) {
    for (i = 2; i <= nw; i++) {
        eq = index(w[i], "=")
        name = substr(w[i], 1, eq - 1)
        if (name != "text" && name != "data" && name != "elf") { refuse("budget of '" name "'; there are: text data elf"); continue }
        if (bytes_of(substr(w[i], eq + 1)) < 0) { refuse("budget '" w[i] "' is no size; write text=512K"); continue }
        if (name in budget) { refuse("budget '" name "' is given twice"); continue }
        budget[name] = bytes_of(substr(w[i], eq + 1))
    }
}

# --- the whole, once all files are read ----------------------------------------------------------------------------------

END {
    check_components()
    if (mode == "tests") {
        use_everything()
    } else {
        check_files()
        check_sets()
        check_head()
        check_needs()
        check_wires()
        check_grants()
        check_exposed()
        check_insecure()
        check_platform()
        if (!bad) { check_memory() }
    }
    if (!bad) { order_starts() }
    if (bad) { exit 1 }
    emit()
    exit 0
}
function at_line(line) { return shown(profile_file) ":" line }

function check_components(    i, j, n, part, name) {
    for (i = 1; i <= ncomponents; i++) {
        name = component_at[i]
        if (name == "core") { continue }
        if (prefixes[name] == "" && files[name, "source"] != "") { refuse_at(defined_at[name], "component '" name "' has sources but no prefix") }
        if (start[name] == "yes" && files[name, "source"] == "" && !nproblems[name]) { refuse_at(defined_at[name], "component '" name "' has no source, so nothing to start; say: start no") }
        n = split(needs[name], part, " ")
        for (j = 1; j <= n; j++) { check_need(name, part[j]) }
    }
}
function check_need(name, need) {
    if (!(need in dir)) { refuse_at(needs_at[name, need], "needs '" need "', which does not exist" nearest(need, components)); return }
    # A contract may stand on another contract; a cycle among them is refused with the start order.
    if (room(need) == "lib" && room(name) == "lib") { return }
    if (rank_of(need) >= rank_of(name)) {
        refuse_at(needs_at[name, need], "'" name "' may not need '" need "': " room(need) " is not below " room(name) "; take a callback or put the shared part into a lib contract")
    }
}
function check_files(    i, j) {
    for (i = 1; i <= nused; i++) { for (j = 1; j <= nproblems[used[i]]; j++) { refuse_at(problem_at[used[i], j], problem[used[i], j]) } }
}
function check_sets(    i, n, part, eq, full, p) {
    n = split(sets, part, "\n")
    for (i = 1; i <= n; i++) {
        if (part[i] == "") { continue }
        if (part[i] ~ /[^ -~]/) { refuse_at("--set COMPONENT.OPTION=VALUE", "it holds a character that is not printable ASCII"); continue }
        eq = index(part[i], "=")
        full = substr(part[i], 1, eq - 1)
        if (!eq || !endpoint(full, p)) { refuse_at("--set " part[i], "write: --set COMPONENT.OPTION=VALUE"); continue }
        if (p[1] != "core" && !(p[1] in used_at)) { refuse_at("--set " part[i], "the profile names no component '" p[1] "'" nearest(p[1], used_list)); continue }
        option_override(p[1], p[2], substr(part[i], eq + 1), "--set " part[i])
    }
}
function check_head(    i, n, key) {
    n = split("profile summary platform memory status", key, " ")
    for (i = 1; i <= n; i++) {
        if (!(key[i] in head)) { refuse_at(at_line(1), "no '" key[i] "' line; add: " key[i] "  " (key[i] == "profile" ? "NAME" : key[i] == "summary" ? "\"...\"" : key[i] == "platform" ? "kvm-q35" : key[i] == "memory" ? "16M" : "experiment")) }
    }
    if (platform_override == "") { return }
    if (!has_word(platforms, platform_override)) { refuse_at("--platform=" platform_override, "no such platform; there are: " platforms); return }
    head["platform"] = platform_override
}
function check_needs(    i, j, n, part) {
    for (i = 1; i <= nused; i++) {
        n = split(needs[used[i]], part, " ")
        for (j = 1; j <= n; j++) {
            if (!(part[j] in used_at) && !missing[part[j]]++) {
                refuse_at(at_line(used_at[used[i]]), "'" used[i] "' needs '" part[j] "'; add the line: component  " part[j])
            }
        }
    }
}
# True when component and endpoint of that kind exist in this profile; otherwise says why not.
function end_is(line, component, name, k, word) {
    if (!(component in dir)) { refuse_at(at_line(line), "no component '" component "'" nearest(component, used_list)); return 0 }
    if (!(component in used_at)) { refuse_at(at_line(line), "'" component "' is not in this profile; add the line: component  " component); return 0 }
    if (endpoint_kind[component, name] != k) {
        refuse_at(at_line(line), "'" component "' " word " no " (k == "slot" ? "slot " : "") "'" name "'; it " word ": " list_or_none(names[component, k]))
        return 0
    }
    return 1
}
function check_wires(    i, a, b) {
    for (i = 1; i <= nwires; i++) {
        a = wire_from[i]; b = wire_to[i]
        if (!end_is(wire_line[i], a, wire_slot[i], "slot", "has") || !end_is(wire_line[i], b, wire_name[i], "provides", "provides")) { continue }
        if ((a, wire_slot[i]) in wired) { refuse_at(at_line(wire_line[i]), "slot " a "." wire_slot[i] " is already wired at line " wire_line[wired[a, wire_slot[i]]]); continue }
        if (type[a, wire_slot[i]] != type[b, wire_name[i]]) {
            refuse_at(at_line(wire_line[i]), "wire joins " type[a, wire_slot[i]] " to " type[b, wire_name[i]])
            continue
        }
        if (rank_of(a) < rank_of(b)) { refuse_at(at_line(wire_line[i]), "wire goes up: " room(a) " may not use " room(b)); continue }
        wired[a, wire_slot[i]] = i
        depends(a, b)
    }
    for (i = 1; i <= nused; i++) { check_open(used[i], "slot", "is not wired") }
}
function check_open(component, k, what,    j, n, part) {
    n = split(names[component, k], part, " ")
    for (j = 1; j <= n; j++) {
        if (((component, part[j]) in wired) || ((component, part[j]) in granted) || ((component, part[j]) in optional)) { continue }
        refuse_at(at_line(used_at[component]), k " " component "." part[j] " (" type[component, part[j]] ") " what "; add: " \
            (k == "slot" ? "wire" : "grant") "  " component "." part[j] " -> " candidates(type[component, part[j]], k == "slot" ? "provides" : "grants"))
    }
}
function candidates(contract, k,    i, j, n, part, s) {
    for (i = 1; i <= ncomponents; i++) {
        n = split(names[component_at[i], k], part, " ")
        for (j = 1; j <= n; j++) {
            if (type[component_at[i], part[j]] == contract) { s = s (s == "" ? "" : " or ") component_at[i] "." part[j] (scope_form[component_at[i], part[j]] == "" ? "" : " " scope_form[component_at[i], part[j]]) }
        }
    }
    return s == "" ? "(nothing " k " " contract ")" : s
}
function check_grants(    i, a, b, error) {
    for (i = 1; i <= ngrants; i++) {
        a = grant_from[i]; b = grant_to[i]
        if (!end_is(grant_line[i], a, grant_hold[i], "holds", "holds") || !end_is(grant_line[i], b, grant_name[i], "grants", "grants")) { continue }
        if ((a, grant_hold[i]) in granted) { refuse_at(at_line(grant_line[i]), a "." grant_hold[i] " is already granted at line " grant_line[granted[a, grant_hold[i]]]); continue }
        if (type[a, grant_hold[i]] != type[b, grant_name[i]]) { refuse_at(at_line(grant_line[i]), "grant joins " type[a, grant_hold[i]] " to " type[b, grant_name[i]]); continue }
        if (rank_of(a) < rank_of(b)) { refuse_at(at_line(grant_line[i]), "grant goes up: " room(a) " may not hold what " room(b) " grants"); continue }
        error = scope_error(scope_form[b, grant_name[i]], grant_scope[i])
        if (error != "") { refuse_at(at_line(grant_line[i]), b "." grant_name[i] " " error); continue }
        granted[a, grant_hold[i]] = i
        depends(a, b)
        if (grant_scope[i] ~ /^(tcp|udp)\/[0-9]+$/) { listens[substr(grant_scope[i], 5)] = i }
    }
    for (i = 1; i <= nused; i++) { check_open(used[i], "holds", "is not granted") }
}
# A form is text with words in capitals, and " or " between alternatives: PORT is a port number, another word is any text.
function scope_error(form, scope,    n, i, alternative, port) {
    if (form == "") { return scope == "" ? "" : "takes no scope, but '" scope "' is given" }
    if (scope == "") { return "needs a scope of the form " form }
    n = split(form, alternative, " or ")
    for (i = 1; i <= n; i++) {
        if (scope !~ ("^" scope_pattern(alternative[i]) "$")) { continue }
        if (alternative[i] !~ /PORT$/) { return "" }
        port = scope
        sub(/.*[\/:]/, "", port)
        return is_number(port) && port + 0 >= 1 && port + 0 <= 65535 ? "" : "needs a port in 1..65535, not '" port "'"
    }
    return "needs a scope of the form " form ", not '" scope "'"
}
function scope_pattern(form) {
    gsub(/\./, "[.]", form)
    gsub(/[A-Z][A-Z]*/, "[A-Za-z0-9._-][A-Za-z0-9._-]*", form)
    return form
}
function check_exposed(    i) {
    for (i = 1; i <= nexposed; i++) {
        if (!end_is(exposed_line[exposed_name[i]], exposed_to[i], exposed_what[i], "provides", "provides")) { continue }
        if (type[exposed_to[i], exposed_what[i]] != "object.v1") {
            refuse_at(at_line(exposed_line[exposed_name[i]]), exposed_to[i] "." exposed_what[i] " is " type[exposed_to[i], exposed_what[i]] "; only object.v1 can be exposed")
            continue
        }
        if (interface[exposed_to[i], exposed_what[i]] == "") {
            refuse_at(declared_at[exposed_to[i], exposed_what[i]], "'" exposed_what[i] "' is exposed but does not say its interface; write: provides " exposed_what[i] " : object.v1 INTERFACE")
            continue
        }
        exposed_id[i] = interface_id(exposed_to[i], interface[exposed_to[i], exposed_what[i]])
        if (exposed_id[i] == "") {
            refuse_at(declared_at[exposed_to[i], exposed_what[i]], "no schema of " exposed_to[i] " or of what it needs has an interface '" interface[exposed_to[i], exposed_what[i]] "'")
            continue
        }
        if (!("svc/node" in used_at)) { refuse_at(at_line(exposed_line[exposed_name[i]]), "expose needs 'svc/node'; add the line: component  svc/node"); continue }
        if (exposed_to[i] != "svc/node") { depends("svc/node", exposed_to[i]) }
    }
    for (i = 1; i <= nports; i++) {
        if (!(port_number[i] in listens)) { refuse_at(at_line(port_line[port_number[i]]), "nothing in this profile may listen on " port_number[i] "; add: grant  A/B.HOLD -> net/lwip.listen tcp/" port_number[i]) }
    }
}
function check_insecure(    i) {
    for (i = 1; i <= nused; i++) {
        if (used[i] in insecure_reason && !(used[i] in waived_line)) {
            refuse_at(at_line(used_at[used[i]]), "'" used[i] "': " insecure_reason[used[i]] "; if that is meant, add the line: insecure  " used[i])
        }
    }
    for (i = 1; i <= nwaived; i++) {
        if (!(waived[i] in used_at)) { refuse_at(at_line(waived_line[waived[i]]), "insecure names '" waived[i] "', which is not in this profile") }
        else if (!(waived[i] in insecure_reason)) { refuse_at(at_line(waived_line[waived[i]]), "'" waived[i] "' has nothing insecure to accept; remove the line") }
    }
}
function check_platform(    i, j, n, part, found) {
    if (head["platform"] == "" || !(head["platform"] in platform_bus)) { return }
    for (i = 1; i <= nused; i++) {
        if (buses[used[i]] == "") { continue }
        n = split(buses[used[i]], part, " ")
        found = 0
        for (j = 1; j <= n; j++) { found += has_word(platform_bus[head["platform"]], part[j]) }
        if (!found) { refuse_at(at_line(used_at[used[i]]), "'" used[i] "' needs one of the buses: " buses[used[i]] "; platform " head["platform"] " has:" platform_bus[head["platform"]]) }
    }
}
# What a component's line `k` (memory, dma, interrupts) comes to; 0 where it has none.
function sum_value(name, k,    r) {
    if (sum_of[name, k] == "") { return 0 }
    r = evaluate(name, sum_of[name, k])
    if (expression_error == "" && (r < 0 || r > size_max)) { expression_error = "comes to " sprintf("%.0f", r) (k == "interrupts" ? "" : " bytes") }
    if (expression_error == "") { return r }
    refuse_at(sum_at[name, k], k ": " expression_error)
    return 0
}
function check_memory(    i, name, sum) {
    for (i = 1; i <= nused; i++) {
        name = used[i]
        memory_bytes[name] = sum_value(name, "memory")
        dma_bytes[name] = sum_value(name, "dma")
        interrupts[name] = sum_value(name, "interrupts")
        sum += memory_bytes[name]
    }
    memory_sum = sum
    if (sum > bytes_of(head["memory"])) {
        refuse_at(at_line(head_line["memory"]), "components ask for " kib(sum) ", memory is " head["memory"] "; the largest:" largest_owners())
    }
}
function kib(n) { return sprintf("%d KiB", int((n + 1023) / 1024)) }
function largest_owners(    i, k, best, s, done) {
    for (k = 1; k <= 3; k++) {
        best = ""
        for (i = 1; i <= nused; i++) { if (!(used[i] in done) && (best == "" || memory_bytes[used[i]] > memory_bytes[best])) { best = used[i] } }
        if (best == "" || memory_bytes[best] == 0) { break }
        done[best] = 1
        s = s " " best " " kib(memory_bytes[best])
    }
    return s
}
function use_everything(    i) { for (i = 1; i <= ncomponents; i++) { if (component_at[i] != "core") { use(component_at[i], 0) } } }

# --- start order ---------------------------------------------------------------------------------------------------------

function depends(a, b) { if (a != b && !((a, b) in edge)) { edge[a, b] = 1; after[a] = after[a] " " b } }

# Of all whose providers have started, the lowest room first and the profile's order within it.
function order_starts(    i, best, left) {
    for (i = 1; i <= nused; i++) { depends_on_needs(used[i]) }
    for (left = nused; left > 0; left--) {
        best = ""
        for (i = 1; i <= nused; i++) {
            if (!(used[i] in started) && all_started(used[i]) && (best == "" || rank_of(used[i]) < rank_of(best))) { best = used[i] }
        }
        if (best == "") { refuse_cycle(); return }
        started[best] = 1
        start_order[++nstarts] = best
    }
}
function depends_on_needs(a,    j, n, part) { n = split(needs[a], part, " "); for (j = 1; j <= n; j++) { depends(a, part[j]) } }
function all_started(a,    j, n, part) {
    n = split(after[a], part, " ")
    for (j = 1; j <= n; j++) { if (!(part[j] in started)) { return 0 } }
    return 1
}
# Walks from any unstarted component along unstarted providers until one repeats: that is the cycle.
function refuse_cycle(    i, at, seen, path, j, n, part) {
    for (i = 1; i <= nused; i++) { if (!(used[i] in started)) { at = used[i]; break } }
    while (!(at in seen)) {
        seen[at] = 1
        path = path " " at
        n = split(after[at], part, " ")
        for (j = 1; j <= n; j++) { if (!(part[j] in started)) { at = part[j]; break } }
    }
    path = substr(path, index(path " ", " " at " ") + 1)
    gsub(/ /, " -> ", path)
    refuse_at(mode == "tests" ? defined_at[at] : at_line(used_at[at]), "wires form a cycle, so nothing of it can start first: " path " -> " at)
}
