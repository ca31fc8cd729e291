#!/usr/bin/env bash
# Train on several devices of one machine or of several; docs/many_gpus.md.
#
#   tools/dist_train.sh CONFIG GPUS [arguments of tools/train.py]
#   NNODES=2 NODE_RANK=0 MASTER_ADDR=10.1.1.1 tools/dist_train.sh CONFIG GPUS     # and NODE_RANK=1 on the second machine
set -euo pipefail

CONFIG=${1:?usage: dist_train.sh CONFIG GPUS [arguments of train.py]}
GPUS=${2:?usage: dist_train.sh CONFIG GPUS [arguments of train.py]}
TOOLS=$(cd "$(dirname "$0")" && pwd)

exec "${PYTHON:-python}" -m torch.distributed.run \
    --nnodes="${NNODES:-1}" \
    --node-rank="${NODE_RANK:-0}" \
    --master-addr="${MASTER_ADDR:-127.0.0.1}" \
    --master-port="${PORT:-29500}" \
    --nproc-per-node="$GPUS" \
    "$TOOLS/train.py" "$CONFIG" --launcher pytorch "${@:3}"
