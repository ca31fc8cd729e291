#!/usr/bin/env bash
# A quarter of an hour on a GPU, in one call: what a step costs, whether it is right, then the paper's protocol on NEU-Seg.
#
#   benchmarks/gpu_quarter_pack.sh                       # before, where there is a package index
#   OUT=results benchmarks/gpu_quarter.sh                # on the machine with the GPU
#   benchmarks/gpu_quarter.sh unpack                     # only unpack; a later call may then lack build/gpu_quarter/data.tar.xz
#   SMALL=1 QUARTER_SECONDS=600 OUT=/tmp/out benchmarks/gpu_quarter.sh           # a try on the CPU
#
# Everything is written into $OUT as soon as it is known, at most eight files of 16 MiB:
#   lines.jsonl        costs of steps, equality of losses, speed of the loader, parts and their times
#   profile.txt        where a step goes
#   log.txt            what all parts said
#   results.jsonl      finished runs of benchmarks/compare.py, to be added to benchmarks/results/
#   state.tar.xz.*     unfinished runs; the next quarter goes on from them (STATE=results benchmarks/gpu_quarter_pack.sh)
# Each part has a time of its own, and none stops the others.
set -uo pipefail

ROOT=$(cd "$(dirname "$0")/.." && pwd)
PACK=${PACK:-$ROOT/build/gpu_quarter}
PLACE=${PLACE:-/tmp/gpu_quarter}         # unpacked: site/, data/, state/, work/
PYTHON=${PYTHON:-python3}
QUARTER_SECONDS=${QUARTER_SECONDS:-570}  # of the whole call
STOPPING_SECONDS=${STOPPING_SECONDS:-25} # for the last checkpoint of a run that is stopped
PACKING_SECONDS=${PACKING_SECONDS:-15}   # for packing its state
JOBS=${JOBS:-1}                          # runs at a time; the state of each unfinished one has to fit
# Processes that load images, for each run. So many are to be enough: images a second that part `loader` reports for them are to
# be more than those of the fastest step that part `steps` reports for U-Net at 256, else the training waits for images.
WORKERS=${WORKERS:-8}
PIECE_MIB=15
PIECES=4                                 # beside the four other files
cd "$ROOT" || exit 1
export PYTHONPATH=$PLACE/site:$ROOT PYTHONUNBUFFERED=1

main() {
    unpack || exit 1
    [ "${1:-all}" = unpack ] && exit 0
    : "${OUT:?names the folder for the results}"
    mkdir -p "$OUT" "$PLACE/state"
    measure
    train
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
    local small=() losses=() steps=${STEPS_SECONDS:-70}
    [ -n "${SMALL:-}" ] && small=(--small) losses=(--size 32 --batch 2 --steps 3)
    part machine 20 "$PYTHON" -c 'import platform, torch, os; print(platform.python_version(), torch.__version__, os.cpu_count(),
        torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU")'
    # Alone, as it is timed; the others only have to end.
    part steps "$((steps + 20))" "$PYTHON" benchmarks/gpu_steps.py --lines "$OUT/lines.jsonl" \
        --profile "$OUT/profile.txt" --seconds "$steps" "${small[@]}"
    part losses "${CHECKS_SECONDS:-60}" "$PYTHON" benchmarks/gpu_losses.py --lines "$OUT/lines.jsonl" "${losses[@]}" &
    part tests "${CHECKS_SECONDS:-60}" "$PYTHON" -m pytest -q -m gpu -p no:cacheprovider tests/gpu &
    part loader "${CHECKS_SECONDS:-60}" "$PYTHON" benchmarks/loader_speed.py --results "$OUT/lines.jsonl" \
        --data-root "$PLACE/data" --workers 0 1 4 "$WORKERS" --seconds 2 &
    wait
}

# What to train, in order: `iterations percentage`. The first that is not finished is gone on with.
train() {
    local grids=("12000 10" "12000 1" "48000 10" "48000 1") methods=(supervised simeps simeps_plus) grid seconds code
    local changes=(--protocol paper)
    if [ -n "${SMALL:-}" ]; then
        grids=("16 10" "16 1")
        changes+=(--size 32 --batch 2)
    fi
    for grid in "${grids[@]}"; do
        read -r iterations percentage <<< "$grid"
        seconds=$((QUARTER_SECONDS - STOPPING_SECONDS - PACKING_SECONDS - SECONDS))
        [ "$seconds" -gt 15 ] || break
        part "train_${iterations}_${percentage}pct" "$((seconds + STOPPING_SECONDS))" "$PYTHON" benchmarks/compare.py \
            "${changes[@]}" --iters "$iterations" --fractions "$percentage" --methods "${methods[@]}" --seeds 0 \
            --data-root "$PLACE/data" --work-dir "$PLACE/work" --state "$PLACE/state" --jobs "$JOBS" --workers "$WORKERS" \
            --minutes "$("$PYTHON" -c "print($seconds / 60)")"
        code=$?
        cp "$PLACE/state/results.jsonl" "$OUT/" 2> /dev/null
        tail -q -n 5 "$PLACE"/work/*/log.txt >> "$OUT/log.txt" 2> /dev/null
        [ "$code" -eq 75 ] && break  # the time is over
    done
}

# The states of unfinished runs, the latest first, as many as fit.
pack_state() {
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
    [ -f "$PLACE/state/results.jsonl" ] && names+=(state/results.jsonl)
    [ ${#names[@]} -gt 0 ] || return 0
    tar -C "$PLACE" -cf - "${names[@]}" | xz -T0 -1 | split -b "${PIECE_MIB}M" -d - "$OUT/state.tar.xz."
    ls -l "$OUT"
}

main "$@"
