#!/usr/bin/env bash
# The comparison of egs/librispeech/rescore1/RESULTS.md: strategies on a decoder (clm) and on an encoder (cls) that
# learns from it, over seeds; what they are combined; and the robustness of those of the first seed.
#
#   ./compare.sh --asr_decode DIR
#
# It takes hours on a CPU. It can be stopped at any time and goes on where it was: what is finished is skipped.
set -euo pipefail
{  # read as a whole before anything runs, so that an update of this file does not change what is running

asr_decode=                                  # as for run.sh
strategies="none full vanilla adalora warmup mixed"
seeds="1"                                    # of every strategy
more_seeds="2 3"                             # of most of them besides
mixed_ranks=                                 # ranks at which mixed is scored besides its own, "1 2 4": a pass over the sets each
dtype=bf16                                   # of scoring, as of training: conf/train_*.yaml
part=all                                     # decoder, encoder (which needs the decoder's none), robustness, best; all: one by one

here="$(cd "$(dirname "$0")" && pwd)"
# shellcheck source=local/parse_options.sh
. "${here}/../../../local/parse_options.sh"
[ -z "${asr_decode}" ] || asr_decode="$(realpath -m -- "${asr_decode}")"  # the caller's path
cd "${here}"

common=(--asr_decode "${asr_decode}" --dtype "${dtype}" --mixed_ranks "${mixed_ranks}" --lm_text none)
decoder=(./run.sh "${common[@]}" --train_config conf/train_clm.yaml)
encoder=(./run.sh "${common[@]}" --train_config conf/train_cls.yaml --plm minilm --objective mwer+distill
    --teacher exp/plm/smollm2_clm_none)

compare() {  # compare STRATEGIES COMMAND: the strategies on one PLM, these over more seeds
    "${@:2}" --stage 5 --stop_stage 7 --lora "${strategies}" --seeds "${seeds}"
    "${@:2}" --stage 5 --stop_stage 7 --lora "$1" --seeds "${more_seeds}"
}

case "${part}" in
    decoder | encoder | robustness | best | all) ;;
    *) echo "$0: --part ${part}, expected decoder, encoder, robustness, best or all" >&2; exit 1 ;;
esac
if [[ "${part}" =~ ^(decoder|all)$ ]]; then
    "${decoder[@]}" --stop_stage 7 --lora none  # the lists, and the encoder's teacher
    compare "full vanilla adalora warmup mixed" "${decoder[@]}"
    "${decoder[@]}" --stage 5 --stop_stage 7 --lora vanilla --seeds "${seeds} ${more_seeds}" --suffix robust \
        --perturb_train homophone:0.2 --consistency 0.1
fi
if [[ "${part}" =~ ^(encoder|all)$ ]]; then
    "${encoder[@]}" --stop_stage 4  # the encoder itself
    compare "full vanilla adalora" "${encoder[@]}"
fi
if [[ "${part}" =~ ^(robustness|all)$ ]]; then
    "${decoder[@]}" --stage 8 --stop_stage 9 --lora "${strategies}" --seeds "${seeds}"
    "${encoder[@]}" --stage 8 --stop_stage 9 --lora "${strategies}" --seeds "${seeds}"
fi
if [[ "${part}" =~ ^(best|all)$ ]]; then  # what plm/ has: on all lists of the training speakers
    "${decoder[@]}" --stage 5 --stop_stage 7 --lora vanilla --seeds 1 --suffix all --train_set train_all \
        --train_config conf/train_all.yaml --perturb_train homophone:0.2 --consistency 0.1
    # shellcheck source=path.sh
    . "../../../path.sh"
    # Their weights, for sets that are none of these, on lists as eval.sh makes them.
    python3 -m lorescore expand --nbest_dir exp/nbest/held_out --recombine 50 --out_dir exp/nbest/recombined
    for tag in smollm2_clm_none smollm2_clm_vanilla_mwer_s1_all; do
        python3 -m lorescore rescore --nbest exp/nbest/recombined/held_out --model "exp/plm/${tag}" --tune --dtype "${dtype}" \
            --score_cache exp/score_cache.sqlite --out "exp/eval/${tag}/held_out"
    done
fi
[[ ! "${part}" =~ ^(robustness|all)$ ]] || "${decoder[@]}" --stage 10
exit
}
