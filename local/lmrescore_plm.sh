#!/usr/bin/env bash
# Rescore the lattices of a Kaldi decode with a pretrained language model; in the manner of Kaldi's steps/lmrescore.sh.
#
#   lmrescore_plm.sh [options] <data-dir> <input-decode-dir> <output-decode-dir>
#
#   lmrescore_plm.sh --plm-dir exp/plm/<tag> --tune true data/dev exp/tri3/decode_dev exp/tri3/decode_dev_plm
#   lmrescore_plm.sh --plm-dir exp/plm/<tag> --weights exp/tri3/decode_dev_plm/weights.yaml \
#       data/test exp/tri3/decode_test exp/tri3/decode_test_plm
#
# Reads lat.*.gz or, where there are none, the N-best archives of lmrescore_nbest.sh (archives.*). Writes
#   nbest/                             the lists, with the PLM's costs in lmwt.<tag>
#   lat.1.gz, num_jobs, words.txt      from lattices, rescored lattices of these lists: at the acoustic scale acwt a
#                                      path's cost is minus its combined score
#   text, ctm, weights.yaml            what was chosen, and how
#   scoring_kaldi/{wer_*,best_wer}     (cer_*, best_cer) at these weights, which are never chosen on the set that they score but by --tune;
#                                      after local/wer_{output,ref,hyp}_filter where the recipe has them, as in tuning
#
# Stages: 1 N-best lists, 2 rescoring, 3 scoring.
set -euo pipefail
{  # read as a whole before anything runs, so that an update of this file does not change what is running

plm_dir=               # a trained rescorer, exp/plm/<tag>
lang=                  # directory with the words.txt of the lattices (default: that of the decoding's log, or what is found)
num_hyps=10            # hypotheses of a list; also --N
acwt=0.1               # weight of the acoustic cost, as the lists are made and as the lattices are to be read
inv_acwt=              # 1 / acwt, instead of it
weights=               # weights.yaml of a --tune call (default: the one beside the rescorer, or stage 6's)
lm_weight=             # weight of the PLM score, instead of weights
word_bonus=0.0         # bonus a word, with lm_weight
metric=wer             # what errors and word_bonus count: words (wer), or characters (cer): Mandarin, Japanese
cleaner=               # what is done to texts before errors are counted: whisper_en, ... (default: nothing)
tune=false             # tune the weights on this data, a development set
fallback=              # ESPnet decode or N-best directory whose best stands in for missing lattices, or empty: nothing does
frame_shift=           # seconds a frame of the alignments (default: frame_shift beside the lattices, else 0.01 x frame_subsampling_factor)
score_cache=           # SQLite file of scores that were given before (default: none; of several jobs one in the output directory)
cmd=                   # how to run a job, such as "run.pl --mem 8G" (default: here)
nj=1                   # jobs that share the scoring, through cmd as Kaldi has it: JOB=1:nj
stage=1                # first stage
skip_scoring=false     # leave out stage 3

root="$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)"
usage() { echo "Usage: $0 [options] <data-dir> <input-decode-dir> <output-decode-dir> (--help lists the options)" >&2; exit 1; }
die() { echo "$0: $*" >&2; exit 1; }

# What is no option, in the places of Kaldi's scripts; the options go on to parse_options.sh.
options=() places=()
while [ $# -gt 0 ]; do
    case "$1" in
        --help|-h) options+=("$1"); shift ;;
        --N) options+=(--num_hyps "${@:2:1}"); shift "$(($# > 1 ? 2 : 1))" ;;
        --*) options+=("${@:1:2}"); shift "$(($# > 1 ? 2 : 1))" ;;
        *) places+=("$1"); shift ;;
    esac
done
command_line="$0 ${options[*]} ${places[*]}"
set -- "${options[@]}"
# shellcheck source=local/parse_options.sh
. "${root}/local/parse_options.sh"
[ "${#places[@]}" -eq 3 ] || usage
data="${places[0]}" in_dir="${places[1]}" out_dir="${places[2]}"
# shellcheck source=path.sh
. "${root}/path.sh"
echo "${command_line}"

[ -n "${plm_dir}" ] || die "--plm-dir exp/plm/<tag>: which rescorer?"
[ -f "${plm_dir}/config.yaml" ] || die "${plm_dir}: no finished rescorer (config.yaml is missing)"
[[ "${metric}" =~ ^(wer|cer)$ ]] || die "--metric is '${metric}', expected wer or cer"
[[ "${nj}" =~ ^[1-9][0-9]*$ ]] || die "--nj is '${nj}', expected 1 or more"
[ "${nj}" -eq 1 ] || [ -n "${cmd}" ] || die "--nj ${nj} without --cmd: run.pl, queue.pl or slurm.pl runs several jobs"
[ -z "${weights}" ] || [ -z "${lm_weight}" ] || die "--weights and --lm-weight: give one of them"
[ "${tune}" = false ] || [ -z "${weights}${lm_weight}" ] || die "--tune true and given weights: give one of them"
for directory in "${data}" "${in_dir}"; do
    [ -d "${directory}" ] || die "${directory}: no such directory"
