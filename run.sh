#!/usr/bin/env bash
# Second-pass rescoring of ASR hypotheses with LoRA-adapted language models, and its robustness, stage by stage.
#
#   ./run.sh                                        the demo, from nothing to exp/RESULTS.md
#   ./run.sh --stage 5 --lora dora                  one more strategy, beside what is there
#   ./run.sh --stage 4 --stop_stage 7 --asr_decode DIR --ref FILE --train_set A --dev_set B --test_sets "C D"
#                                                   your own ESPnet decode: DIR/<set>/logdir/output.J/Nbest_recog
#   egs/TEMPLATE/rescore1/setup.sh DIR              a recipe beside an ESPnet recipe, egs2/<corpus>/asr1
#
# data/ and exp/ are made in the current directory. Stages: 0 set-up, 1 data, 2 first-pass model, 3 first-pass decoding,
# 4 N-best lists and PLM, 5 train a rescorer, 6 rescore, 7 score, 8 perturb, 9 NPRR, 10 report.
# Every stage can be run again: finished work is skipped, half-written work is redone.
set -euo pipefail
{  # read as a whole before anything runs, so that an update of this file does not change what is running

stage=0                          # first stage
stop_stage=10                    # last stage
nj=$(nproc)                      # parallel jobs of stages 1 and 3
rescorer_nj=1                    # stages 5, 6 and 9: jobs at a time, each a rescorer or a part of its scoring; of several GPUs each takes one
train_nj=1                       # stage 5: processes that share each training, a GPU each; trainings follow each other then
cmd=                             # stages 5, 6, 8 and 9: what runs such a job: "srun -q --gpus=1", "slurm.pl --gpu 1 {log}" (default: this machine)

data_sh=                         # stage 1: script that makes the data directories (default: the demo's)
n_train=400                      # stage 1: utterances of the demo's training set
n_dev=400                        # stage 1: utterances of the demo's dev set
n_test=500                       # stage 1: utterances of the demo's test set
train_asr=false                  # stages 1 and 2: train the first pass (true) or take the one in asr_model_dir (false)
asr_config=                      # stage 2: ESPnet training configuration (default: the demo's)
asr_model_dir=                   # stage 2: a trained first pass (default: the demo's)
decode_config=                   # stage 3: ESPnet decoding configuration (default: the demo's)
asr_model=valid.acc.ave.pth      # stage 3: checkpoint in exp/asr
ngpu=0                           # stages 2 and 3: GPUs; in stage 3 all --nj jobs share one
nbest_source=beam                # stage 4: lists from ESPnet's beam search (beam) or from lattices (lattice)
lattice_backend=k2               # stage 3: k2, where it can be had, or kaldi (kaldi-decoder)
graph_text=data/lm_train/text    # stage 3: Kaldi text for the n-gram model of the decoding graph; no lattices without
word_list=data/lm_train/words    # stage 3: words that the graph is to know besides, one a line
lexicon=                         # stage 3: Kaldi lexicon.txt in the first pass's tokens (default: its units, or CMUdict)
acwt=                            # stages 3 and 4: weight of the acoustic cost: in lattices (default: 2.0, the demo's), in Kaldi's archives
num_hyps=10                      # stage 4: hypotheses of a list from a lattice; stage 3 with asr_exp: of a list

asr_exp=                         # stages 3 to 7: model of an ESPnet recipe, exp/asr_train_...: results go beside its decodes
inference_tag=                   # asr_exp: its decode, decode_...; stage 3 decodes it again, for a decode without N-best lists
asr_dir=                         # asr_exp: the ESPnet recipe, egs2/<corpus>/asr1 (default: two folders above asr_exp)
nbest_sh=                        # stage 4: script that makes exp/nbest/<set> in its own way (default: from asr_decode)
asr_decode=exp/asr               # stage 4: first-pass decodes, <dir>/<set> or <dir>/decode_<set>
context=                         # stage 4: utterances before each one, as the first pass has them, that a clm reads too (default: none)
context_chosen=                  # stage 4: further utterances of the recording, read first: those with words on which hypotheses differ (default: none)
expand=                          # stage 4: homophone versions of each hypothesis that join its list, at most so many: 8 (default: none)
expand_cost=1                    # stage 4: how much lower their first-pass log score is for each replaced word
recombine=                       # stage 4: combinations of what a list's hypotheses differ in join it, until it has so many: 50 (default: none)
metric=wer                       # stage 4: what all stages count errors in: words (wer), or characters (cer): Mandarin, Japanese
cleaner=                         # stage 4: what is done to texts before errors are counted, by all stages: whisper_en, ... (default: nothing)
nlsyms_txt=                      # stage 4: ESPnet's file of non-linguistic symbols, one a line, that come out of lists and references (default: none)
ref="data/{set}/text"            # stage 4: references; {set} stands for the set; also sought beside each decode; empty: the lists' own, as without this file
train_set=train                  # set to train on
dev_set=dev                      # set to choose models and to tune weights on
test_sets="test"                 # sets to report, separated by spaces

plm=smollm2                      # a file of conf/plm, a model directory or a Hugging Face name
scorer=                          # clm, pll or cls (default: the PLM's)
plm_text=                        # lower, sentence, upper or as-is (default: the PLM's)
plm_spaces=                      # auto: none between characters of scripts that are written without; keep (default: the PLM's)
within_word_l2r=                 # pll: true or false: mask the later tokens of a word with each of its tokens (default: the PLM's)
targets=                         # layers that get an adapter, separated by commas (default: the PLM's)
lora="none vanilla adalora"      # strategies to train, separated by spaces
rank=                            # rank of the adapters (default: conf/strategy)
alpha=                           # their updates are scaled by alpha / rank; adalora: by alpha / init_rank (default: conf/strategy)
learning_rate=                   # peak learning rate (default: conf/strategy)
objective=mwer                   # mwer, distill, mwer+distill or lm
teacher=                         # distill: a clm or pll rescorer to learn from, exp/plm/<tag>
train_config=                    # settings of the training (default: conf/train.yaml)
epochs=                          # passes over the training set (default: train_config)
lm_text=                         # sentences of the domain, one a line, or none (default: the demo's, where stage 1 made them and lm_loss is not 0)
lm_loss=                         # weight of the PLM's own loss on references and lm_text (default: train_config)
precision=                       # of the training: fp32, bf16, or auto: bf16 on a GPU that has it (default: train_config)
perturb_train=                   # perturbed lists beside the clean ones, homophone:0.2,near:1best:0.1 (default: train_config)
consistency=                     # weight of the order of hypotheses and their perturbed versions (default: train_config)
suffix=                          # ends the tags of these rescorers, for settings of the training of their own: robust
seed=1                           # of the training
seeds=                           # several trainings of each strategy, a seed each: "1 2 3" (default: the one of seed)
dtype=auto                       # stages 6 and 9: fp32, bf16, or auto: bf16 on a GPU that has it, else fp32
quantize=                        # stages 6 and 9: int8: 8-bit weights and activations, on a CPU
history=                         # stages 6 and 9: clm: share scores after so many equal tokens; empty: exact scores
score_cache=exp/score_cache.sqlite  # stages 5, 6, 8 and 9: PLM scores that were given before; empty: none are kept

combine=                         # stage 6: rescorers whose scores are added, weights tuned on dev: tags, or all: those of lora
combined=combined                # stage 6: the name of what combine makes, beside the tags
mixed_ranks=all                  # stage 6: mixed: ranks at which its adapters are scored too: all, "1 2 4", or empty: none
decode=map                       # stage 6: map (highest combined score), or mbr (fewest expected errors) beside it
lattice_dir="exp/asr/lat_{set}"  # stage 6: lattices of the lists, to come back rescored; {set} stands for the set
lattice_words=                   # stage 6: words.txt of these lattices (default: the one beside them)

perturbations=homophone          # stages 8 and 9: homophone, near, split, tied, insert, worst (which needs stage 5)
kinds="1best nbest"              # stages 8 and 9: kinds of perturbation
rates="0.1 0.3"                  # stages 8 and 9: chances that a replaceable word is replaced
perturb_seeds="1 2 3"            # stages 8 and 9: seeds of the perturbation
pronunciations=                  # stages 4 (expand), 5 and 8: Kaldi lexicon.txt in any phone set; near and g2p need CMUdict's (default: CMUdict)
g2p=none                         # stages 4 (expand), 5 and 8: espeak-ng pronounces words that the dictionary lacks, or none does
vocab=                           # stages 4 (expand), 5 and 8: words that may be put in, one a line (default: the words of the lists)

root="$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)"
command_line="$0 $*"
# shellcheck source=local/parse_options.sh
. "${root}/local/parse_options.sh"
# shellcheck source=path.sh
. "${root}/path.sh"

demo="${root}/egs/demo/rescore1"
data_sh="${data_sh:-${demo}/local/data.sh}"
asr_config="${asr_config:-${demo}/conf/train_asr.yaml}"
asr_model_dir="${asr_model_dir:-${demo}/asr}"
espnet_config="${decode_config}"
decode_config="${decode_config:-${demo}/conf/decode_asr.yaml}"

# shellcheck source=local/jobs.sh
. "${root}/local/jobs.sh"

log() { echo "$(date '+%H:%M:%S') $*"; }
begins() { [ "${stage}" -le "$1" ] && [ "${stop_stage}" -ge "$1" ] && log "Stage $1: $2"; }
lorescore() { python3 -m lorescore "$@"; }
die() { echo "$0: $*" >&2; exit 1; }

# Do for each rescorer what a call does for all of them, so that the call itself finds their scores there. Where there
# are more jobs than rescorers, several share the lists of one.
side_by_side() {
    local stage_name="$1" tag part parts=1
    shift
    [ "${rescorer_nj}" -gt 1 ] || [ -n "${cmd}" ] || return 0
    # They leave their scores in the score cache, where exact ones alone go.
    [ -z "${score_cache}" ] || [ -n "${history}" ] || parts=$((rescorer_nj / $(wc -w <<< "${tags}")))
    for tag in ${tags}; do
        if [ "${parts}" -le 1 ]; then
            start "${stage_name}_${tag}" python3 -m lorescore "$@" --tags "${tag}"
            continue
        fi
        for ((part = 1; part <= parts; part++)); do
            start "${stage_name}_${tag}.${part}" python3 -m lorescore "$@" --tags "${tag}" --part "${part}/${parts}"
        done
    done
    finish
}

# Where a PLM scores, for one call at a time: through cmd too, as a GPU's scores are not those of this machine.
scoring() {
    [ -n "${cmd}" ] || { attended python3 -m lorescore "${@:2}"; return; }
    start "$1" python3 -m lorescore "${@:2}"
    finish
}

# The decode of a set and its references, as they lie in asr_decode, or in the ESPnet recipe of asr_exp.
declare -A espnet_decode espnet_data espnet_place
decode_of() {
    if [ -n "${asr_exp}" ]; then echo "${espnet_decode[$1]}"
    elif [ -d "${asr_decode}/$1" ]; then echo "${asr_decode}/$1"
    elif [ -d "${asr_decode}/decode_$1" ]; then echo "${asr_decode}/decode_$1"
    elif compgen -G "${asr_decode}/$1.*" > /dev/null; then
        local file files=()
        while IFS= read -r file; do  # the references may lie beside the lists
            [ "${file}" -ef "${ref//\{set\}/$1}" ] || files+=("${file}")
        done < <(compgen -G "${asr_decode}/$1.*")
        [ "${#files[@]}" -le 1 ] || die "which one is the decode of $1: ${files[*]}? Move the others away"
        echo "${files[0]:-${asr_decode}/decode_$1}"
    else echo "${asr_decode}/decode_$1"; fi
}
# Whether a decode is N-best archives of Kaldi: archives.JOB, or one of them.
is_archives() {
    compgen -G "$1/archives.*" > /dev/null || { [ -f "$1/lmwt.nolm" ] && [ ! -f "$1/nbest.yaml" ]; }
}
data_of() { if [ -n "${asr_exp}" ]; then echo "${espnet_data[$1]}"; else echo "data/$1"; fi; }
segments_of() {  # asr.sh cuts the recordings on its way from data to dump/raw
    if [ -n "${asr_exp}" ]; then echo "${asr_dir:-${asr_exp}/../..}/data/$1/segments"; else echo "data/$1/segments"; fi
}
# Empty where the references are those that the lists hold.
ref_of() {
    if [ -n "${asr_exp}" ]; then echo "${espnet_data[$1]}/text"; return; fi
    local name="${ref//\{set\}/$1}"
    [ -n "${name}" ] || return 0
    if [ -f "$(decode_of "$1")/${name}" ]; then echo "$(decode_of "$1")/${name}"
    elif [ -f "${name}" ] || [ "${ref}" != 'data/{set}/text' ]; then echo "${name}"; fi
}
# Whether a stage that is to run trains, tunes or scores with the references of a set.
needs_ref() {
    case "$1" in
        "${dev_set}") [ "${stop_stage}" -ge 5 ] ;;
        "${train_set}") [ "${stop_stage}" -ge 5 ] && [ "${trains}" = true ] ;;
        *) [ "${stop_stage}" -ge 7 ] ;;
    esac
}

