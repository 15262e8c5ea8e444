#!/usr/bin/env bash
# Stage 1 of the demo: sentences from WordNet, speech from espeak-ng, Kaldi data directories.
set -euo pipefail

n_train=400            # utterances of the rescorer's training set
n_dev=400              # utterances of dev
n_test=500             # utterances of test
train_asr=false        # also make asr_train, 38,000 utterances (23 hours, 2.6 GB), to train the first pass
data_dir=data          # where the data directories go
seed=2401              # of the split, the voices and the noise
nj=2                   # utterances spoken at once

here="$(cd "$(dirname "$0")" && pwd)"
# shellcheck source=local/parse_options.sh
. "${here}/../../../../local/parse_options.sh"

# Before anything is written: sentences without speech would be taken for text of the domain (stage 5).
command -v espeak-ng > /dev/null || { echo "$0: espeak-ng: not found: install Debian's espeak-ng" >&2; exit 1; }

sentences="${data_dir}/sentences"
python3 "${here}/prepare_text.py" --seed "${seed}" "${sentences}"
python3 "${here}/prepare_lm.py" "${sentences}/asr_train.txt" "${data_dir}/lm_train"
synthesize=(python3 "${here}/synthesize.py" --seed "${seed}" --nj "${nj}")
"${synthesize[@]}" --max_utts "${n_train}" "${sentences}/train.txt" "${data_dir}/train"
"${synthesize[@]}" --max_utts "${n_dev}" "${sentences}/dev.txt" "${data_dir}/dev"
"${synthesize[@]}" --max_utts "${n_test}" "${sentences}/test.txt" "${data_dir}/test"
if [ "${train_asr}" = true ]; then
    # Noisier, so that the first pass is robust.
    "${synthesize[@]}" --snr 3 25 "${sentences}/asr_train.txt" "${data_dir}/asr_train"
fi
