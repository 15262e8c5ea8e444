#!/usr/bin/env bash
# Stage 4 of the recipe: the decodes of dev-clean and dev-other -> N-best directories of disjoint speakers.
set -euo pipefail

asr_decode=            # directory that holds dev_clean and dev_other, each with logdir/output.J/Nbest_recog
ref="ref_text"         # references beside each logdir
max_train=600          # utterances to train on; train_all has all of these speakers
max_dev=600            # utterances to tune on
max_test=500           # utterances to report, for each of dev-clean and dev-other
context=2              # utterances before each one in its chapter that the PLM reads too
context_chosen=0       # further ones of the chapter with words on which hypotheses differ

here="$(cd "$(dirname "$0")" && pwd)"
# shellcheck source=local/parse_options.sh
. "${here}/../../../../local/parse_options.sh"

[ -n "${asr_decode}" ] || { echo "$0: --asr_decode DIR: where are the decodes of dev_clean and dev_other?" >&2; exit 1; }
for set in dev_clean dev_other; do
    python3 -m lorescore import-nbest --decode_dir "${asr_decode}/${set}" --ref "${asr_decode}/${set}/${ref}" \
        --context "${context}" --context_chosen "${context_chosen}" --out "exp/nbest/${set}"
done
mkdir -p exp/split
for part in train dev test; do
    awk -v part="${part}" '$2 == part { print $1 }' "${here}/split.txt" > "exp/split/${part}.spk"
done
# What the train speakers say in all of their utterances: text of the domain.
cat exp/nbest/dev_{clean,other}/text | awk '
    NR == FNR { kept[$1]; next }
    { split($1, id, "-"); text = $0; sub(/^[^ ]* /, "", text); if (id[1] in kept) print text }
' exp/split/train.spk - > exp/split/.train_text.partial
mv exp/split/.train_text.partial exp/split/train_text
subset=(python3 -m lorescore subset)
both=(exp/nbest/dev_clean exp/nbest/dev_other)
"${subset[@]}" --nbest_dir "${both[@]}" --spk_list exp/split/train.spk --max_utts "${max_train}" --out exp/nbest/train
"${subset[@]}" --nbest_dir "${both[@]}" --spk_list exp/split/train.spk --out exp/nbest/train_all
"${subset[@]}" --nbest_dir "${both[@]}" --spk_list exp/split/dev.spk --max_utts "${max_dev}" --out exp/nbest/dev
for condition in clean other; do
    "${subset[@]}" --nbest_dir "exp/nbest/dev_${condition}" --spk_list exp/split/test.spk --max_utts "${max_test}" \
        --out "exp/nbest/test_${condition}"
done
# All lists that nothing is trained on: what the weights for other sets than these two are tuned on (compare.sh).
cat exp/split/{dev,test}.spk > exp/split/held_out.spk
"${subset[@]}" --nbest_dir "${both[@]}" --spk_list exp/split/held_out.spk --out exp/nbest/held_out