[[ "${nbest_source}" =~ ^(beam|lattice)$ ]] || die "--nbest_source is '${nbest_source}', expected beam or lattice"
[[ "${lattice_backend}" =~ ^(k2|kaldi)$ ]] || die "--lattice_backend is '${lattice_backend}', expected k2 or kaldi"
for number in nj rescorer_nj train_nj; do
    [[ "${!number}" =~ ^[1-9][0-9]*$ ]] || die "--${number} is '${!number}', expected 1 or more"
done
{ [ "${stage}" -le "${stop_stage}" ] && [ "${stage}" -le 10 ]; } || die "nothing to do between --stage ${stage} and --stop_stage ${stop_stage}: stages are 0 to 10"
[ -n "${lora// /}" ] || die "--lora is empty, expected strategies"
[[ "${metric}" =~ ^(wer|cer)$ ]] || die "--metric is '${metric}', expected wer or cer"
if [ -n "${nbest_sh}" ]; then
    [ "${metric}" = wer ] || die "--metric ${metric}: ${nbest_sh} makes the lists, give it to import-nbest there"
    [ -z "${cleaner}" ] || die "--cleaner ${cleaner}: ${nbest_sh} makes the lists, give it to import-nbest there"
    [ -z "${nlsyms_txt}" ] || die "--nlsyms_txt ${nlsyms_txt}: ${nbest_sh} makes the lists, give it to import-nbest there"
    [ "${nbest_source}" = beam ] || die "--nbest_source ${nbest_source}: ${nbest_sh} makes the lists, and from what it likes"
