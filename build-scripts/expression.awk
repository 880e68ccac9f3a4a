# SPDX-License-Identifier: MIT OR Apache-2.0
# expression.awk: `memory` lines: + - * / ( ), sizes such as 16K, and options of the component, by recursive descent.
# evaluate(component, text) gives a number and leaves "" or the reason in expression_error.

function evaluate(component, text,    r) {
    expression_error = ""
    expression_left = text
    expression_component = component
    expression_depth = 0
    r = expression_sum()
    if (expression_error == "" && expression_left != "") { expression_error = expression_unread() }
    return r
}
function expression_unread() { return "cannot read '" substr(expression_left, 1, 1) "'" }
function expression_take(pattern,    token) {
    if (!match(expression_left, "^(" pattern ")")) { return "" }
    token = substr(expression_left, 1, RLENGTH)
    expression_left = substr(expression_left, RLENGTH + 1)
    return token
}
function expression_sum(    r, sign) {
    r = expression_product()
    while ((sign = expression_take("[-+]")) != "") {
        r = sign == "+" ? r + expression_product() : r - expression_product()
    }
    return r
}
function expression_product(    r, sign, d) {
    r = expression_atom()
    while ((sign = expression_take("[*/]")) != "") {
        d = expression_atom()
        if (sign == "/" && d == 0) { expression_error = "division by zero"; return 0 }
        r = sign == "*" ? r * d : int(r / d)
    }
    return r
}
function expression_atom(    token, r) {
    if (expression_take("[(]") != "") {
        if (++expression_depth > 16) { expression_error = "more than 16 ( inside each other"; expression_left = ""; return 0 }
        r = expression_sum()
        expression_depth--
        if (expression_take("[)]") == "" && expression_error == "") { expression_error = expression_left == "" ? "a ( is not closed" : expression_unread() }
        return r
    }
    token = expression_take("[0-9]+[KMG]?")
    if (token != "") {
        r = bytes_of(token)
        if (r < 0 && expression_error == "") { expression_error = "'" token "' is no size" }
        return r
    }
    token = expression_take("[a-z][a-z0-9_]*")
    if (token != "" && ((expression_component, token) in option_kind)) { return option_number(expression_component, token) }
    if (expression_error == "") {
        expression_error = token != "" ? "'" token "' is no option; there are: " list_or_none(options[expression_component]) : expression_unread()
    }
    expression_left = ""
    return 0
}
