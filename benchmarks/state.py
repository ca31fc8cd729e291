"""A run between two slices on machines that forget: one small file, made from a work folder and made into one again.

Matrices and convolutions are kept at half the size: the weights in float16, the optimiser's moments in bfloat16, which is
coarser, but has a range in which Adam's second moments do not vanish. Scalars and vectors (statistics of batch norm, biases,
step counters) stay as they are: they are few. Of the log only the times of the steps are kept. The best weights so far come
along in float16, without an optimiser. The weights to which the guard would go back do not, as they would double the file: it
then takes those that it finds for good, and says so.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from mmengine.runner import find_latest_checkpoint
from mmengine.runner.checkpoint import CheckpointLoader
from torch import Tensor

from simeps_mmseg.utils import UserError

DECIDING = 'mIoU_fg'  # the validation score that chooses the best weights
BEST = f'best_{DECIDING}_iter_{{}}.pth'  # as CheckpointHook names it
KEPT_LOGS = ('train/time',)


def best_weights(folder: Path) -> Path:
    """The weights in the work folder of a run that were best on validation.

    Raises:
        UserError: If there are none.
    """
    found = sorted(folder.glob(BEST.format('*')))
    if not found:
        raise UserError(f'{folder} has no {BEST.format("*")}: train it with compare.py into this --work-dir')
    return found[0]


def halved(node: Any, dtype: torch.dtype = torch.bfloat16) -> Any:
    """A nested structure whose floating tensors of two or more dimensions are in half precision."""
    return _mapped(node, lambda t: t.to(dtype) if t.is_floating_point() and t.dim() >= 2 else t.clone())


def restored(node: Any) -> Any:
    """A nested structure with its half precision tensors in float32."""
    return _mapped(node, lambda t: t.float() if t.dtype in (torch.bfloat16, torch.float16) else t)


def _mapped(node: Any, change: Callable[[Tensor], Tensor]) -> Any:
    if isinstance(node, Tensor):
        return change(node)
    if isinstance(node, dict):
        return type(node)((key, _mapped(value, change)) for key, value in node.items())
    if isinstance(node, (list, tuple)):
        return type(node)(_mapped(value, change) for value in node)
    return node


def pack(checkpoint: dict) -> dict:
    """A checkpoint of mmengine at about half its size, less the log."""
    dtypes = dict(state_dict=torch.float16, optimizer=torch.bfloat16)
    packed = {key: halved(value, dtypes[key]) if key in dtypes else value for key, value in checkpoint.items()}
    hub = checkpoint['message_hub']
    logs = {key: _small(buffer) for key, buffer in hub['log_scalars'].items() if key in KEPT_LOGS}
    keys = {*logs, *hub['runtime_info']}
    packed['message_hub'] = dict(
        log_scalars=logs,
        runtime_info={**hub['runtime_info'], 'cfg': ''},  # meta has it too
        resumed_keys={key: value for key, value in hub['resumed_keys'].items() if key in keys},
    )
    return packed


def _small(buffer: HistoryBuffer) -> HistoryBuffer:
    values, counts = buffer.data
    return HistoryBuffer(np.asarray(values, np.float32), np.asarray(counts, np.int32))


def weights_only(checkpoint: dict) -> dict:
    """The weights of a checkpoint in float16; mmengine loads them into a float32 model as they are."""
    return dict(meta=checkpoint.get('meta', {}), state_dict=halved(checkpoint['state_dict'], torch.float16))


def latest_checkpoint(work_dir: Path) -> Path | None:
    """The last checkpoint in a work folder, if there is one that is still where it was written."""
    if not (work_dir / 'last_checkpoint').is_file():
        return None
    path = Path(find_latest_checkpoint(str(work_dir)))
    return path if path.is_file() else None


def save_state(work_dir: Path, file: Path) -> None:
    """Make the file from a work folder; whole or not at all."""
    checkpoint = load(latest_checkpoint(work_dir))
    state = dict(last=pack(checkpoint), best=None, best_name=None)
    best = checkpoint['message_hub']['runtime_info'].get('best_ckpt')
    if best and Path(best).is_file():
        state.update(best=weights_only(load(Path(best))), best_name=Path(best).name)
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(f'.{file.name}.partial')
    torch.save(state, partial)
    os.replace(partial, file)


def restore_state(file: Path, work_dir: Path) -> None:
    """Make a work folder that mmengine resumes from."""
    state = load(file)
    checkpoint = restored(state['last'])
    info = checkpoint['message_hub']['runtime_info']
    for key in ('best_ckpt', 'last_ckpt'):
        if key in info:
            info[key] = str(work_dir / Path(info[key]).name)
    work_dir.mkdir(parents=True, exist_ok=True)
    if state['best'] is not None:
        torch.save(restored(state['best']), work_dir / state['best_name'])
    last = work_dir / f'iter_{checkpoint["meta"]["iter"]}.pth'
    torch.save(checkpoint, last)
    (work_dir / 'last_checkpoint').write_text(str(last))


def load(file: Path) -> dict:
    """A checkpoint, on the CPU. By mmengine's own loader: OneDL's takes what it allows back from ``torch.load`` each time."""
    return CheckpointLoader.load_checkpoint(str(file), map_location='cpu')
