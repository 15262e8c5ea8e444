#!/usr/bin/env bash
# Set up what is missing, then lint, type-check and test, a test file at a time on each core.
# Arguments go to pytest: tests/run.sh -m "not slow" tests/wer; -n 0 for one process, as a debugger needs.
set -euo pipefail

case "${1:-}" in -h|--help) sed -n '2,3s/^# //p' "$0"; exit 0 ;; esac
cd "$(dirname "$0")/.."
local/setup.sh
# shellcheck source=path.sh
. ./path.sh
ruff check local egs tests
ruff format --check --quiet local egs tests
mypy
mypy local/*.py
[ $# -gt 0 ] || python3 -m pytest tests/benchmarks
python3 -m pytest -n auto --dist loadfile --no-loadscope-reorder "$@"
