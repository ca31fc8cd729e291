"""A trained branch, or all of them, as something that runs without this package."""

import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.utils import import_modules_from_strings
from mmseg.apis import init_model
from mmseg.models import BaseSegmentor
from torch import Tensor

import simeps_mmseg

from ..deploy import (
    BranchScores,
    best_branch,
    branch_model,
    deployed,
    find_checkpoint,
    network_states,
    plain_checkpoint,
    read_checkpoint,
    recorded_scores,
    stock_config,
)
from ..deploy.graph import (
    example,
    require,
    run_onnx,
    run_torchscript,
    swaps_channels,
    write_onnx,
    write_torchscript,
)
from ..deploy.labels_only import better_labels_only
from ..deploy.stock_config import scaling_of, test_pipeline
from ..models.segmentors import ENSEMBLE, STUDENT
from ..models.utils import main_head
from ..utils import UserError
from ..utils.configs import read_config
from ..utils.files import check_writable, whole_file
from ..utils.paths import find_config
from .compare_export import (
    channels_of,
    check_difference,
    compare_graph,
    compare_pair,
    comparison_images,
    described,
    noise_for,
    prepared,
)
from .model import Preparation, load_model, networks_of
from .pretrained import remove_pretrained

BEST = 'best'
SUFFIXES = dict(pth='.pth', onnx='.onnx', torchscript='.pt')
# Largest difference of the logits: a plain checkpoint computes the same, a graph sums in another order.
BOUNDS = dict(pth=1e-5, onnx=1e-3, torchscript=1e-3)


def export(
    checkpoint: str,
    branch: str = BEST,
    config: str | None = None,
    out: str | None = None,
    kind: str | None = None,
    size: Sequence[int] | None = None,
    images: str | None = None,
    student: bool = False,
    bound: float | None = None,
    input_type: str = 'uint8',
    overwrite: bool = False,
) -> Path:
    """Write one branch as a plain MMSeg checkpoint with its config, or one or all branches as ONNX or TorchScript.

    What was written is read back and compared with the original model on images; only then it gets its name.

    Args:
        checkpoint: Of a semi-supervised segmentor, or of a plain one.
        branch: ``best`` (by the recorded validation), a number, or ``ensemble``.
        config: Of the training. None: the one inside the checkpoint.
        out: File to write; None: beside the checkpoint.
        kind: ``pth``, ``onnx`` or ``torchscript``. None: by the suffix of ``out``, ``pth`` without.
        size: Height and width of the images that a graph takes. None: those of the config's test pipeline.
        images: Folder of images to compare on. None: the config's validation set, or noise where that is not there.
        student: Whether to export the branch although its moving average, where it has one, is what predicts.
        bound: Largest difference of the logits that is accepted. None: 1e-5 for ``pth``, 1e-3 for graphs.
        input_type: Of a graph's images, ``uint8`` or ``float32``; TorchScript takes either.
        overwrite: Whether a file of that name, or the config beside it, may be replaced.

    Returns:
        The file; a ``.py`` config lies beside a ``.pth``.

    Raises:
        UserError: If something is missing or cannot be exported, or what was written computes something else.
    """
    path = find_checkpoint(checkpoint)
    kind, target = _target(path, out, kind)
    if size is not None and min(size) < 1:
        raise UserError(f'--size is a height and a width in pixels, got {" ".join(map(str, size))}')
    if bound is not None and not bound >= 0:  # nor nan
        raise UserError(f'--bound is the largest difference of the logits, 0 or more, got {bound}')
    bound = BOUNDS[kind] if bound is None else bound
    if kind == 'onnx':
        require('onnx'), require('onnxruntime')
    content = read_checkpoint(path)
    cfg = source_config(content, path, config)
    remove_pretrained(cfg)
    has_averages = any(key.startswith('teachers.') for key in content['state_dict'])
    if student and not has_averages:
        print('--student changes nothing: the model keeps no moving averages')
    student = has_averages and (student or (cfg.model.get('test_cfg') or {}).get('predict_with') == STUDENT)
    count = len(network_states(content['state_dict'], student))
    chosen, why = choose_branches(branch, count, content, path, cfg, student)
    scores = recorded_scores(content, path) if branch == BEST else None
    better = better_labels_only(path, scores) if scores and len(scores.values) == count else None
    if better:
        content = {**content, 'state_dict': with_network(content['state_dict'], better.branch, better.file)}
        chosen = [better.branch]
        why = (
            f': no branch is better on validation ({better.name} {better.score:.2f}): unlabelled images brought nothing'
        )
    if kind == 'pth' and len(chosen) > 1:
        raise UserError(
            f'the ensemble of {count} networks is no EncoderDecoder of MMSegmentation: add --format onnx or torchscript, '
            'or choose one of them with --branch'
        )
    label = 'labels only' if better else label_of(chosen, count)
    target = target or path.with_name(f'{path.stem}_{label.replace(" ", "")}{SUFFIXES[kind]}')
    check_target(target, kind, path, overwrite)
    print(f'{better.file if better else f"{label} of {path}"}{why}', flush=True)
    model = load_model(cfg, content)
    if student:
        model.test_cfg['predict_with'] = STUDENT
    info = dict(
        classes=list(model.dataset_meta['classes']),
        palette=model.dataset_meta['palette'],
        exported=dict(checkpoint=path.name, network=label, student=student, simeps_mmseg=simeps_mmseg.__version__),
    )
    files = comparison_images(cfg, images)
    if kind == 'pth':
        write_pair(model, chosen[0], cfg, content, files, target, info, bound)
    else:
        networks = [networks_of(model)[index] for index in chosen]
        write_graph(kind, networks, model, cfg, files, size, target, info, bound, input_type)
    return target


