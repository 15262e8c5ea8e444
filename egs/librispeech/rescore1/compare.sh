#!/usr/bin/env bash
# The comparison of egs/librispeech/rescore1/RESULTS.md: strategies on a decoder (clm) and on an encoder (cls) that
# learns from it, over seeds; then the robustness of those of the first seed.
#
#   ./compare.sh --asr_decode DIR
#
# It takes hours on a CPU. It can be stopped at any time and goes on where it was: what is finished is skipped.
set -euo pipefail

asr_decode=                                  # as for run.sh
strategies="none full vanilla adalora warmup mixed"
seeds="1"                                    # of every strategy
more_seeds="2 3"                             # of full, vanilla and adalora besides
perturb_rates="0.1 0.3"                      # of the homophones, for stages 8 and 9

here="$(cd "$(dirname "$0")" && pwd)"
# shellcheck source=local/parse_options.sh
. "${here}/../../../local/parse_options.sh"
cd "${here}"

decoder=(./run.sh --asr_decode "${asr_decode}" --lora "${strategies}")
encoder=(./run.sh --asr_decode "${asr_decode}" --plm minilm --objective mwer+distill --lora "${strategies}"
    --teacher exp/plm/smollm2_clm_none --train_config conf/train_cls.yaml)

"${decoder[@]}" --stop_stage 7 --lora "none" # the teacher
"${encoder[@]}" --stop_stage 7 --seeds "${seeds}"
"${decoder[@]}" --stop_stage 7 --seeds "${seeds}"
"${decoder[@]}" --stage 8 --stop_stage 9 --seeds "${seeds}" --rates "${perturb_rates}"
"${encoder[@]}" --stage 5 --stop_stage 7 --seeds "${more_seeds}" --lora "full vanilla adalora"
"${decoder[@]}" --stage 5 --stop_stage 7 --seeds "${more_seeds}" --lora "full vanilla adalora"
"${decoder[@]}" --stage 10
