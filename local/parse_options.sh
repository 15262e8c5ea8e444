# shellcheck shell=bash
# Parse `--name value` into the shell variable `name` (sourced, not run), in the manner of Kaldi's parse_options.sh.
#
# A script's options are its assignments `name=default  # what it is`, each with its comment on the same line; --help
# prints them. An option that is none of them is an error, which names the nearest; so is an argument that is no option.
# As in Kaldi, an option that is true or false by default, or a whole number, stays one.

_option_names() {
    sed -n 's/^\([a-z_][a-z0-9_]*\)=.* # .*/\1/p' "$0"
}

_option_error() { echo "$0: $1" >&2; exit 1; }

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
                mapfile -t _known < <(_option_names)
                _nearest="$(python3 -c 'import difflib, sys
print(*(f"did you mean --{name}? " for name in difflib.get_close_matches(sys.argv[1], sys.argv[2:], 1, 0.4)))' \
                    "${_name}" "${_known[@]}" 2> /dev/null || true)"
                _option_error "$1: no such option (${_nearest}options: ${_known[*]})"
            fi
            [ $# -ge 2 ] || _option_error "$1 needs a value"
            # Its default decides, as the script has it: the variable may have been set by an option before this one.
            case "$(sed -n "s/^${_name}=\([^ ]*\) .*# .*/\1/p" "$0")" in
                true|false)
                    [[ "$2" =~ ^(true|false)$ ]] || _option_error "$1 is '$2', expected true or false" ;;
                *[!0-9]*|'') ;;
                *)
                    [[ "$2" =~ ^(0|-?[1-9][0-9]*)$ ]] || _option_error "$1 is '$2', expected a whole number" ;;
            esac
            printf -v "${_name}" '%s' "$2"
            shift 2 ;;
        *) _option_error "$1: not an option, expected --name value (--help lists the options)" ;;
    esac
done
unset _name _known _nearest
