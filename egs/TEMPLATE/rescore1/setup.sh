#!/usr/bin/env bash
# Make a recipe directory that rescores the decodes of an ESPnet recipe, beside that recipe.
#
#   setup.sh <dir>      such as .../espnet/egs2/librispeech/rescore1, where egs2/librispeech/asr1 has been run
#
# As ESPnet's own setup.sh does for a recipe: run.sh is yours to edit, all the rest is links.
set -euo pipefail

if [ $# -ne 1 ] || [[ "$1" == -* ]]; then
    sed -n '2,/^[^#]/{/^#/!d; s/^# \{0,1\}//; p}' "$0" >&2
    exit 2
fi

template="$(cd "$(dirname "$(readlink -f "$0")")" && pwd)"
root="$(cd "${template}/../../.." && pwd)"
dir="${1%/}"
[ -d "$(dirname "${dir}")" ] || { echo "$0: $(dirname "${dir}"): no such directory, expected egs2/<corpus> of ESPnet" >&2; exit 1; }

for own in path.sh conf local/lorescore; do  # such as those of the recipe itself, whose path.sh would be lost
    [ ! -e "${dir}/${own}" ] || [ -L "${dir}/${own}" ] ||
        { echo "$0: ${dir} has a ${own} of its own: name a directory beside asr1, $(dirname "${dir}")/rescore1" >&2; exit 1; }
done
mkdir -p "${dir}/local"
ln -sfn "${root}/path.sh" "${dir}/path.sh"
ln -sfn "${root}/conf" "${dir}/conf"
ln -sfn "${root}/local/lorescore" "${dir}/local/lorescore"
if [ -e "${dir}/run.sh" ]; then
    echo "$0: ${dir}/run.sh is left as it is"
else
    cp "${template}/run.sh" "${dir}/run.sh"
fi
[ -d "${dir}/../asr1" ] || echo "$0: no asr1 beside ${dir}: correct asr_dir in ${dir}/run.sh"
echo "$0: made ${dir}: cd ${dir} && ./run.sh --asr_exp exp/asr_train_... --inference_tag decode_... --test_sets \"...\""
