#!/usr/bin/env bash
# Domain adaptation of a PLM on the demo, four ways side by side; copy it and put your own text and lists in.
#
#   1. none    the PLM as it is
#   2. text    sentences of the domain alone (`lm`): no speech and no first pass is needed to train it
#   3. lists   N-best lists with references alone (`mwer`)
#   4. both    `mwer` on the lists and the PLM's own loss on references and sentences: the default of run.sh
#
#   ./run.sh                                        all of it, from nothing to exp/RESULTS.md
#   ./run.sh --lora adalora                         the same with another strategy
#   ./run.sh --lm_text FILE --stage 4 --asr_decode DIR --ref FILE --train_set A --dev_set B --test_sets C
#                                                   your own sentences, one a line, and your own decode
#
# Takes every option of the top-level run.sh besides.
set -euo pipefail

stage=0
stop_stage=10
lora=vanilla
lm_text=data/sentences/train.txt   # sentences of the domain, one a line: the demo's, which stage 1 writes

cd "$(dirname "$0")"
# What differs between the four is taken out; the top-level run.sh has the rest.
rest=()
while [ $# -gt 0 ]; do
    case "$1" in
        --help|-h) exec ../../../run.sh --help ;;
        --stage) stage="${2:?--stage needs a value}"; shift 2 ;;
        --stop_stage) stop_stage="${2:?--stop_stage needs a value}"; shift 2 ;;
        --lora) lora="${2:?--lora needs a value}"; shift 2 ;;
        --lm_text) lm_text="${2:?--lm_text needs a value}"; shift 2 ;;
        *) rest+=("$1"); shift ;;
    esac
done

for number in stage stop_stage; do
    [[ "${!number}" =~ ^[0-9]+$ ]] || { echo "$0: --${number} is '${!number}', expected a whole number" >&2; exit 1; }
done

recipe() {  # recipe FIRST LAST OPTION...: those of these stages that are asked for
    local first="$1" last="$2"
    [ "${stage}" -le "${first}" ] || first="${stage}"
    [ "${stop_stage}" -ge "${last}" ] || last="${stop_stage}"
    [ "${first}" -gt "${last}" ] || ../../../run.sh "${rest[@]}" "${@:3}" --stage "${first}" --stop_stage "${last}"
}
recipe 0 7 --lora none
adapt=(recipe 5 7 --lora "${lora}")
"${adapt[@]}" --objective lm --lm_text "${lm_text}" --train_config conf/text.yaml --suffix text
"${adapt[@]}" --objective mwer --lm_text none --lm_loss 0 --suffix lists
"${adapt[@]}" --objective mwer --lm_text "${lm_text}" --suffix both
recipe 10 10 --lora none
