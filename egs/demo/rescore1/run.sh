#!/usr/bin/env bash
# The demo: WordNet's example sentences, spoken by espeak-ng. The same as the top-level run.sh, whose defaults it is,
# but data/ and exp/ are made here. Takes every option of the top-level run.sh.
set -euo pipefail

cd "$(dirname "$0")"
exec ../../../run.sh "$@"
