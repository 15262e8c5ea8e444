#!/usr/bin/env bash
# Rescore the decodes of the ESPnet recipe beside this directory; results go beside its own, for show_asr_result.sh:
# <asr_exp>/<inference_tag>_<tag>/<set>/score_wer/result.txt.
#
#   ./run.sh --asr_exp exp/asr_train_... --inference_tag decode_... --test_sets "test_clean test_other"
#                                 N-best lists of its decodes, a frozen PLM, weights tuned on the validation set
#   ./run.sh --stage 3 ...        decode again with N-best lists, where the decodes have the best hypothesis alone
#   ./run.sh --train_set train_dev --lora "none vanilla" ...
#                                 train on the lists of a decoded set, too
#
# Takes every option of lorescore's run.sh (--help). Without an environment: ./run.sh --stage 0 --stop_stage 0
set -euo pipefail

asr_dir=../asr1         # the ESPnet recipe, as seen from here
dev_set=                # decoded set to tune weights on; empty: the validation set (org/<set>), or the one dev set

cd "$(dirname "$0")"
# shellcheck source=path.sh
. ./path.sh
export PATH="${PATH}:${PWD}/../../../tools/sctk/bin"  # ESPnet's sclite, where there is no other
exec "${LORESCORE_ROOT}/run.sh" --stage 4 --stop_stage 7 --asr_dir "${asr_dir}" \
    --train_set "" --dev_set "${dev_set}" --test_sets "" --lora none "$@"
