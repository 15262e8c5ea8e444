#!/usr/bin/env bash
# LibriSpeech: rescore 10-best lists of dev-clean and dev-other, speakers split into train, dev and test.
#
#   ./run.sh --asr_decode DIR      DIR/{dev_clean,dev_other}/logdir/output.J/Nbest_recog, references in ref_text there
#
# Takes every option of the top-level run.sh; starts at stage 4. What the train speakers say in all of their utterances is
# in exp/split/train_text, for --lm_text.
set -euo pipefail

here="$(cd "$(dirname "$0")" && pwd)"
# The decode is the caller's path; other paths are seen from here, where conf and exp are.
options=()
while [ $# -gt 0 ]; do
    options+=("$1")
    if [[ "$1" =~ ^--asr[-_]decode$ ]] && [ -n "${2:-}" ]; then
        options+=("$(realpath -m -- "$2")")
        shift
    fi
    shift
done
cd "${here}"
exec ../../../run.sh --stage 4 --nbest_sh "${here}/local/nbest.sh" --ref ref_text --lm_text none \
    --train_set train --dev_set dev --test_sets "test_clean test_other" --lora "none vanilla" "${options[@]}"
