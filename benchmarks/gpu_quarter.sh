#!/usr/bin/env bash
# A quarter of an hour on a GPU, in one call: what a step costs, whether it is right, then trainings on NEU-Seg.
#
#   benchmarks/gpu_quarter_pack.sh                       # before, where there is a package index
#   OUT=results benchmarks/gpu_quarter.sh                # on the machine with the GPU
#   TABLES=paper OUT=results benchmarks/gpu_quarter.sh   # from nothing by the paper's protocol, in place of protocol `warm`
#   benchmarks/gpu_quarter.sh unpack                     # only unpack; a later call may then lack build/gpu_quarter/data.tar.xz
#   SMALL=1 PLACE=/tmp/small OUT=/tmp/out benchmarks/gpu_quarter.sh              # a try on the CPU
#
# Everything is written into $OUT as soon as it is known, at most eight files of 16 MiB:
#   lines.jsonl        costs of steps, equality of losses, speed of the loader, parts and their times
#   profile.txt        where a step goes
#   log.txt            what all parts said
#   results.jsonl      finished runs of benchmarks/compare.py, to be added to benchmarks/results/
#   state.tar.xz.*     unfinished runs, as many as fit. The next quarter goes on with them and with the plan (STATE=results
#                      benchmarks/gpu_quarter_pack.sh), and measures nothing, unless MEASURE=1
# Each part has a time of its own, and none stops the others.
set -uo pipefail

ROOT=$(cd "$(dirname "$0")/.." && pwd)
PACK=${PACK:-$ROOT/build/gpu_quarter}
PLACE=${PLACE:-/tmp/gpu_quarter}         # unpacked: site/, data/, state/, work/
PYTHON=${PYTHON:-python3}
QUARTER_SECONDS=${QUARTER_SECONDS:-570}  # of the whole call
STOPPING_SECONDS=${STOPPING_SECONDS:-25} # for the last checkpoint of a run that is stopped
PACKING_SECONDS=${PACKING_SECONDS:-15}   # for packing its state
TABLES=${TABLES:-warm}                   # what to train: `warm` (of SEEDS, METHODS and a CHANGE of the recipe) or `paper`
CHANGE=${CHANGE:-}                       # of the config of simEps-plus, tried beside it; empty: none
PRECISIONS=${PRECISIONS:-bfloat16 float32}  # of the steps that are timed
# Processes that load images, for each of three runs of `paper`. So many are to be enough: images a second that part `loader`
# reports for them are to be more than those of the fastest step that part `steps` reports for U-Net at 256.
WORKERS=${WORKERS:-4}
PIECE_MIB=15
PIECES=4                                 # beside the four other files
cd "$ROOT" || exit 1
export PYTHONPATH=$PLACE/site:$ROOT PYTHONUNBUFFERED=1
CHECKS=()  # processes that measure beside the training

main() {
    unpack || exit 1
    [ "${1:-all}" = unpack ] && exit 0
    : "${OUT:?names the folder for the results}"
    mkdir -p "$OUT" "$PLACE/state"
    # A plan is there where a call before this one measured: go on with its training.
    if [ ! -s "$(plan)" ] || [ -n "${MEASURE:-}" ]; then measure; fi
    train
    wait "${CHECKS[@]}"  # losses and tests have limits of their own
    pack_state
}