done
[ "$(realpath -m "${in_dir}")" != "$(realpath -m "${out_dir}")" ] || die "${out_dir}: the decode itself; name another directory for what is rescored"
[ "$(realpath -m "${data}")" != "$(realpath -m "${out_dir}")" ] || die "${out_dir}: the data directory itself; name another directory for what is rescored"
# A first pass's decode or a data directory, whose lattices or references would be lost: a swapped argument.
if [ ! -f "${out_dir}/weights.yaml" ] && [ ! -f "${out_dir}/rescored.yaml" ] &&
    { [ -e "${out_dir}/text" ] || compgen -G "${out_dir}/lat.*.gz" > /dev/null; }; then
    die "${out_dir}: is there already and no rescored directory; name another"
fi
if [ -n "${inv_acwt}" ]; then
    acwt="$(awk -v inv="${inv_acwt}" 'BEGIN { if (inv + 0 <= 0) exit 1; printf "%.10g", 1 / inv }')" ||
        die "--inv-acwt is '${inv_acwt}', expected a number above 0"
fi

# Run a command as a job with a log, as several where it has the log and arguments of a JOB; its output is shown where
# it runs here.
run() {
    local log_file="$1"; shift
    mkdir -p "$(dirname "${log_file}")"
    if [ -n "${cmd}" ]; then
        read -ra job <<< "${cmd}"
        [[ "${log_file}" != *.JOB.log ]] || job+=("JOB=1:${nj}")
        "${job[@]}" "${log_file}" "$@" || die "failed; log: ${log_file}"
    else
        "$@" 2>&1 | tee "${log_file}"
    fi
}
# The words.txt of the lattices: the given one, the one beside them, the one that the log of their decoding names, or what
# is around, where that is the same everywhere: WSJ's graph_tgpr and graph_bd_tgpr have other ids.
words_of_lattices() {
    local decode_log="${in_dir}/log/decode.1.log" named="" words directory other found=()
    [ ! -f "${decode_log}" ] || named="$(sed -nE "/--word-symbol-table=/{s/.*--word-symbol-table=([^ \"']*).*/\1/p;q}" "${decode_log}")"
    for directory in "${in_dir}/graph" "${in_dir}"/../graph* "${data}/../lang"*; do
        [ ! -f "${directory}/words.txt" ] || found+=("${directory}/words.txt")
    done
    if [ -n "${lang}" ]; then words="${lang}/words.txt"
    elif [ -f "${in_dir}/words.txt" ]; then words="${in_dir}/words.txt"
    elif [ -f "${named}" ]; then words="${named}"
    else
        words="${found[0]:-}"
        for other in "${found[@]:1}"; do
            cmp -s "${words}" "${other}" || die "${in_dir}: give --lang, as its words may be those of any of ${found[*]}, which differ"
        done
    fi
    [ -z "${lang}" ] || [ -f "${words}" ] || die "${words} is missing: correct --lang"
    [ -f "${words}" ] || die "no words.txt beside ${in_dir}: --lang names the directory that has it"
    echo "${words}"
}
exec 3>&1  # where a function tells something whose output is taken
# filtered SIDE FILE OUT: prints FILE, or OUT with FILE through the recipe's own filter of references (ref) or hypotheses
# (hyp), where it has one, as Kaldi's scoring does.
filtered() {
    local candidate filter=""
    for candidate in local/wer_output_filter "local/wer_$1_filter"; do
        [ ! -x "${candidate}" ] || filter="${candidate}"
    done
    if [ -z "${filter}" ]; then
        echo "$2"
        return
    fi
    echo "$0: $2 through ${filter}" >&3
    "./${filter}" < "$2" > "$3" || die "${filter} failed on $2"
    echo "$3"
}
lorescore=(python3 -m lorescore)
ref_options=(--metric "${metric}")
[ -z "${cleaner}" ] || ref_options+=(--cleaner "${cleaner}")
[ ! -f "${data}/text" ] || ref_options+=(--ref "${data}/text")
source_dir="${out_dir}/.source"
has_lattices=false
! compgen -G "${in_dir}/lat.*.gz" > /dev/null || has_lattices=true

if [ "${stage}" -le 1 ]; then
    if [ "${has_lattices}" = true ]; then
        # The lattices and what their words mean and their times need, side by side.
        mkdir -p "${source_dir}"
        find "${source_dir}" -maxdepth 1 -type l -delete  # the links of a call before
        for file in "${in_dir}"/lat.*.gz "${in_dir}"/{num_jobs,tokens.txt,lexicon.txt,frame_shift}; do
            [ ! -f "${file}" ] || ln -s "$(realpath "${file}")" "${source_dir}/"
        done
        words="$(words_of_lattices)"
        ln -s "$(realpath "${words}")" "${source_dir}/words.txt"
        echo "$0: words of the lattices: ${words}"
        [ -z "${fallback}" ] || ref_options+=(--fallback "${fallback}")
        run "${out_dir}/log/import_nbest.log" "${lorescore[@]}" import-nbest --lattice_dir "${source_dir}" \
            --num_hyps "${num_hyps}" --acoustic_scale "${acwt}" "${ref_options[@]}" --out "${out_dir}/nbest"
    elif compgen -G "${in_dir}/archives.*" > /dev/null; then
        run "${out_dir}/log/import_nbest.log" "${lorescore[@]}" import-nbest --decode_dir "${in_dir}" --format kaldi \
            --acoustic_scale "${acwt}" "${ref_options[@]}" --out "${out_dir}/nbest"
    else
        die "${in_dir}: neither lattices (lat.*.gz) nor N-best archives (archives.*) here"
    fi
fi

if [ "${stage}" -le 2 ]; then
    [ "${nj}" -eq 1 ] || score_cache="${score_cache:-${out_dir}/score_cache.sqlite}"
    [ -f "${out_dir}/nbest/nbest.yaml" ] || die "${out_dir}/nbest: no finished lists here: --stage 1 makes them"
    rescore_options=(--nbest "${out_dir}/nbest" --model "${plm_dir}" --out "${out_dir}" --score_cache "${score_cache}")
    [ -z "${weights}" ] || rescore_options+=(--weights "${weights}")
    [ -z "${lm_weight}" ] || rescore_options+=(--lm_weight "${lm_weight}" --word_bonus "${word_bonus}")
    if [ "${tune}" != false ]; then
        rescore_options+=(--tune)
        declare -A lists=([ref]="${out_dir}/nbest/text" [hyp]="${out_dir}/nbest/words_text")
        for side in ref hyp; do
            [ -f "${lists[${side}]}" ] || continue
            tuned="$(filtered "${side}" "${lists[${side}]}" "${out_dir}/tune_${side}.txt")"
            [ "${tuned}" = "${lists[${side}]}" ] || rescore_options+=("--tune_${side}" "${tuned}")
        done
    fi
    if [ "${has_lattices}" = true ]; then
        factor=1 factor_file="${in_dir}/../frame_subsampling_factor"
        if [ -f "${factor_file}" ]; then
            read -r factor < "${factor_file}" || true  # read fails where the last line has no end
            [[ "${factor}" =~ ^[1-9][0-9]*$ ]] || die "${factor_file} has '${factor}', expected a whole number: correct it"
        fi
        rescore_options+=(--lattice_dir "${source_dir}")
        [ -n "${frame_shift}" ] || [ -f "${source_dir}/frame_shift" ] ||
            frame_shift="$(awk -v factor="${factor}" 'BEGIN { print 0.01 * factor }')"
        [ -z "${frame_shift}" ] || rescore_options+=(--frame_shift "${frame_shift}")
    fi
    [ "${nj}" -eq 1 ] ||
        run "${out_dir}/log/plm_scores.JOB.log" "${lorescore[@]}" rescore "${rescore_options[@]}" --part "JOB/${nj}"
    run "${out_dir}/log/rescore.log" "${lorescore[@]}" rescore "${rescore_options[@]}"
    [ "${has_lattices}" = false ] || echo 1 > "${out_dir}/num_jobs"
fi

if [ "${stage}" -le 3 ] && [ "${skip_scoring}" = false ]; then
    if [ -f "${data}/text" ]; then
        ref="$(filtered ref "${data}/text" "${out_dir}/ref_filt.txt")"
        hyp="$(filtered hyp "${out_dir}/text" "${out_dir}/hyp_filt.txt")"
        score_options=(--ref "${ref}" --hyp "${hyp}" --out "${out_dir}" --metric "${metric}")
        [ -z "${cleaner}" ] || score_options+=(--cleaner "${cleaner}")
        score_options+=(--weights "${out_dir}/weights.yaml")
        [ ! -f "${data}/utt2spk" ] || score_options+=(--utt2spk "${data}/utt2spk")
        run "${out_dir}/log/score.log" "${lorescore[@]}" score "${score_options[@]}"
        [ -z "${cmd}" ] || cat "${out_dir}/scoring_kaldi/best_${metric}"
    else
        echo "$0: not scored, as there is no ${data}/text"
    fi
fi
exit
}
