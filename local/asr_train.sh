#!/usr/bin/env bash
# Train a first-pass model with ESPnet: SentencePiece units, feature statistics, training.
# The steps and file names of ESPnet's asr.sh, whose scripts are not in ESPnet's PyPI package.
set -euo pipefail

train_set=asr_train    # data directory to train on
valid_set=dev          # data directory to validate on
asr_config=            # ESPnet training configuration
asr_exp=exp/asr        # output directory
nbpe=300               # number of SentencePiece units
ngpu=0                 # GPUs to train on
data_dir=data          # where the data directories are

# shellcheck source=local/parse_options.sh
. "$(dirname "$0")/parse_options.sh"

train_dir="${data_dir}/${train_set}"
valid_dir="${data_dir}/${valid_set}"
for file in "${train_dir}"/{wav.scp,text} "${valid_dir}"/{wav.scp,text} "${asr_config}"; do
    [ -s "${file}" ] || { echo "$0: ${file} is missing or empty: stage 1 makes the data directories" >&2; exit 1; }
done

has_stats=false
[ ! -s "${asr_exp}/stats/train/feats_stats.npz" ] || [ ! -s "${asr_exp}/stats/valid/stats_keys" ] || has_stats=true
# ESPnet would train on audio of any sampling rate.
[ "${has_stats}" = true ] || python3 "$(dirname "$0")/check_audio.py" --config "${asr_config}" "${train_dir}" "${valid_dir}"

# What the model is made from, but for the number of epochs, which may grow: with anything else a training would go on
# under a configuration that is not its own.
made_from="$({ grep -v '^max_epoch:' "${asr_config}"; cat "${train_dir}/text" "${valid_dir}/text"; echo "${nbpe}"; } | sha256sum)"
mkdir -p "${asr_exp}/log"
# Without units nothing was made from anything yet.
if [ -s "${asr_exp}/tokens.txt" ] && [ -f "${asr_exp}/made_from" ] && [ "$(cat "${asr_exp}/made_from")" != "${made_from}" ]; then
    echo "$0: ${asr_exp} was trained with another configuration or on other data: move it away, or give what it had" >&2
    exit 1
fi
echo "${made_from}" > "${asr_exp}/made_from"
if [ ! -s "${asr_exp}/tokens.txt" ]; then
    echo "$0: ${nbpe} SentencePiece units from ${train_dir}/text"
    python3 "$(dirname "$0")/spm_train.py" --nbpe "${nbpe}" "${train_dir}/text" "${asr_exp}"
fi

asr_train=(python3 -m espnet2.bin.asr_train
    --use_preprocessor true --token_type bpe --bpemodel "${asr_exp}/bpe.model" --token_list "${asr_exp}/tokens.txt"
    --non_linguistic_symbols none --cleaner none --g2p none
    --config "${asr_config}" --ngpu "${ngpu}")

failed() { tail -n 3 "$1" >&2; echo "$0: failed; log: $1" >&2; exit 1; }

if [ "${has_stats}" = false ]; then
    echo "$0: feature statistics; log: ${asr_exp}/log/stats.log"
    "${asr_train[@]}" --collect_stats true --output_dir "${asr_exp}/stats" --num_workers 0 \
        --train_data_path_and_name_and_type "${train_dir}/wav.scp,speech,sound" \
        --train_data_path_and_name_and_type "${train_dir}/text,text,text" \
        --valid_data_path_and_name_and_type "${valid_dir}/wav.scp,speech,sound" \
        --valid_data_path_and_name_and_type "${valid_dir}/text,text,text" \
        --train_shape_file "${train_dir}/wav.scp" --valid_shape_file "${valid_dir}/wav.scp" \
        > "${asr_exp}/log/stats.log" 2>&1 || failed "${asr_exp}/log/stats.log"
fi

echo "$0: training (an interrupted training goes on at its last epoch); log: ${asr_exp}/log/train.log"
"${asr_train[@]}" --output_dir "${asr_exp}" --resume true --fold_length 80000 --fold_length 150 \
    --normalize global_mvn --normalize_conf stats_file="${asr_exp}/stats/train/feats_stats.npz" \
    --train_data_path_and_name_and_type "${train_dir}/wav.scp,speech,sound" \
    --train_data_path_and_name_and_type "${train_dir}/text,text,text" \
    --valid_data_path_and_name_and_type "${valid_dir}/wav.scp,speech,sound" \
    --valid_data_path_and_name_and_type "${valid_dir}/text,text,text" \
    --train_shape_file "${asr_exp}/stats/train/speech_shape" --train_shape_file "${asr_exp}/stats/train/text_shape" \
    --valid_shape_file "${asr_exp}/stats/valid/speech_shape" --valid_shape_file "${asr_exp}/stats/valid/text_shape" \
    > "${asr_exp}/log/train.log" 2>&1 || failed "${asr_exp}/log/train.log"
