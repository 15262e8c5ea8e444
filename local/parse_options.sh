# Parse `--name value` into the shell variable `name`, for every variable that is already set (sourced, not run).
# A smaller parse_options.sh in Kaldi's manner: an option that is not a variable of the script is an error that names
# the nearest one.

_option_names() {
    # The options are the assignments at the top of the script, up to the line that sources this file.
    sed -n '/parse_options\.sh/q; s/^\([a-z_][a-z0-9_]*\)=.*/\1/p' "$0"
}

while [ $# -gt 0 ]; do
    case "$1" in
        --help|-h)
            # The comment block under the first line, then each option with its default and its comment.
            sed -n '2,/^[^#]/{/^#/!d; s/^# \{0,1\}//; p}' "$0"
            echo
            echo "Options (with defaults):"
            sed -n '/parse_options\.sh/q; s/^\([a-z_][a-z0-9_]*\)=\([^#]*[^# ]\{0,1\}\) *\(#.*\)\{0,1\}$/  --\1 \2 \3/p' "$0"
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
