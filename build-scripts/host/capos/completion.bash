# SPDX-License-Identifier: MIT OR Apache-2.0
# completion.bash: completion of capos in bash. `make install` puts it where bash-completion looks.

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

_capos() {
    local word=${COMP_WORDS[COMP_CWORD]} verb="${COMP_WORDS[1]:-} ${COMP_WORDS[2]:-}" choices=
    local common="--json --state --timeout --connect-timeout --help"
    local up="--platform --machine --detach --name --build --port --disk --disk-size --memory --accel --cpu --no-net --no-disk
        --no-rng --qemu-arg --append --gdb --debug --deadline --lifetime"
    case "$COMP_CWORD $verb" in
    "1 "*) choices="fleet node ls describe call put get logs image help --version" ;;
    "2 fleet "*) choices="up down status logs" ;;
    "2 node "*) choices="ls" ;;
    "2 image "*) choices="query" ;;
    "2 help "*) choices="fleet node ls describe call put get logs image" ;;
    *" fleet up") choices="$(_capos_images) $common $up" ;;
    *" fleet "*) choices="$(_capos_nodes) $common -f" ;;
    "2 "*) choices="$(_capos_nodes) $common" ;;
    *" image query" | "4 put "* | "4 get "*) compopt -o default ;;
    *) choices=$common ;;
    esac
    # shellcheck disable=SC2207
    COMPREPLY=($(compgen -W "$choices" -- "$word"))
}
complete -F _capos capos