fi

[ -z "${nlsyms_txt}" ] || [ "${nbest_source}" = beam ] || die "--nlsyms_txt is for lists of a beam search, not for those of lattices"

mkdir -p exp
echo "$(date '+%F %T') ${command_line}" >> exp/run.log
exec 9>> exp/run.log  # a lock, until stage 5; from there on calls can stand side by side, by their tags
if [ "${stage}" -le 4 ] && command -v flock > /dev/null; then
    # Ten seconds, as what was just killed may still be ending; a file system without locks is no conflict.
    flock -w 10 -E 75 9 || [ $? -ne 75 ] ||
        die "another run.sh is at stages 0 to 4 in $(pwd)/exp, or what a killed one has left running (fuser exp/run.log tells)"
fi

if begins 0 "set-up"; then
    "${root}/local/setup.sh"
    lorescore check
fi
[ -x "${root}/.venv/bin/python" ] || [ ! -L "${root}/.venv/bin/python" ] ||
    die "${root}/.venv/bin/python leads to $(readlink "${root}/.venv/bin/python"), which you cannot run"
[ -x "${root}/.venv/bin/python" ] || die "no environment: ./run.sh --stage 0 --stop_stage 0 makes it"

plm_options=(--plm "${plm}")
[ -z "${scorer}" ] || plm_options+=(--scorer "${scorer}")
[ -z "${plm_text}" ] || plm_options+=(--plm_text "${plm_text}")
[ -z "${plm_spaces}" ] || plm_options+=(--plm_spaces "${plm_spaces}")
[ -z "${within_word_l2r}" ] || plm_options+=(--within_word_l2r "${within_word_l2r}")
[ -z "${targets}" ] || plm_options+=(--targets "${targets}")
tag_options=("${plm_options[@]}" --objective "${objective}" --suffix "${suffix}")
[ -z "${rank}" ] || tag_options+=(--rank "${rank}")
[ -z "${alpha}" ] || tag_options+=(--alpha "${alpha}")
perturb_options=(--perturb_train "${perturb_train}")
if [ -n "${pronunciations}" ]; then
    perturb_options+=(--pronunciations "${pronunciations}" --g2p "${g2p}")
    [ -z "${train_config}" ] || perturb_options+=(--train_config "${train_config}")
    [ "${stage}" -gt 8 ] || [ "${stop_stage}" -lt 8 ] || perturb_options+=(--perturbations "${perturbations}")
