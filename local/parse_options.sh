# shellcheck shell=bash
# Parse `--name value` into the shell variable `name` (sourced, not run), in the manner of Kaldi's parse_options.sh.
#
# A script's options are its assignments `name=default  # what it is`, each with its comment on the same line; --help
# prints them, and an option that is none of them is an error.

_option_names() {
    sed -n 's/^\([a-z_][a-z0-9_]*\)=.* # .*/\1/p' "$0"
}

while [ $# -gt 0 ]; do
    case "$1" in
        --help|-h)
            # The comment block under the first line, then each option with its default and its comment.
            sed -n '2,/^[^#]/{/^#/!d; s/^# \{0,1\}//; p}' "$0"
            echo
            echo "Options (with defaults):"
            sed -n 's/^\([a-z_][a-z0-9_]*\)=\(.* # .*\)/  --\1 \2/p' "$0"
            exit 0 ;;
        --*)
            _name="${1#--}"; _name="${_name//-/_}"
            if ! _option_names | grep -qxF -- "${_name}"; then
                _known="$(_option_names | tr '\n' ' ')"
                echo "$0: $1: no such option; options: ${_known}" >&2; exit 1
            fi
            [ $# -ge 2 ] || { echo "$0: $1 needs a value" >&2; exit 1; }
            printf -v "${_name}" '%s' "$2"
            shift 2 ;;
        *) break ;;
    esac
done
unset _name _known
