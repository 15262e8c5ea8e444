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
# Memory that tensors of up to 32 MB give back stays with the process (glibc), in large pages (PyTorch, where the kernel
# lets programs ask for them): otherwise the kernel clears new pages for every layer, a tenth to a quarter of the time.
export MALLOC_MMAP_THRESHOLD_="${MALLOC_MMAP_THRESHOLD_:-33554432}"
export MALLOC_TRIM_THRESHOLD_="${MALLOC_TRIM_THRESHOLD_:-4294967296}"
export THP_MEM_ALLOC_ENABLE="${THP_MEM_ALLOC_ENABLE:-1}"