def label_of(chosen: Sequence[int], count: int) -> str:
    """What the chosen of so many networks are called."""
    if count == 1:
        return 'network'
    return f'branch {chosen[0]}' if len(chosen) == 1 else ENSEMBLE


def with_network(state: Mapping[str, Tensor], branch: int, file: Path) -> dict[str, Tensor]:
    """A state dict in which one branch, and its moving average if there is one, has the weights of a plain network."""
    plain = read_checkpoint(file)['state_dict']
    places = [f'branches.{branch}.', f'teachers.{branch}.module.']
    return {
        **state,
        **{place + name: value for place in places for name, value in plain.items() if place + name in state},
    }


def _target(checkpoint: Path, out: str | None, kind: str | None) -> tuple[str, Path | None]:
    kinds = {'.pth': 'pth', '.onnx': 'onnx', '.pt': 'torchscript', '.ts': 'torchscript'}
    if out is None:
        return kind or 'pth', None
    found = kinds.get(Path(out).suffix)
    if found is None:
        raise UserError(f'-o names the file to write, with suffix {", ".join(kinds)}; got {out}')
    if kind not in (None, found):
        raise UserError(f'-o {out} is a file of --format {found}, not of --format {kind}')
    if found == 'pth' and Path(out).stem in sys.stdlib_module_names:
        module = Path(out).stem
        raise UserError(
            f"-o {out} would have its config in {module}.py, which scripts in that folder import in place of Python's own "
            f'{module}; choose another name'
        )
    return found, Path(out)


def check_target(target: Path, kind: str, checkpoint: Path, overwrite: bool) -> None:
    """Raise ``UserError`` where a file cannot be written or would be lost: the checkpoint, without ``overwrite`` any other."""
    if target.resolve() == checkpoint.resolve():
        raise UserError(f'-o {target} is the checkpoint itself; choose another name')
    files = [target, target.with_suffix('.py')] if kind == 'pth' else [target]
    for file in files:
        check_writable(file)
    there = [str(file) for file in files if file.exists()]
    if there and not overwrite:
        raise UserError(f'{" and ".join(there)} would be replaced; choose another name with -o, or add --overwrite')


def source_config(checkpoint: Mapping, path: Path, config: str | None = None) -> Config:
    """The config that a checkpoint was trained with: the given one, or the one inside it.

    Raises:
        UserError: If there is none, or it names no model.
    """
    if config is not None:
        cfg = read_config(find_config(config))
    elif checkpoint['meta'].get('cfg'):
        cfg = Config.fromstring(checkpoint['meta']['cfg'], '.py')
    else:
        raise UserError(f'{path} holds no config; name the one of the training with --config')
    if not cfg.get('model'):
        raise UserError(f'the config {config or f"in {path}"} has no model; name that of the training with --config')
    if cfg.get('custom_imports'):
        import_modules_from_strings(**cfg.custom_imports)
    return cfg


def choose_branches(
    branch: str, count: int, checkpoint: Mapping, path: Path, cfg: Config, student: bool
) -> tuple[list[int], str]:
    """Which networks to export, and a few words on why.

    Raises:
        UserError: If there is no such branch, or no score to choose by.
    """
    if count == 1 and branch in (BEST, ENSEMBLE):
        return [0], ''
    if branch == ENSEMBLE:
        return list(range(count)), ''
    if branch != BEST:
        if not branch.isdecimal() or int(branch) >= count:
            allowed = ', '.join([BEST, *map(str, range(count)), ENSEMBLE])
            raise UserError(f'--branch must be one of {allowed} for this checkpoint, got {branch}')
        return [int(branch)], ''
    if student and (cfg.model.get('test_cfg') or {}).get('predict_with') != STUDENT:
        raise UserError(
            f'the recorded scores are those of the moving averages, not of the students: with --student give --branch 0 to '
            f'{count - 1}'
        )
    scores = recorded_scores(checkpoint, path)
    if scores is None or len(scores.values) != count:
        raise UserError(no_scores(path, cfg, count))
    index = best_branch(scores.values)
    return [index], f', the best by {_listed(scores)} ({scores.source})'


