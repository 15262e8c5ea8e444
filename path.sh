# shellcheck shell=bash
# Puts the recipe's environment and its Python package on the paths (sourced, not run).
# A recipe has a link to this file.
LORESCORE_ROOT="$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)"
export LORESCORE_ROOT
export PATH="${LORESCORE_ROOT}/.venv/bin:${PATH}:/usr/lib/sctk/bin"
export PYTHONPATH="${LORESCORE_ROOT}/local${PYTHONPATH:+:${PYTHONPATH}}"
export LC_ALL=C.UTF-8 PYTHONUTF8=1
# Tokenizers need no threads of their own, and warn when a process that used them forks.
export TOKENIZERS_PARALLELISM=false
# Threads that wait give their core away: on a busy machine, spinning ones take three times as long.
export OMP_WAIT_POLICY="${OMP_WAIT_POLICY:-passive}"
