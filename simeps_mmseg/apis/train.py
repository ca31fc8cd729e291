"""Train a config."""

import logging
from collections.abc import Sequence
from typing import Literal

import torch
from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.runner import Runner
from mmseg.registry import DATASETS, RUNNERS

from ..datasets.checks.before_training import MOST_UNLABELED, check_before_training
from ..datasets.checks.missing_data import TRAINED_AND_VALIDATED, check_data_is_there, leave_out_evaluation_images
from ..datasets.listing import listings_kept
from ..datasets.samplers import LabeledUnlabeledSampler
from ..datasets.unreadable import guarded_loader, replaced_images, worker_errors_named
from ..engine import PreflightHook
from ..engine.checks.config import check_config
from ..engine.checks.packages import check_packages
from ..engine.hooks.stop_signals import end_if_asked
from ..engine.resume import choose_checkpoint, settle_seed
from ..engine.safe_hooks import add_safe_hooks
from ..engine.work_folder import only_training, set_aside
from ..models.segmentors import TrainingStep
from ..models.utils.pretrained import check_pretrained, remove_pretrained
from ..models.utils.sync_bn import replace_where_sync_bn_fails
from ..utils import UserError
from ..utils.config_errors import config_keys_named
from ..utils.config_tree import type_name
from ..utils.configs import load_config
from ..utils.files import check_folder_writable
from ..utils.kept_memory import keep_freed_memory
from ..utils.log_files import prepare_log_files
from ..utils.own_types import inherits
from ..utils.processes import join_processes


def train(
    config: str,
    work_dir: str | None = None,
    resume: bool = False,
    amp: bool = False,
    from_scratch: bool = False,
    options: Sequence[str] = (),
    launcher: Literal['none', 'pytorch', 'slurm', 'mpi'] = 'none',
    check: bool = True,
    check_all: bool = False,
) -> Runner:
    """Train, as MMSeg's ``tools/train.py`` does, after everything that can be checked has been.

    Without a GPU the process keeps the memory that it frees from here on.

    Args:
        config: Path of a config, also below the shipped ``configs/``.
        work_dir: Folder for checkpoints and logs. None: the one that the config names, else ``work_dirs/NAME_OF_CONFIG``.
        resume: Continue from the newest whole checkpoint in the work folder, where there is one. Without this, what an
            earlier training left there is moved aside.
        amp: Train in mixed precision: float16 on a GPU, bfloat16 on the CPU.
        from_scratch: Leave pretrained weights out.
        options: ``key=value`` changes of the config.
        launcher: What starts the processes of a distributed run.
        check: Open images and masks first, as ``check_dataset`` does, in place of the first few of each part. Of an
            unlabelled source with more than 10,000 images those are evenly spaced ones, and paths are looked at of all.
        check_all: Open every unlabelled image, not only 10,000 of a source.

    Returns:
        The runner after training.

    Raises:
        UserError: If config, data, pretrained weights or experiment are not as they have to be, or another training runs in
            ``work_dir``.
        SystemExit: With code 75 after SIGTERM or SIGHUP: ``resume`` goes on from that step, or from the last epoch; with
            128 and the signal's number if steps were trained and there is no checkpoint.
    """
    cfg = load_config(config, options, work_dir, launcher)
    check_config(cfg)
    check_length(cfg)
    leave_out_evaluation_images(cfg)
    check_packages(cfg)
    check_data_is_there(cfg, TRAINED_AND_VALIDATED)
    with listings_kept():  # one listing for the checks and the training
        for warning in check_before_training(cfg, check or check_all, None if check_all else MOST_UNLABELED):
            print_log(warning, 'current', logging.WARNING)
        prepare_model(cfg, from_scratch)
        if amp:
            use_amp(cfg)
        add_safe_hooks(cfg)
        step_by_parts_in_processes(cfg)
        check_folder_writable(cfg.work_dir)
        keep_freed_memory()
        # The runner builds some parts at its first iteration only.
        with only_training(cfg), config_keys_named(cfg), worker_errors_named():
            join_processes(cfg)
            if resume:
                choose_checkpoint(cfg)
            else:
                cfg.resume = False
                set_aside(cfg)
            settle_seed(cfg)
            runner = RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)
            prepare_log_files(runner.logger)
            runner.register_hook(PreflightHook(), priority='HIGHEST')
            runner._train_dataloader = guarded_loader(runner._train_dataloader, DATASETS.build)
            try:
                runner.train()
            except RuntimeError:
                end_if_asked(runner)
                raise
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


def prepare_model(cfg: Config, from_scratch: bool) -> None:
    """Settle pretrained weights, and batch norm where SyncBN cannot run (one process, or no GPU), in place."""
    if from_scratch:
        print_log(f'--from-scratch: without {remove_pretrained(cfg) or "any pretrained weights, as before"}', 'current')
    else:
        check_pretrained(cfg)
    replace_where_sync_bn_fails([('model', cfg.model)], cfg.launcher != 'none')


def step_by_parts_in_processes(cfg: Config) -> None:
    """Let each of several processes go backward after each part of its batch, as one alone does, in place.

    A ``model_wrapper_cfg`` in the config stays. Another sampler may give some processes batches with fewer parts, for which
    the others would wait for ever.
    """
    sampler = (cfg.train_dataloader.get('sampler') or {}).get('type')
    by_parts = inherits(cfg.model.type, TrainingStep) and inherits(sampler, LabeledUnlabeledSampler)
    if by_parts and cfg.get('launcher', 'none') != 'none' and not cfg.get('model_wrapper_cfg'):
        cfg.model_wrapper_cfg = dict(type='ByPartsDistributedDataParallel', broadcast_buffers=False)


def use_amp(cfg: Config) -> None:
    """Turn a plain optimiser wrapper into one with mixed precision, in place.

    Raises:
        UserError: If the config has a wrapper of another kind.
    """
    kind = type_name(cfg.optim_wrapper.get('type', 'OptimWrapper'))
    if kind in ('AmpOptimWrapper', 'BFloat16OptimWrapper'):
        return
    if kind != 'OptimWrapper':
        raise UserError(f'--amp changes optim_wrapper.type=OptimWrapper only, and the config has {kind}')
    if torch.cuda.is_available():
        cfg.optim_wrapper.update(type='AmpOptimWrapper', loss_scale='dynamic')
    else:
        cfg.optim_wrapper.type = 'BFloat16OptimWrapper'