unpack() {
    mkdir -p "$PLACE"
    if [ ! -f "$PLACE/site/complete" ]; then
        "$PYTHON" -m pip install -q --no-index --no-deps --no-compile --no-cache-dir --upgrade \
            --target "$PLACE/site" "$PACK"/wheels/*.whl || return 1
        touch "$PLACE/site/complete"
    fi
    if [ ! -d "$PLACE/data/neu_seg" ]; then
        mkdir -p "$PLACE/unpacking"
        tar -C "$PLACE/unpacking" -xJf "$PACK/data.tar.xz" && mv "$PLACE/unpacking" "$PLACE/data" || return 1
    fi
    if [ -f "$PACK/state.tar.xz.00" ] && [ ! -d "$PLACE/state" ]; then
        cat "$PACK"/state.tar.xz.* | tar -C "$PLACE" -xJ || return 1
    fi
    if [ -f "$PACK/starts.tar.xz" ] && [ ! -d "$PLACE/work" ]; then
        mkdir -p "$PLACE/work"
        tar -C "$PLACE/work" -xJf "$PACK/starts.tar.xz" || return 1
    fi
}

# part NAME SECONDS COMMAND...: run a command for that long at most; what it says goes to the log, how it ended to the lines.
part() {
    local name=$1 limit=$2 begin=$SECONDS code
    shift 2
    timeout --kill-after=5 "$limit" "$@" > "$PLACE/$name.log" 2>&1
    code=$?
    { echo "== $name"; cat "$PLACE/$name.log"; } >> "$OUT/log.txt"
    echo "{\"what\": \"part\", \"name\": \"$name\", \"code\": $code, \"seconds\": $((SECONDS - begin)), \"limit\": $limit}" \
        | tee -a "$OUT/lines.jsonl"
    return $code
}

measure() {
    local small=() losses=(--size 32 --batch 2) steps=${STEPS_SECONDS:-60}
    [ -n "${SMALL:-}" ] && small=(--small) losses+=(--steps 3)
    part machine 20 "$PYTHON" -c 'import platform, torch, os; print(platform.python_version(), torch.__version__, os.cpu_count(),
        torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU")'
    # Alone, as they are timed.
    part steps "$((steps + 20))" "$PYTHON" benchmarks/gpu_steps.py --results "$OUT/lines.jsonl" \
        --profile "$OUT/profile.txt" --seconds "$steps" --precisions $PRECISIONS "${small[@]}"
    part loader "${CHECKS_SECONDS:-60}" "$PYTHON" benchmarks/loader_speed.py --results "$OUT/lines.jsonl" \
        --data-root "$PLACE/data" --workers 0 1 "$WORKERS" 8 --seconds 1
    # These only have to end. A thread for every core would take the host's time from the training that begins meanwhile.
    OMP_NUM_THREADS=2 part losses "$((2 * ${CHECKS_SECONDS:-60}))" "$PYTHON" benchmarks/gpu_losses.py \
        --results "$OUT/lines.jsonl" "${losses[@]}" &
    CHECKS+=($!)
    OMP_NUM_THREADS=2 part tests "$((2 * ${CHECKS_SECONDS:-60}))" \
        "$PYTHON" -m pytest -q -m gpu -p no:cacheprovider tests/gpu &
    CHECKS+=($!)
}

train() {
    share_device
    "train_$TABLES"
    [ -z "${CUDA_MPS_PIPE_DIRECTORY:-}" ] || echo quit | timeout 10 nvidia-cuda-mps-control
}

# Let kernels of several processes run at the same time (NVIDIA's MPS), where that works: else they take turns.
share_device() {
    export PATH=$PATH:/usr/local/nvidia/bin
    command -v nvidia-cuda-mps-control > /dev/null || return 0
    export CUDA_MPS_PIPE_DIRECTORY=$PLACE/mps CUDA_MPS_LOG_DIRECTORY=$PLACE/mps
    mkdir -p "$PLACE/mps"
    # Two processes at a time, with a convolution each.
    part share 40 bash -c 'nvidia-cuda-mps-control -d && { "$0" -c "$1" & "$0" -c "$1" && wait $!; }' "$PYTHON" \
        'import torch; print(torch.nn.Conv2d(3, 3, 3, device="cuda")(torch.ones(1, 3, 9, 9, device="cuda")).sum().backward())' \
        && return 0
    echo quit | timeout 5 nvidia-cuda-mps-control > /dev/null 2>&1
    unset CUDA_MPS_PIPE_DIRECTORY CUDA_MPS_LOG_DIRECTORY
}

# What unlabelled images bring to a network on labels, by the recipe as it is and with a change of it, and the other methods from
# the same networks. Small steps leave most of a GPU idle, so all runs of the first two go at a time.
train_warm() {
    local warm=(--protocol warm --precision float32 --threads 1 --workers 1) begun=() percentage methods
    read -ra methods <<< "${METHODS:-cps unimatch simeps fixmatch mean_teacher uaps}"
    # shellcheck disable=SC2206
    warm+=(--seeds ${SEEDS:-0 1 2})
    if [ -n "${SMALL:-}" ]; then warm+=(--size 32 --batch 2 --iters 6) START=6; fi
    echo '{"what": "plan", "tables": "warm"}' | tee -a "$OUT/lines.jsonl" > "$(plan)"
    for percentage in 1 5 10; do
        local start=(--start "${START:-$([ $percentage = 1 ] && echo 3000 || echo 4500)}" --fractions $percentage)
        table "warm_${percentage}pct" "${warm[@]}" "${start[@]}" --methods simeps_plus supervised --jobs 6 &
        begun+=($!)
        [ -n "${CHANGE:-}" ] || continue
        table "changed_${percentage}pct" "${warm[@]}" "${start[@]}" --methods simeps_plus --cfg-options "$CHANGE" --jobs 3 &
        begun+=($!)
    done
    wait "${begun[@]}"
    table others_1pct "${warm[@]}" --fractions 1 --start "${START:-3000}" --methods "${methods[@]}" --jobs 18
}

# The paper's protocol with as many iterations as fit, one table after the other: from nothing, then from the network that this
# table has on labels alone; then the next percentage of labels. What is not finished is gone on with in the next call.
train_paper() {
    local plan percentage iterations further precision
    plan=$(plan)
    local paper=(--protocol paper --methods supervised simeps simeps_plus --seeds 0 --jobs 3 --threads 2 --workers "$WORKERS")
    if [ -n "${SMALL:-}" ]; then paper+=(--size 32 --batch 2); fi
    if [ ! -s "$plan" ]; then
        "$PYTHON" benchmarks/gpu_plan.py --lines "$OUT/lines.jsonl" --seconds "$(seconds_left)" > "$plan" \
            || echo '500 166 auto' > "$plan"
        if [ -n "${SMALL:-}" ]; then echo '18 6 auto' > "$plan"; fi
    fi
    read -r iterations further precision < "$plan"
    echo "{\"what\": \"plan\", \"iterations\": [$iterations, $further], \"precision\": \"$precision\"}" \
        | tee -a "$OUT/lines.jsonl"
    for percentage in 10 1; do
        table "from_nothing_${percentage}pct" "${paper[@]}" --precision "$precision" --fractions "$percentage" \
            --iters "$iterations"
        table "from_labels_${percentage}pct" "${paper[@]}" --precision "$precision" --fractions "$percentage" \
            --iters "$further" --start "$iterations"
    done
}

# The file that says what is trained.
plan() {
    echo "$PLACE/state/plan_$TABLES"
}

seconds_left() {
    echo $((QUARTER_SECONDS - STOPPING_SECONDS - PACKING_SECONDS - SECONDS))
}

# table NAME ARGUMENTS...: runs of compare.py, if there is time left.
table() {
    local name=$1 seconds
    shift
    seconds=$(seconds_left)
    [ "$seconds" -gt 15 ] || return 0
    part "$name" "$((seconds + STOPPING_SECONDS))" "$PYTHON" benchmarks/compare.py "$@" \
        --data-root "$PLACE/data" --work-dir "$PLACE/work" --state "$PLACE/state" \
        --results "$PLACE/state/results.jsonl" --minutes "$("$PYTHON" -c "print($seconds / 60)")"
    cp "$PLACE/state/results.jsonl" "$OUT/" 2> /dev/null
    tail -q -n 5 "$PLACE"/work/*/log.txt >> "$OUT/log.txt" 2> /dev/null
}

# The states of unfinished runs, the latest first, as many as fit.
pack_state() {
    rm -f "$OUT"/state.tar.xz.*  # of a call before
    local names=() file bytes=0 limit=$((PIECE_MIB * PIECES * 1024 * 1024))
    while read -r file; do
        bytes=$((bytes + $(stat -c %s "$file")))
        # Compressed they are about a fifth smaller; what would not fit even so is left out.
        if [ $((bytes * 4 / 5)) -gt "$limit" ]; then
            echo "{\"what\": \"left_behind\", \"file\": \"${file##*/}\"}" | tee -a "$OUT/lines.jsonl"
            bytes=$((bytes - $(stat -c %s "$file")))
            continue
        fi
        names+=("state/${file##*/}")
    done < <(ls -t "$PLACE"/state/*.pth 2> /dev/null)
    for file in results.jsonl plan_paper plan_warm; do
        [ -f "$PLACE/state/$file" ] && names+=("state/$file")
    done
    [ ${#names[@]} -gt 0 ] || return 0
    tar -C "$PLACE" -cf - "${names[@]}" | xz -T0 -1 | split -b "${PIECE_MIB}M" -d - "$OUT/state.tar.xz."
    ls -l "$OUT"
}

main "$@"
