"""Train a config."""

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch
from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.runner import Runner
from mmseg.registry import DATASETS, RUNNERS

from ..datasets.missing_data import TRAINED_AND_VALIDATED, check_data_is_there
from ..datasets.training_check import check_before_training
from ..datasets.unreadable import guarded_loader, replaced_images, worker_errors_named
from ..deploy import read_checkpoint
from ..engine import PreflightHook
from ..engine.config_checks import check_config
from ..models.utils import replace_sync_bn
from ..models.utils.pretrained import check_pretrained, remove_pretrained
from ..utils import UserError
from ..utils.config_errors import config_keys_named
from ..utils.configs import load_config
from ..utils.files import check_folder_writable


def train(
    config: str,
    work_dir: str | None = None,
    resume: bool = False,
    amp: bool = False,
    from_scratch: bool = False,
    options: Sequence[str] = (),
    launcher: Literal['none', 'pytorch', 'slurm', 'mpi'] = 'none',
    check: bool = True,
) -> Runner:
    """Train, as MMSeg's ``tools/train.py`` does, after everything that can be checked has been.

    Args:
        config: Path of a config, also below the shipped ``configs/``.
        work_dir: Folder for checkpoints and logs.
        resume: Whether to continue from the last checkpoint in ``work_dir``, where there is one.
        amp: Whether to train in mixed precision: float16 on a GPU, bfloat16 on the CPU.
        from_scratch: Whether to leave pretrained weights out.
        options: ``key=value`` changes of the config.
        launcher: What starts the processes of a distributed run.
        check: Whether to open every image and mask first, as ``check_dataset`` does; with ``--no-check`` a few of each part.

    Returns:
        The runner after training.

    Raises:
        UserError: If config, data, pretrained weights or experiment are not as they have to be.
    """
    cfg = load_config(config, options, work_dir, launcher)
    check_config(cfg)
    check_length(cfg)
    check_data_is_there(cfg, TRAINED_AND_VALIDATED)
    for warning in check_before_training(cfg, check):
        print_log(warning, 'current', logging.WARNING)
    prepare_model(cfg, from_scratch)
    if amp:
        use_amp(cfg)
    cfg.resume = resume
    check_folder_writable(cfg.work_dir)
    if resume:
        warn_without_checkpoint(cfg)
        prefer_own_checkpoint(cfg)
    with config_keys_named(cfg), worker_errors_named():  # the runner builds some parts at its first iteration only
        runner = RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)
        runner.register_hook(PreflightHook(), priority='HIGHEST')
        runner._train_dataloader = guarded_loader(runner._train_dataloader, DATASETS.build)
        runner.train()
    replaced = replaced_images(runner.train_dataloader.dataset)
    if replaced:
        print_log(replaced, 'current', logging.WARNING)
    return runner


def check_length(cfg: Config) -> None:
    """Raise ``UserError`` unless a training has one step or more: the runner would find out after it has built all else."""
    for key in ('max_iters', 'max_epochs'):
        value = (cfg.get('train_cfg') or {}).get(key)
        if value is not None and not (isinstance(value, int | float) and value >= 1 and value % 1 == 0):
            raise UserError(f'train_cfg.{key} must be a whole number of 1 or more, got {value!r}')


def warn_without_checkpoint(cfg: Config) -> None:
    """Say that ``--resume`` changes nothing where nothing was saved: no error, as jobs that may restart always have it."""
    folder = Path(cfg.work_dir)
    if cfg.get('load_from') or (folder / 'last_checkpoint').is_file() or int(os.environ.get('RANK', 0)) != 0:
        return
    others = ' (last_checkpoint, which names it, is not there)' if any(folder.glob('*.pth')) else ''
    print_log(
        f'--resume: there is no checkpoint to go on from in {folder}{others}; training starts from the beginning',
        'current',
        logging.WARNING,
    )


def prefer_own_checkpoint(cfg: Config) -> None:
    """Resume from the work folder's last checkpoint, or else begin with ``load_from``, in place.

    mmengine would resume from ``load_from`` itself, which is right for a checkpoint of this training that somebody chose, and
    not for a plain network that branches start from.
    """
    start = cfg.get('load_from')
    if not start or not Path(start).is_file() or not {'branch', 'branches'} & cfg.model.keys():
        return
    if any(key.startswith('branches.') for key in read_checkpoint(start)['state_dict']):
        return
    cfg.resume = (Path(cfg.work_dir) / 'last_checkpoint').is_file()
    if cfg.resume:
        cfg.load_from = None
    where = f'goes on from the last checkpoint in {cfg.work_dir}' if cfg.resume else f'begins from {start}'
    print_log(f'--resume: training {where}', 'current')


def prepare_model(cfg: Config, from_scratch: bool) -> None:
    """Settle pretrained weights, and batch norm where SyncBN cannot run (one process, or no GPU), in place."""
    if from_scratch:
        print_log(f'--from-scratch: without {remove_pretrained(cfg) or "any pretrained weights, as before"}', 'current')
    else:
        check_pretrained(cfg)
    if cfg.launcher == 'none' or not torch.cuda.is_available():
        keys = ', '.join(f'model.{key}' for key in replace_sync_bn(cfg.model))
        why = 'One process' if cfg.launcher == 'none' else 'Without a GPU'
        if keys:
            print_log(f'{why}: SyncBN becomes BN in {keys}', 'current')


def use_amp(cfg: Config) -> None:
    """Turn a plain optimiser wrapper into one with mixed precision, in place.

    Raises:
        UserError: If the config has a wrapper of another kind.
    """
    kind = cfg.optim_wrapper.get('type', 'OptimWrapper')
    if kind in ('AmpOptimWrapper', 'BFloat16OptimWrapper'):
        return
    if kind != 'OptimWrapper':
        raise UserError(f'--amp changes optim_wrapper.type=OptimWrapper only, and the config has {kind}')
    if torch.cuda.is_available():
        cfg.optim_wrapper.update(type='AmpOptimWrapper', loss_scale='dynamic')
    else:
        cfg.optim_wrapper.type = 'BFloat16OptimWrapper'
