# shellcheck shell=bash disable=SC2154  # rescorer_nj, nj and cmd are options of the script
# Jobs side by side (sourced, not run): `start NAME COMMAND...` for each, then `finish`.
#
# At most `rescorer_nj` run at a time, through `cmd` where that is set: {log} in it stands for the job's log, which
# Kaldi's run.pl, queue.pl and slurm.pl write themselves. Without it, of several GPUs (those of CUDA_VISIBLE_DEVICES,
# else all) each job has one for itself; without GPUs the cores are shared out. What jobs say is in exp/log/NAME.log, and
# the end of it is shown where one fails; the others go on. With rescorer_nj 1 the script waits for a job, shows what it
# says, and ends where it fails. `attended COMMAND...` does so with any command. No job outlives the script.

_pids=() _names=()  # of the jobs that run, by slot
_failed=()
_gpus=()

start() {
    local name="$1" words settings=()
    local out="exp/log/${name}.log"
    shift
    mkdir -p exp/log
    read -r -a words <<< "${cmd//\{log\}/${out}}"
    rm -f "exp/log/${name}".{log,submitted}
    [[ "${cmd}" != *'{log}'* ]] || out="exp/log/${name}.submitted"
    if [ "${rescorer_nj}" -eq 1 ]; then
        [ -n "${cmd}" ] || { attended "$@"; return; }
        attended "${words[@]}" "$@" || die "failed: ${name}, which ran through --cmd; once that is mended, call it again to go on"
        return
    fi
    _take_slot
    if [ -z "${cmd}" ] && [ "${#_gpus[@]}" -gt 0 ]; then
        settings=("CUDA_VISIBLE_DEVICES=${_gpus[$((_slot % ${#_gpus[@]}))]}")
    elif [ -z "${cmd}" ]; then
        settings=("OMP_NUM_THREADS=${OMP_NUM_THREADS:-$(((nj + rescorer_nj - 1) / rescorer_nj))}")
    fi
    log "${name}: exp/log/${name}.log"
    env "${settings[@]}" "${words[@]}" "$@" < /dev/null > "${out}" 2>&1 &
    _pids[_slot]=$!
    _names[_slot]="${name}"
}

finish() {
    local slot name file
    for slot in "${!_pids[@]}"; do _end "${slot}"; done
    [ "${#_failed[@]}" -gt 0 ] || return 0
    for name in "${_failed[@]}"; do
        for file in "exp/log/${name}".{log,submitted}; do
            [ ! -s "${file}" ] || { echo "${file}:"; tail -n 3 "${file}"; } >&2
        done
    done
    die "failed: ${_failed[*]}; once that is mended, call it again to go on"
}

attended() {
    local status=0
    _end_with_the_script
    "$@" < /dev/null &  # bash hears a signal while it waits, but not while a command is in the foreground
    _pids[0]=$!
    wait "${_pids[0]}" || status=$?
    unset "_pids[0]"
    return "${status}"
}

# Find a slot without a job, and name it in `_slot`; where all are taken, wait for one.
_take_slot() {
    if [ "${#_pids[@]}" -eq 0 ]; then
        _end_with_the_script
        [ "${#_gpus[@]}" -gt 0 ] || _find_gpus
    fi
    while true; do
        for ((_slot = 0; _slot < rescorer_nj; _slot++)); do
            [ -n "${_pids[${_slot}]:-}" ] || return 0
            kill -0 "${_pids[${_slot}]}" 2> /dev/null || { _end "${_slot}"; return 0; }
        done
        sleep 0.5
    done
}

_end_with_the_script() {
    # Jobs in the background do not hear an interrupt.
    trap 'kill "${_pids[@]}" 2> /dev/null || true' EXIT
    trap 'exit 129' HUP
    trap 'echo "$0: interrupted; call it again to go on" >&2; exit 130' INT
    trap 'exit 143' TERM
}

_end() {  # of the job in a slot
    wait "${_pids[$1]}" || _failed+=("${_names[$1]}")
    unset "_pids[$1]"
}

_find_gpus() {
    local found="${CUDA_VISIBLE_DEVICES-}"
    if [ -z "${CUDA_VISIBLE_DEVICES+set}" ] && command -v nvidia-smi > /dev/null; then
        found="$(nvidia-smi --query-gpu=index --format=csv,noheader 2> /dev/null | paste -s -d ,)" || found=""
    fi
    [ "${found}" = -1 ] || IFS=, read -r -a _gpus <<< "${found}"
}
