#!/usr/bin/env bash
# Lattices of a data directory: CTC posteriors of an ESPnet model, decoding graph, search by k2 or kaldi-decoder.
set -euo pipefail

set="test"                    # data directory under data_dir
data_dir=data                 # where the data directories are
asr_exp=exp/asr               # ESPnet experiment: config.yaml, bpe.model, a checkpoint
asr_model=valid.acc.ave.pth   # checkpoint in it
lm_text=data/asr_train/text   # Kaldi text to estimate the n-gram model from
lm_arpa=                      # n-gram model in ARPA format, in place of lm_text
word_list=                    # words besides those of lm_text, one a line
lexicon=                      # Kaldi lexicon.txt in the model's tokens, before its own units or CMUdict's phones
ngram_order=3                 # of the n-gram model
graph_dir=exp/graph           # decoding graph
lattice_backend=k2            # k2 (where it can be had) or kaldi
acwt=2.0                      # weight of the acoustic cost in the search
beam=30.0                     # beam of the search
lattice_beam=12.0             # beam of the lattices
frame_shift=                  # seconds of a frame of the posteriors (default: as the model has them)
nj=2                          # parallel jobs
ngpu=0                        # 1: posteriors and k2 on the GPU

# shellcheck source=local/parse_options.sh
. "$(dirname "$0")/parse_options.sh"

here="$(dirname "$0")"
lat_dir="${asr_exp}/lat_${set}"
if [ -n "${lm_arpa}" ]; then lm=(--arpa "${lm_arpa}"); else lm=(--text "${lm_text}" --order "${ngram_order}"); fi
[ -z "${word_list}" ] || lm+=(--word_list "${word_list}")
[ -z "${lexicon}" ] || lm+=(--lexicon "${lexicon}")
device=cpu
[ "${ngpu}" -eq 0 ] || device=cuda

python3 "${here}/ctc_posteriors.py" --asr_exp "${asr_exp}" --asr_model "${asr_model}" --data_dir "${data_dir}/${set}" \
    --out_dir "${asr_exp}/ctc_${set}" --nj "${nj}" --ngpu "${ngpu}"
python3 "${here}/make_graph.py" --asr_exp "${asr_exp}" "${lm[@]}" "${graph_dir}"
python3 "${here}/lat_decode.py" --graph_dir "${graph_dir}" --ctc_dir "${asr_exp}/ctc_${set}" --lat_dir "${lat_dir}" \
    --lattice_backend "${lattice_backend}" --acwt "${acwt}" --beam "${beam}" --lattice_beam "${lattice_beam}" \
    ${frame_shift:+--frame_shift "${frame_shift}"} --device "${device}"
