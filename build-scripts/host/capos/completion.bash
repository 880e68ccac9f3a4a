# SPDX-License-Identifier: MIT OR Apache-2.0
# completion.bash: completion of capos in bash. `make install` puts it behind what `capos help --completion` prints:
# _capos_verb, _capos_first, _capos_second and _capos_value, made from the table that help comes from.

_capos_nodes() {
    local state=${CAPOS_STATE:-${XDG_RUNTIME_DIR:+$XDG_RUNTIME_DIR/capos}} record
    for record in "${state:-/tmp/capos-$UID}"/*/node.json; do
        [ -e "$record" ] || continue
        record=${record%/node.json}
        printf '%s\n' "${record##*/}"
    done
}

_capos_images() {
    local image name
    for image in build/*/*.elf; do
        name=${image##*/}
        [ ! -e "$image" ] || printf '%s\n' "${name%.elf}"
    done
}

# _capos_kind FIRST KIND...: which kind of word is due, behind those that stand from FIRST on. `more` repeats the one before.
_capos_kind() {
    local i last=none
    for ((i = $1; i < COMP_CWORD; i++)); do
        [[ ${COMP_WORDS[i]} == -* ]] && continue
        [ "${2:-more}" = more ] || { last=$2; set -- "$1" "${@:3}"; }
    done
    [ "${2:-none}" = more ] && echo "$last" || echo "${2:-none}"
}

_capos() {
    local word=${COMP_WORDS[COMP_CWORD]} verb=${COMP_WORDS[1]:-} first=2 words='' flags='' choices=''
    if _capos_verb "$verb ${COMP_WORDS[2]:-}"; then first=3; else _capos_verb "$verb"; fi
    if [ "$COMP_CWORD" = 1 ]; then
        choices="$(_capos_first) --version"
    elif [ "$COMP_CWORD" = 2 ] && [ -n "$(_capos_second "$verb")" ]; then
        choices=$(_capos_second "$verb")
    elif _capos_value "${COMP_WORDS[COMP_CWORD - 1]}"; then
        :
    elif [[ $word == -* ]]; then
        choices=$flags
    else
        # shellcheck disable=SC2086
        case $(_capos_kind "$first" $words) in
        node) choices=$(_capos_nodes) ;;
        fleet) choices=$(_capos_images) ;;
        verb) choices=$(_capos_first) ;;
        file) compopt -o default 2>/dev/null ;;
        esac
    fi
    # shellcheck disable=SC2207
    COMPREPLY=($(compgen -W "$choices" -- "$word"))
}
complete -F _capos capos