fi
# A line for each rescorer: tag, strategy, seed (`-` for what is frozen). Checks --plm, --lora, --objective, --seeds,
# --perturb_train, and --pronunciations for what is to be perturbed, before anything long begins.
trainings="$(lorescore tag "${tag_options[@]}" --lora "${lora}" --seed "${seed}" --seeds "${seeds}" \
    "${perturb_options[@]}" --trainings)"
tags="$(cut -f 1 <<< "${trainings}" | paste -s -d ' ')"
[ "${combine}" != all ] || combine="${tags}"
scored_tags="${tags}${combine:+ ${combined}}"

if [ -z "${asr_exp}${dev_set}" ] && [ "${stop_stage}" -ge 1 ]; then
    [ -z "${asr_dir}" ] || die "--asr_exp exp/asr_train_...: which model of the ESPnet recipe?"
    die "--dev_set is empty: which set are the weights tuned on?"
fi
if [ -n "${asr_exp}" ] && [ "${stop_stage}" -ge 3 ]; then
    inference_tag="${inference_tag%/}"  # results go beside the decode, not into it
    again="exp/decode_again/$(basename "${asr_exp}")/${inference_tag}"
    espnet_options=(--asr_exp "${asr_exp}" --inference_tag "${inference_tag}" --again_dir "${again}")
    espnet_options+=(--train_set "${train_set}" --dev_set "${dev_set}" --test_sets "${test_sets}" --num_hyps "${num_hyps}")
    [ -z "${asr_dir}" ] || espnet_options+=(--asr_dir "${asr_dir}")
    [ -z "${espnet_config}" ] || espnet_options+=(--decode_config "${espnet_config}")
    if [ "${stage}" -le 3 ] && [ "${stop_stage}" -ge 3 ]; then espnet_options+=(--decode_again); fi
    found="$(lorescore espnet-sets "${espnet_options[@]}")"
    while IFS=$'\t' read -r what first second third fourth; do
        case "${what}" in
            exp) asr_exp="${first}" asr_model="${second:-${asr_model}}" ;;
            roles) dev_set="${first}" test_sets="${second}" train_set="${third}" ;;
            set) espnet_decode[${first}]="${second}" espnet_data[${first}]="${third}" espnet_place[${first}]="${fourth}" ;;
        esac
    done <<< "${found}"
    asr_decode="${asr_exp}/${inference_tag}"
