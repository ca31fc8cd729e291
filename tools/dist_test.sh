#!/usr/bin/env bash
# Evaluate a checkpoint on several devices of one machine or of several; docs/many_gpus.md.
#
#   tools/dist_test.sh CONFIG CHECKPOINT GPUS [arguments of tools/test.py]
set -euo pipefail

CONFIG=${1:?usage: dist_test.sh CONFIG CHECKPOINT GPUS [arguments of test.py]}
CHECKPOINT=${2:?usage: dist_test.sh CONFIG CHECKPOINT GPUS [arguments of test.py]}
GPUS=${3:?usage: dist_test.sh CONFIG CHECKPOINT GPUS [arguments of test.py]}
TOOLS=$(cd "$(dirname "$0")" && pwd)

exec "${PYTHON:-python}" -m torch.distributed.run \
    --nnodes="${NNODES:-1}" \
    --node-rank="${NODE_RANK:-0}" \
    --master-addr="${MASTER_ADDR:-127.0.0.1}" \
    --master-port="${PORT:-29500}" \
    --nproc-per-node="$GPUS" \
    "$TOOLS/test.py" "$CONFIG" "$CHECKPOINT" --launcher pytorch "${@:4}"
