"""Evaluate a checkpoint."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, cast

from mmengine.config import Config
from mmengine.model import BaseTTAModel, is_model_wrapper
from mmengine.runner import Runner
from mmseg.engine.hooks import SegVisualizationHook
from mmseg.evaluation import IoUMetric
from torch import nn

from ..datasets.checks.inspection import TEST, VALIDATION
from ..datasets.checks.missing_data import check_data_is_there
from ..datasets.sources import find_sources
from ..deploy import read_checkpoint
from ..engine.checks.config import check_groups
from ..engine.checks.scores import evaluators
from ..engine.safe_hooks import write_valid_json
from ..inference.loading import check_weights
from ..models.utils.pretrained import remove_pretrained
from ..utils import UserError
from ..utils.config_errors import config_keys_named
from ..utils.configs import load_config
from ..utils.files import check_folder_writable
from ..utils.log_files import prepare_log_files
from ..utils.own_types import inherits

# OneDL's hook numbers the pictures of a test; that of OpenMMLab would write those of one file name over each other.
NUMBERS_PICTURES = 'after_test_iter' in vars(SegVisualizationHook)


def test(
    config: str,
    checkpoint: str,
    work_dir: str | None = None,
    out: str | None = None,
    show: bool = False,
    show_dir: str | None = None,
    wait_time: float = 2,
    tta: bool = False,
    options: Sequence[str] = (),
    launcher: Literal['none', 'pytorch', 'slurm', 'mpi'] = 'none',
) -> dict[str, float]:
    """Evaluate on the test set, as MMSeg's ``tools/test.py`` does.

    Args:
        config: Path of a config, also below the shipped ``configs/``.
        checkpoint: Path of the weights.
        work_dir: Folder for the scores and the log. None: the one that the config names, else ``work_dirs/NAME_OF_CONFIG``.
        out: Folder for the predicted label maps, as PNG.
        show: Show predictions in a window.
        show_dir: Folder for painted images.
        wait_time: Seconds for which ``show`` shows each image.
        tta: Average over flips, or what else ``tta_pipeline`` of the config says.
        options: ``key=value`` changes of the config.
        launcher: What starts the processes of a distributed run.

    Returns:
        The scores.

    Raises:
        UserError: If config, checkpoint or data is not there, the checkpoint is of another model, or there is no
            ``tta_pipeline``.
    """
    cfg = load_config(config, options, work_dir, launcher)
    if not cfg.get('test_dataloader'):
        raise UserError(f'{config} has no test_dataloader: there is nothing to test on')
    local = '://' not in checkpoint
    state = read_checkpoint(checkpoint)['state_dict'] if local else {}
    check_data_is_there(cfg, ('test_dataloader',))
    remove_pretrained(cfg)
    cfg.load_from = checkpoint
    cfg.resume = False
    write_valid_json(cfg)
    if show or show_dir:
        draw_predictions(cfg, show, show_dir, wait_time)
    if tta:
        use_tta(cfg)
    if show_dir and not NUMBERS_PICTURES:
        check_names_differ(cfg, '--show-dir', suffix=True)
    if out is not None:
        check_names_differ(cfg, '--out')
        write_results(cfg, out)
    for folder in filter(None, (out, show_dir)):
        check_folder_writable(folder)
    check_groups(cfg)
    check_folder_writable(cfg.work_dir)
    with config_keys_named(cfg):
        runner = Runner.from_cfg(cfg)
        prepare_log_files(runner.logger)
        if local:
            model = _innermost(runner.model)
            expected = model.state_dict()
            # Weights beyond those are no harm: a head that the config leaves out for the test, say.
            check_weights(model, {key: value for key, value in state.items() if key in expected})
        return runner.test()


def write_results(cfg: Config, out: str) -> None:
    """Let MMSegmentation's metric write the predictions into a folder, in place.

    Raises:
        UserError: If the config scores by other metrics alone.
    """
    writing = [metric for metric in evaluators(cfg, 'test').values() if inherits(metric.get('type'), IoUMetric)]
    if not writing:
        raise UserError('--out: results are written by IoUMetric or DefectIoUMetric; test_evaluator has neither')
    writing[0].update(output_dir=out, keep_results=True)


def check_names_differ(cfg: Config, option: str = '--out', suffix: bool = False) -> None:
    """Look for images that share a name: MMSegmentation names results by it, and would lose some.

    Args:
        cfg: Of the test.
        option: The option that asks for the results.
        suffix: Whether the suffix is a part of these names.

    Raises:
        UserError: If there are such images.
    """
    sources, _ = find_sources(cfg)
    parts = {source.part for source in sources}
    part = TEST if TEST in parts else VALIDATION  # where both are one
    paths = [info['img_path'] for source in sources if source.part == part for info in source.infos]
    names = Counter(Path(path).name if suffix else Path(path).stem for path in paths)
    shared = [name for name, count in names.items() if count > 1]
    if shared:
        raise UserError(
            f'{option} names results by file name, and {len(paths)} images have {len(names)} names ({shared[0]} is that of '
            f'{names[shared[0]]}), so some would be lost; predict -o keeps the folders'
        )


def _innermost(model: nn.Module) -> nn.Module:
    """The segmentor inside wrappers for several processes and for augmentation."""
    return (
        _innermost(cast(nn.Module, model.module))
        if isinstance(model, BaseTTAModel) or is_model_wrapper(model)
        else model
    )


def draw_predictions(cfg: Config, show: bool, show_dir: str | None, wait_time: float) -> None:
    """Turn on the visualisation hook, in place.

    Raises:
        UserError: If the config has none.
    """
    hook = cfg.default_hooks.get('visualization')
    if hook is None:
        raise UserError("default_hooks has no visualization=dict(type='SegVisualizationHook')")
    hook.update(draw=True, interval=1)  # stock MMSegmentation draws each fiftieth image of a test, OneDL's each
    if show:
        hook.update(show=True, wait_time=wait_time)
    if show_dir:
        if not cfg.get('visualizer'):
            raise UserError(
                "--show-dir: the config has no visualizer=dict(type='SegLocalVisualizer', ...), which draws"
            )
        cfg.visualizer.save_dir = show_dir


def use_tta(cfg: Config) -> None:
    """Test with augmentation, in place.

    Raises:
        UserError: If the config does not say how.
    """
    missing = [key for key in ('tta_pipeline', 'tta_model') if key not in cfg]
    if missing:
        raise UserError(f'--tta needs {" and ".join(missing)} in the config')
    if 'branch_predictions' in (cfg.model.get('test_cfg') or {}):
        cfg.model.test_cfg.branch_predictions = False  # only the model's own prediction is averaged
    cfg.test_dataloader.dataset.pipeline = cfg.tta_pipeline
    cfg.model = dict(**cfg.tta_model, module=cfg.model)