fi
[ -n "${test_sets}" ] || [ "${stage}" -gt 9 ] || [ "${stop_stage}" -lt 8 ] || die "--test_sets is empty: stages 8 and 9 need one"
for set in ${test_sets}; do
    [ "$(grep -cxF -- "${set}" <<< "${test_sets// /$'\n'}")" -eq 1 ] || die "${set} stands twice in --test_sets"
    [ "${set}" != "${dev_set}" ] || die "${set} is the dev set and a test set: what is reported must not be tuned on"
    [ "${set}" != "${train_set}" ] || die "${set} is the training set and a test set: what is reported must not be trained on"
done
trains=false
while IFS=$'\t' read -r tag _ of_seed; do
    [ "${of_seed}" = - ] || trains=true
    [ -n "${train_set}" ] || [ "${of_seed}" = - ] || die "--train_set is empty, but ${tag} has to be trained on lists of a decoded set"
done <<< "${trainings}"
if [ "${trains}" = true ] && [ "${stage}" -le 5 ] && [ "${stop_stage}" -ge 5 ]; then
    [[ "${objective}" != *distill* ]] || [ -n "${teacher}" ] ||
        die "--objective ${objective} needs a teacher, a clm or pll rescorer: --teacher exp/plm/<tag>"
fi

# Results go beside the decode that is named here, so the lists must be of it.
lists_of=exp/nbest/decode
if [ -n "${asr_exp}" ] && [ "${stage}" -gt 4 ] && [ "$(cat "${lists_of}" 2> /dev/null)" != "$(realpath "${asr_decode}")" ]; then
    die "exp/nbest does not have the lists of ${asr_decode}: --stage 4 takes them"
fi

if [ -z "${asr_exp}" ] && begins 1 "data -> data/{${train_set},${dev_set},${test_sets// /,}}"; then
    "${data_sh}" --n_train "${n_train}" --n_dev "${n_dev}" --n_test "${n_test}" --train_asr "${train_asr}" --nj "${nj}"
fi

if [ -z "${asr_exp}" ] && begins 2 "first-pass model -> exp/asr"; then
    if [ "${train_asr}" = true ]; then
        ! cmp -s exp/asr/config.yaml "${asr_model_dir}/config.yaml" ||
            die "exp/asr holds the first pass of ${asr_model_dir}: move it away, so that one can be trained there"
        "${root}/local/asr_train.sh" --asr_config "${asr_config}" --ngpu "${ngpu}"
    else
        [ -f "${asr_model_dir}/config.yaml" ] || die "${asr_model_dir}: no ESPnet model here (config.yaml is missing)"
        [ ! -f exp/asr/config.yaml ] || cmp -s exp/asr/config.yaml "${asr_model_dir}/config.yaml" ||
            die "exp/asr holds another first pass than ${asr_model_dir}: go on with it (--stage 3), or move it away"
        mkdir -p exp/asr
        for file in "${asr_model_dir}"/*; do  # config.yaml comes last: with it the model is whole
            [ "${file##*/}" = config.yaml ] || cp -r "${file}" exp/asr/
        done
        cp "${asr_model_dir}/config.yaml" exp/asr/.config.yaml
        mv exp/asr/.config.yaml exp/asr/config.yaml
        log "${asr_model_dir} is the first pass (--train_asr true trains it anew)"
    fi
fi

if [ -n "${asr_exp}" ] && begins 3 "decoding again: ${asr_exp} -> ${again}/<set>"; then
    for set in ${train_set} ${dev_set} ${test_sets}; do
        data_dir="$(realpath "$(data_of "${set}")")" exp_dir="$(realpath "${asr_exp}")" again_dir="$(realpath "${again}")"
        # ESPnet's paths are seen from the recipe.
        (cd "${asr_dir:-${asr_exp}/../..}" && python3 "${root}/local/asr_decode.py" --asr_exp "${exp_dir}" \
            --asr_model "${asr_model}" --data_dir "${data_dir}" --decode_config "${again_dir}/decode.yaml" \
            --decode_dir "${again_dir}/${set}" --nj "${nj}" --ngpu "${ngpu}")
    done
elif begins 3 "first-pass decoding: exp/asr, data -> exp/asr/{decode,lat}_<set>"; then
    # The default is the demo's, which other data need not have.
    [[ "${graph_text}" =~ ^(data/lm_train/text)?$ ]] || [ -f "${graph_text}" ] || die "--graph_text ${graph_text}: no such file"
    for set in ${train_set} ${dev_set} ${test_sets}; do
        [ -s "data/${set}/wav.scp" ] || die "data/${set}/wav.scp is missing or empty: stage 1 makes it"
        python3 "${root}/local/asr_decode.py" --asr_exp exp/asr --asr_model "${asr_model}" --data_dir "data/${set}" \
            --decode_config "${decode_config}" --decode_dir "exp/asr/decode_${set}" --nj "${nj}" --ngpu "${ngpu}"
    done
    [ "${word_list}" != data/lm_train/words ] || [ -f "${word_list}" ] || word_list=""  # the demo's
    [ ! -f "${graph_text}" ] || for set in ${train_set} ${dev_set} ${test_sets}; do
        "${root}/local/lat_decode.sh" --set "${set}" --asr_model "${asr_model}" --lm_text "${graph_text}" \
            --word_list "${word_list}" --lexicon "${lexicon}" --lattice_backend "${lattice_backend}" --acwt "${acwt:-2.0}" \
            --nj "${nj}" --ngpu "${ngpu}"
    done
fi

if begins 4 "N-best lists: ${asr_decode} -> exp/nbest/<set>; PLM ${plm} -> exp/plm_base"; then
    rm -f "${lists_of}"
    [ -z "${nbest_sh}" ] || "${nbest_sh}" --asr_decode "${asr_decode}" --ref "${ref}" ${context:+--context "${context}"} ${context_chosen:+--context_chosen "${context_chosen}"}
    [ -n "${nbest_sh}" ] || for set in ${train_set} ${dev_set} ${test_sets}; do
        decode_dir="$(decode_of "${set}")" || exit 1
        if [ "${set}" = "${train_set}" ] && [ "${trains}" = false ] && [ ! -e "${decode_dir}" ]; then
            log "no decode of ${set}, which nothing is trained on"
            continue
        fi
        import_options=(--metric "${metric}" --context "${context:-0}" --context_chosen "${context_chosen:-0}" --out "exp/nbest/${set}")
        set_ref="$(ref_of "${set}")"
        [ -z "${set_ref}" ] || import_options+=(--ref "${set_ref}")
        [ -z "${cleaner}" ] || import_options+=(--cleaner "${cleaner}")
        segments="$(segments_of "${set}")"
        [ "${context:-0}${context_chosen:-0}" = 00 ] || [ ! -f "${segments}" ] || import_options+=(--segments "${segments}")
        if [ "${nbest_source}" = lattice ]; then
            lorescore import-nbest --lattice_dir "exp/asr/lat_${set}" --fallback "${decode_dir}" --num_hyps "${num_hyps}" \
                --acoustic_scale "${acwt:-2.0}" "${import_options[@]}"
        else
            if is_archives "${decode_dir}"; then
                [ -n "${acwt}" ] || die "${decode_dir}: Kaldi's archives do not say what acoustic costs weigh: give --acwt, usually 0.1"
                import_options+=(--acoustic_scale "${acwt}")
            fi
            [ -z "${nlsyms_txt}" ] || import_options+=(--nlsyms_txt "${nlsyms_txt}")
            lorescore import-nbest --decode_dir "${decode_dir}" "${import_options[@]}"
        fi
        [ -f "exp/nbest/${set}/text" ] || ! needs_ref "${set}" ||
            die "${set}: no references, neither given nor in the lists: --ref FILE, Kaldi's text, {set} stands for the set"
    done
    expand_options=()
    [[ "${recombine}" =~ ^0?$ ]] || expand_options+=(--recombine "${recombine}")
    if [[ ! "${expand}" =~ ^0?$ ]]; then
        expand_options+=(--versions "${expand}" --cost "${expand_cost}" --g2p "${g2p}")
        [ -z "${vocab}" ] || expand_options+=(--vocab "${vocab}")
        [ -z "${pronunciations}" ] || expand_options+=(--pronunciations "${pronunciations}")
    fi
    if [ ${#expand_options[@]} -gt 0 ]; then
        expand_options+=(--out_dir exp/nbest --nbest_dir)
        for set in ${train_set} ${dev_set} ${test_sets}; do
            [ ! -d "exp/nbest/${set}" ] || expand_options+=("exp/nbest/${set}")
        done
        lorescore expand "${expand_options[@]}"
    fi
    [ -z "${asr_exp}" ] || realpath "${asr_decode}" > "${lists_of}"
    lorescore fetch-plm "${plm_options[@]}"
fi

exec 9>&-

if begins 5 "train rescorers: exp/nbest/{${train_set},${dev_set}} -> exp/plm/{${tags// /,}}"; then
    # Without a training set all are frozen, and no list is looked at.
    train_options=(--train "exp/nbest/${train_set}" --dev "exp/nbest/${dev_set}" --score_cache "${score_cache}" --g2p "${g2p}")
    [ -z "${learning_rate}" ] || train_options+=(--learning_rate "${learning_rate}")
    [ -z "${teacher}" ] || train_options+=(--teacher "${teacher}")
    [ -z "${train_config}" ] || train_options+=(--train_config "${train_config}")
    [ -z "${epochs}" ] || train_options+=(--epochs "${epochs}")
    [ -z "${lm_loss}" ] || train_options+=(--lm_loss "${lm_loss}")
    [ -z "${precision}" ] || train_options+=(--precision "${precision}")
    [ -z "${perturb_train}" ] || train_options+=(--perturb_train "${perturb_train}")
    [ -z "${consistency}" ] || train_options+=(--consistency "${consistency}")
    [ -z "${vocab}" ] || train_options+=(--vocab "${vocab}")
    [ -z "${pronunciations}" ] || train_options+=(--pronunciations "${pronunciations}")
    if [ -z "${lm_text}" ] && [ -f data/sentences/train.txt ]; then  # at a weight of 0 of use to lm alone
        [[ "${lm_loss}" =~ ^(0+\.?0*|\.0+)$ && "${objective}" != lm ]] || lm_text=data/sentences/train.txt
    fi
    [[ "${lm_text}" =~ ^(none)?$ ]] || train_options+=(--lm_text "${lm_text}")
    jobs="${rescorer_nj}"
    if [ "${train_nj}" -gt 1 ]; then
        rescorer_nj=1  # each training has all the GPUs
        train_options+=(--nj "${train_nj}")
    fi
    while IFS=$'\t' read -r tag strategy of_seed; do
        training=(train "${tag_options[@]}" --lora "${strategy}" "${train_options[@]}")
        if [ "${of_seed}" = - ]; then attended python3 -m lorescore "${training[@]}"  # frozen: others start from its scores
        else start "train_${tag}" python3 -m lorescore "${training[@]}" --seed "${of_seed}"; fi
    done <<< "${trainings}"
    finish
    rescorer_nj="${jobs}"
    for tag in ${tags}; do  # a scheduler can lose a job and report success
        [ -f "exp/plm/${tag}/config.yaml" ] || die "exp/plm/${tag}: no rescorer here, its training ended without one; call it again to go on"
    done
fi

scoring_options=(--dtype "${dtype}" --quantize "${quantize}" --score_cache "${score_cache}")
[ -z "${history}" ] || scoring_options+=(--history "${history}")

if begins 6 "rescore: exp/plm, exp/nbest -> exp/rescore/<tag>/<set>/{text,ctm,lat.1.gz}"; then
    # Lists of a beam search have none, which is not worth a line for each set.
    [ "${lattice_dir}" != 'exp/asr/lat_{set}' ] || compgen -G "exp/asr/lat_*" > /dev/null || lattice_dir=""
    rescoring=(rescore --dev "${dev_set}" --sets "${test_sets}" --decode "${decode}" --lattice_dir "${lattice_dir}" "${scoring_options[@]}")
    [ -z "${lattice_words}" ] || rescoring+=(--words "${lattice_words}")
    side_by_side rescore "${rescoring[@]}"
    [ -z "${combine}" ] || scoring combine combine --tags "${combine}" --name "${combined}" --dev "${dev_set}" "${scoring_options[@]}"
    scoring rescore "${rescoring[@]}" --tags "${scored_tags}"
    mixed_tags="$(awk -F '\t' '$2 == "mixed" { print $1 }' <<< "${trainings}" | paste -s -d ' ')"
    if [ -n "${mixed_tags}" ] && [ -n "${mixed_ranks}" ]; then
        scoring ranks ranks --tags "${mixed_tags}" --ranks "${mixed_ranks}" --dev "${dev_set}" --sets "${test_sets}" \
            --dtype "${dtype}" --quantize "${quantize}" ${history:+--history "${history}"}
    fi
fi

if begins 7 "score: exp/rescore/<tag>/<set>/{scoring_kaldi,score_wer or score_cer,score_ctm}"; then
    systems="first_pass oracle ${scored_tags}"
    [ "${decode}" != mbr ] || for tag in ${scored_tags}; do systems+=" ${tag}_mbr"; done
    for tag in ${systems}; do
        for set in ${dev_set} ${test_sets}; do
            score_options=(--ref "exp/nbest/${set}/text" --hyp "exp/rescore/${tag}/${set}/text" --out "exp/rescore/${tag}/${set}")
            utt2spk="$(data_of "${set}")/utt2spk"
            [ ! -f "${utt2spk}" ] || score_options+=(--utt2spk "${utt2spk}")
            [ "${tag}" = first_pass ] || score_options+=(--baseline "exp/rescore/first_pass/${set}/text")
            [ ! -f "exp/rescore/${tag}/${set}/ctm" ] || score_options+=(--ctm "exp/rescore/${tag}/${set}/ctm")
            [ ! -f "exp/rescore/${tag}/weights.yaml" ] || score_options+=(--weights "exp/rescore/${tag}/weights.yaml")
            lorescore score "${score_options[@]}"
            if [ -n "${asr_exp}" ] && [[ ! "${tag}" =~ ^(first_pass|oracle)$ ]]; then  # where ESPnet looks for results
                beside="${asr_decode}_${tag}/${espnet_place[${set}]}"
                rm -rf "${beside}"/score_*
                mkdir -p "${beside}"
                cp "exp/rescore/${tag}/${set}/text" "${beside}/"
                for scores in "exp/rescore/${tag}/${set}"/score_[wc]er; do
                    [ -d "${scores}" ] || continue  # without sclite
                    cp -r "${scores}" "${beside}/"
                    log "${beside}/${scores##*/}/result.txt"
                done
            fi
        done
    done
fi

if begins 8 "perturb: exp/nbest/{${test_sets// /,}} -> exp/nbest/<set>_<kind>_p<rate>_s<seed>"; then
    nbest_dirs=()
    for set in ${test_sets}; do nbest_dirs+=("exp/nbest/${set}"); done
    vocab_options=(--vocab_from "${nbest_dirs[@]}")
    for set in ${train_set} ${dev_set}; do
        [ ! -d "exp/nbest/${set}" ] || vocab_options+=("exp/nbest/${set}")
    done
    [ -z "${vocab}" ] || vocab_options=(--vocab "${vocab}")
    [ -z "${pronunciations}" ] || vocab_options+=(--lexicon "${pronunciations}")
    perturbs=(lorescore)
    [[ " ${perturbations} " != *" worst "* ]] || perturbs=(scoring perturb)  # it asks the rescorers
    "${perturbs[@]}" perturb --nbest_dir "${nbest_dirs[@]}" --kinds "${kinds}" --rates "${rates}" --seeds "${perturb_seeds}" \
        --perturbations "${perturbations}" --tags "${scored_tags}" --g2p "${g2p}" --score_cache "${score_cache}" \
        "${vocab_options[@]}" --out_dir exp/nbest --lexicon_dir exp/lexicon
fi

if begins 9 "NPRR: exp/plm, exp/nbest -> exp/nprr"; then
    measuring=(nprr --sets "${test_sets}" --kinds "${kinds}" --rates "${rates}" --seeds "${perturb_seeds}" \
        --perturbations "${perturbations}" "${scoring_options[@]}")
    side_by_side nprr "${measuring[@]}"
    scoring nprr "${measuring[@]}" --tags "${scored_tags}"
fi

if begins 10 "report: exp -> exp/RESULTS.md, exp/report.html, exp/figures"; then
    lorescore report --exp_dir exp
fi
log "Done: ${command_line}"
exit
}
