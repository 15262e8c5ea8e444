#!/usr/bin/env bash
# Other sets of the decode, such as test-clean and test-other, by a rescorer and with weights that know nothing of them.
#
#   ./eval.sh --asr_decode DIR --sets "test_clean test_other"
#
# DIR/<set>/logdir/output.J/Nbest_recog as for run.sh; results are in exp/eval/<tag>/<set>, in scoring_kaldi, score_wer
# and score_ctm. The rescorers of plm/ need nothing before; any other is one that run.sh has trained and tuned,
# exp/plm/<tag>.
set -euo pipefail

asr_decode=                      # directory that holds the decodes
sets="test_clean test_other"     # its sets to rescore
ref="ref_text"                   # references beside each logdir
tag=smollm2_clm_vanilla_mwer_s1_all   # the rescorer; smollm2_clm_none: the PLM as it is
weights=                         # weights.yaml (default: those tuned on dev for this rescorer)
context=2                        # utterances before each one in its chapter that the PLM reads too
recombine=50                     # hypotheses of a list with combinations of what they differ in; 0: the lists as they are
dtype=auto                       # of scoring: fp32, bf16, or auto

here="$(cd "$(dirname "$0")" && pwd)"
# shellcheck source=local/parse_options.sh
. "${here}/../../../local/parse_options.sh"
# Paths are those of the caller.
[ -z "${asr_decode}" ] || asr_decode="$(realpath -m -- "${asr_decode}")"
[ -z "${weights}" ] || weights="$(realpath -m -- "${weights}")"
cd "${here}"
# shellcheck source=path.sh
. "../../../path.sh"
lorescore() { python3 -m lorescore "$@"; }

[ -n "${asr_decode}" ] || { echo "$0: --asr_decode DIR: where are the decodes of ${sets}?" >&2; exit 1; }
if [ -d "plm/${tag}" ]; then
    model="plm/${tag}"
    [ -f exp/plm_base/smollm2_clm/plm.yaml ] || lorescore fetch-plm
else
    model="exp/plm/${tag}"
fi
for set in ${sets}; do
    lorescore import-nbest --decode_dir "${asr_decode}/${set}" --ref "${asr_decode}/${set}/${ref}" \
        --context "${context}" --out "exp/eval/nbest/${set}"
    [ "${recombine}" -eq 0 ] ||
        lorescore expand --nbest_dir "exp/eval/nbest/${set}" --recombine "${recombine}" --out_dir exp/eval/nbest
    out="exp/eval/${tag}/${set}" first_pass="exp/eval/first_pass/${set}/text"
    lorescore rescore --nbest "exp/eval/nbest/${set}" --model "${model}" --out "${out}" --dtype "${dtype}" \
        --score_cache exp/score_cache.sqlite ${weights:+--weights "${weights}"}
    mkdir -p "$(dirname "${first_pass}")"
    sed -nE 's/^([^ ]+)-1( |$)/\1\2/p' "exp/eval/nbest/${set}/words_text" > "${first_pass}"
    lorescore score --ref "exp/eval/nbest/${set}/text" --hyp "${out}/text" --out "${out}" --baseline "${first_pass}" \
        --weights "${out}/weights.yaml" --ctm "${out}/ctm"
done
