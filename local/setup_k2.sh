#!/usr/bin/env bash
# Stage 0: an environment for k2 (.venv-k2, 3.4 GB), the default backend for lattices. It is not needed: without it
# kaldi-decoder makes the lattices, so this script never fails, it says what is missing.
#
# PyPI's k2 1.23.4 is built for Python 3.9 and torch 1.13.1. K2_PYTHON names a Python 3.9; otherwise one is sought on the
# PATH and among pyenv's. Set K2_PYTHON=none to do without k2.
set -euo pipefail

root="$(cd "$(dirname "$0")/.." && pwd)"
venv="${K2_VENV:-${root}/.venv-k2}"
packages=(k2==1.23.4 torch==1.13.1 'numpy<2' kaldiio==2.18.1)
wanted="$(printf '%s ' "${packages[@]}")"

without() { echo "$0: $1; kaldi-decoder will make the lattices"; exit 0; }

[ "$(cat "${venv}/.made_from" 2>/dev/null)" != "${wanted}" ] || exit 0
[ "${K2_PYTHON:-}" != none ] || without "no k2, as K2_PYTHON=none says"
python=
for candidate in ${K2_PYTHON:-python3.9 "${PYENV_ROOT:-${HOME}/.pyenv}"/versions/3.9.*/bin/python3.9}; do
    if "${candidate}" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 9))' 2> /dev/null; then
        python="${candidate}"
        break
    fi
done
[ -n "${python}" ] || without "no k2: ${K2_PYTHON:-python3.9} is not a Python 3.9 that runs (K2_PYTHON names one)"

echo "$0: making ${venv} for k2 (3.4 GB)"
rm -rf "${venv}"
log="$(mktemp)"
if "${python}" -m venv "${venv}" > "${log}" 2>&1 &&
    "${venv}/bin/python" -m pip install --quiet "${packages[@]}" >> "${log}" 2>&1 &&
    env -u PYTHONPATH "${venv}/bin/python" -c 'import k2, kaldiio' >> "${log}" 2>&1; then
    echo "${wanted}" > "${venv}/.made_from"
    rm -f "${log}"
else
    rm -rf "${venv}"
    without "k2 could not be installed: $(tail -n 1 "${log}") (log: ${log})"
fi