def no_scores(path: Path, cfg: Config, count: int) -> str:
    """What to do where validation recorded no score of each branch."""
    split = ((cfg.get('val_dataloader') or {}).get('dataset') or {}).get('ann_file') or 'VALIDATION_SPLIT'
    return (
        f'--branch best needs the validation scores branch_k.mIoU_fg, and neither {path} nor a scalars.json beside it has '
        f'them (DefectIoUMetric records them with model.test_cfg.branch_predictions=True).\n'
        f'Score the branches on the validation set: python tools/test.py CONFIG {path} --cfg-options '
        f'test_dataloader.dataset.ann_file={split}\nthen name the best one: --branch 0 to {count - 1}.'
    )


def _listed(scores: BranchScores) -> str:
    return f'{scores.name} ' + ' / '.join(f'{value:.2f}' for value in scores.values)


def write_pair(
    model: BaseSegmentor,
    branch: int,
    cfg: Config,
    checkpoint: Mapping,
    files: Sequence[Path],
    target: Path,
    info: Mapping,
    bound: float,
) -> None:
    """Write ``target`` and the ``.py`` beside it after MMSeg's ``init_model`` has read them and agrees with the model.

    Raises:
        UserError: If the network is none of MMSeg's, or the predictions differ.
    """
    stock = stock_config(cfg, branch_model(cfg, branch), model.dataset_meta)
    exported = info['exported']
    header = (
        f'# {exported["network"].capitalize()} of {exported["checkpoint"]}, exported by simeps_mmseg '
        f'{exported["simeps_mmseg"]}. Needs MMSegmentation only.\n'
    )
    text = header + stock.pretty_text
    network = networks_of(model)[branch]
    meta = {key: checkpoint['meta'][key] for key in ('iter', 'epoch') if key in checkpoint['meta']}
    meta.update(dataset_meta=model.dataset_meta, cfg=text, exported=exported)
    with whole_file(target) as weights, whole_file(target.with_suffix('.py')) as config:
        config.write_text(text, encoding='utf-8')
        torch.save(plain_checkpoint(network.state_dict(), meta), weights)
        reread = init_model(str(config), str(weights), device='cpu')
        pipelines = Preparation(cfg), Preparation(reread.cfg)
        sources = files or noise_for(cfg, channels_of(network))
        pairs = compare_pair(network, model, reread, pipelines, sources)
        # Of a single channel MMSeg's prediction is a sigmoid already.
        threshold = float(main_head(network).threshold) if network.out_channels == 1 else 0.0
        check_difference(pairs, bound, described(files), threshold)
    print(f'wrote {target} and {target.with_suffix(".py")}: init_model, MMSegInferencer and tools/test.py read them')


def write_graph(
    kind: str,
    networks: Sequence[BaseSegmentor],
    model: BaseSegmentor,
    cfg: Config,
    files: Sequence[Path],
    size: Sequence[int] | None,
    target: Path,
    info: Mapping,
    bound: float,
    input_type: str,
) -> None:
    """Write ``target`` after its runtime agrees with the model, on single images and on batches of them.

    Raises:
        UserError: If the networks cannot be exported, or the logits differ.
    """
    images, size = prepared(cfg, files, size, channels_of(networks[0]))
    module = deployed(networks, model.data_preprocessor, size)
    dtype = getattr(torch, input_type)
    order = 'blue, green, red' if swaps_channels(model.data_preprocessor) else 'as the network was trained'
    info = {
        **info,
        'input': f'images: {input_type}, (batch, {images[0].shape[0]}, {size[0]}, {size[1]}), 0 to 255, {order}',
        'output': f'logits: float32, (batch, {networks[0].out_channels}, {size[0]}, {size[1]})',
    }
    for scaling in filter(None, map(scaling_of, test_pipeline(cfg))):
        info['scaling'] = f'files with more than 8 bits: first to 8 bits as {scaling} of simeps_mmseg does'
    threshold = 0.5
    if networks[0].out_channels == 1:
        threshold = info['threshold'] = float(main_head(networks[0]).threshold)
    write, run = dict(onnx=(write_onnx, run_onnx), torchscript=(write_torchscript, run_torchscript))[kind]
    with whole_file(target) as partial:
        write(module, example(images[0].shape[0], size, dtype), partial, info)
        pairs = compare_graph(run(partial), networks, model, images, dtype)
        check_difference(pairs, bound, described(files), math.log(threshold / (1 - threshold)))
    lines = [info['input'], info['output'], 'any batch, this height and width only', info.get('scaling')]
    print(f'wrote {target}', *(f'  {line}' for line in lines if line), sep='\n')
