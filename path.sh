# Puts the recipe's environment and its Python package on the paths (sourced, not run).
LORESCORE_ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
export LORESCORE_ROOT
export PATH="${LORESCORE_ROOT}/.venv/bin:${PATH}:/usr/lib/sctk/bin"
export PYTHONPATH="${LORESCORE_ROOT}/local${PYTHONPATH:+:${PYTHONPATH}}"
export LC_ALL=C.UTF-8 PYTHONUTF8=1
# Offline, ESPnet's optional grapheme-to-phoneme package would wait for a download each time it is imported.
export TOKENIZERS_PARALLELISM=false
