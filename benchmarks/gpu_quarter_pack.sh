#!/usr/bin/env bash
# Pack what benchmarks/gpu_quarter.sh needs on a machine that has PyTorch and no package index: wheels and NEU-Seg.
#
#   benchmarks/gpu_quarter_pack.sh [DATA_ROOT]           # the folder with neu_seg, as prepare_data.py wrote it; default: data
#   STATE=results_of_the_last_quarter benchmarks/gpu_quarter_pack.sh
#   STARTS=work_folder_of_compare benchmarks/gpu_quarter_pack.sh     # with finished networks on labels to start from
#
# Writes build/gpu_quarter/: wheels/, data.tar.xz and, with STATE, the state to go on from. Of a network to start from it takes
# the best weights, and as the last ones, which only say that it is finished, a link to them. LIMIT_MIB is what it may take.
set -euo pipefail

ROOT=$(cd "$(dirname "$0")/.." && pwd)
DATA=${1:-$ROOT/data}
PACK=${PACK:-$ROOT/build/gpu_quarter}
PYTHON=${PYTHON:-python}
LIMIT_MIB=${LIMIT_MIB:-60}

# The stack, and what it needs beside what comes with PyTorch's usual companions (numpy, OpenCV, matplotlib, SciPy, pytest).
# mmcv without compiled operators: none of the networks here has one. wcwidth: later ones are compiled.
STACK=(onedl-mmengine==0.10.12 onedl-mmcv==2.3.6 onedl-mmsegmentation==1.4.2)
COMPANIONS=(addict termcolor yapf platformdirs prettytable wcwidth==0.6.0 ftfy)

[ -d "$DATA/neu_seg" ] || { echo "$DATA/neu_seg is not there: python tools/prepare_data.py neu NEU_Seg-main.zip" >&2; exit 1; }
mkdir -p "$PACK"
if [ ! -f "$PACK/wheels/complete" ]; then
    rm -rf "$PACK/wheels"
    MMCV_WITH_OPS=0 "$PYTHON" -m pip wheel --quiet --no-deps --wheel-dir "$PACK/wheels" "${STACK[@]}" "${COMPANIONS[@]}"
    touch "$PACK/wheels/complete"
fi
compiled=$(find "$PACK/wheels" -name '*.whl' ! -name '*-none-any.whl')
[ -z "$compiled" ] || { echo "compiled for this Python, so they may not install elsewhere: $compiled" >&2; exit 1; }
[ -f "$PACK/data.tar.xz" ] || tar -C "$DATA" -chf - neu_seg | xz -T0 -6 > "$PACK/data.tar.xz"

rm -f "$PACK"/state.tar.xz.*
if [ -n "${STATE:-}" ]; then
    cp "$STATE"/state.tar.xz.* "$PACK/"
fi
rm -rf "$PACK"/starts*
if [ -n "${STARTS:-}" ]; then
    for folder in "$STARTS"/supervised_*/; do
        best=$(find "$folder" -maxdepth 1 -name 'best_*.pth')
        if [ ! -f "$best" ] || [ ! -f "$folder/last_checkpoint" ]; then
            echo "$folder: not one best_*.pth and a last_checkpoint, so it is left out" >&2
            continue
        fi
        start=$PACK/starts/$(basename "$folder")
        mkdir -p "$start"
        cp "$best" "$start/"
        ln -s "$(basename "$best")" "$start/$(basename "$(cat "$folder/last_checkpoint")")"
    done
    tar -C "$PACK/starts" -cf - . | xz -T0 -6 > "$PACK/starts.tar.xz"
    rm -rf "$PACK/starts"
fi
du -ch "$PACK"/* | sort -h
mib=$(du -sm "$PACK" | cut -f1)
if [ "$mib" -gt "$LIMIT_MIB" ]; then
    echo "$mib MiB are more than LIMIT_MIB=$LIMIT_MIB: carry data.tar.xz in a call of its own (gpu_quarter.sh unpack)" >&2
    exit 2
fi
