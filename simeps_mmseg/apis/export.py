"""A trained branch, or all of them, as something that runs without this package."""

import copy
import math
import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from mmengine.config import Config
from mmengine.utils import import_modules_from_strings
from mmseg.apis import init_model
from mmseg.models import BaseSegmentor
from mmseg.registry import DATASETS
from mmseg.structures import SegDataSample
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
from ..deploy.stock_config import scaling_of, test_pipeline, type_name
from ..models.segmentors.base import ENSEMBLE, STUDENT
from ..models.utils import main_head, mean_logits, walk_dicts
from ..utils import UserError
from ..utils.files import check_writable, whole_file
from ..utils.images import UnreadableImage, list_images
from ..utils.paths import find_config
from .model import Preparation, load_model, networks_of, preprocessed
from .pretrained import remove_pretrained

BEST = 'best'
SUFFIXES = dict(pth='.pth', onnx='.onnx', torchscript='.pt')
# Largest difference of the logits: a plain checkpoint computes the same, a graph sums in another order.
BOUNDS = dict(pth=1e-5, onnx=1e-3, torchscript=1e-3)
COMPARED_IMAGES = 8
COMPARED_BATCH = 3  # another one than was traced


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
        student: Whether to export the branch although its moving average is what predicts.
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
    bound = BOUNDS[kind] if bound is None else bound
    if kind == 'onnx':
        require('onnx'), require('onnxruntime')
    content = read_checkpoint(path)
    cfg = source_config(content, path, config)
    remove_pretrained(cfg)
    student = student or (cfg.model.get('test_cfg') or {}).get('predict_with') == STUDENT
    count = len(network_states(content['state_dict'], student))
    chosen, why = choose_branches(branch, count, content, path, cfg, student)
    if kind == 'pth' and len(chosen) > 1:
        raise UserError(
            f'the ensemble of {count} networks is no EncoderDecoder of MMSegmentation: add --format onnx or torchscript, '
            'or choose one of them with --branch'
        )
    label = f'branch {chosen[0]}' if len(chosen) == 1 and count > 1 else 'ensemble' if count > 1 else 'network'
    target = target or path.with_name(f'{path.stem}_{label.replace(" ", "")}{SUFFIXES[kind]}')
    check_target(target, kind, path, overwrite)
    print(f'{label} of {path}{why}', flush=True)
    model = load_model(cfg, content)
    if student and hasattr(model, 'teachers'):
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


def _target(checkpoint: Path, out: str | None, kind: str | None) -> tuple[str, Path | None]:
    kinds = {'.pth': 'pth', '.onnx': 'onnx', '.pt': 'torchscript', '.ts': 'torchscript'}
    if out is None:
        return kind or 'pth', None
    found = kinds.get(Path(out).suffix)
    if found is None:
        raise UserError(f'-o names the file to write, with suffix {", ".join(kinds)}; got {out}')
    if kind not in (None, found):
        raise UserError(f'-o {out} is a file of --format {found}, not of --format {kind}')
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
        cfg = Config.fromfile(find_config(config))
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
        f'--branch best needs the validation scores branch_k.mIoU_image, and neither {path} nor a scalars.json beside it has '
        f'them (DefectIoUMetric records them with model.test_cfg.branch_predictions=True).\n'
        f'Score the branches on the validation set: python tools/test.py CONFIG {path} --cfg-options '
        f'test_dataloader.dataset.ann_file={split}\nthen name the best one: --branch 0 to {count - 1}.'
    )


def _listed(scores: BranchScores) -> str:
    return f'{scores.name} ' + ' / '.join(f'{value:.2f}' for value in scores.values)


# -- the images to compare on --------------------------------------------------------------------------------------------


def comparison_images(cfg: Config, folder: str | None, count: int = COMPARED_IMAGES) -> list[Path]:
    """A seeded choice of images of a folder or of the config's validation set; empty where that is not there.

    Raises:
        UserError: If a folder is named and holds no images.
    """
    if folder is not None:
        files = [Path(folder) / name for name in list_images(folder)]
        if not files:
            raise UserError(f'--images {folder} is no folder with images')
    else:
        files = _validation_images(cfg)
    return sorted(random.Random(0).sample(files, min(count, len(files))))


def _validation_images(cfg: Config) -> list[Path]:
    for loader in ('val_dataloader', 'test_dataloader'):
        config = (cfg.get(loader) or {}).get('dataset')
        if not config:
            continue
        config = copy.deepcopy(config)
        for _, node in walk_dicts(config):
            if 'pipeline' in node:
                node['pipeline'] = []
        try:
            dataset = DATASETS.build(config)
            files = [Path(dataset.get_data_info(index)['img_path']) for index in range(len(dataset))]
        except (OSError, ValueError, KeyError):  # the data is not on this machine
            continue
        found = [file for file in files if file.is_file()]
        if found:
            return found
    return []


def prepared(cfg: Config, files: Sequence[Path], size: Sequence[int] | None) -> tuple[list[Tensor], tuple[int, int]]:
    """Images as the test pipeline leaves them, all of the size that a graph is made for.

    Args:
        cfg: The whole config.
        files: Images; without any, noise is made.
        size: Height and width; None: as the pipeline leaves the first one.

    Returns:
        Images (c, h, w), blue, green, red, and (h, w).

    Raises:
        UserError: Without a size where the pipeline does not settle it.
    """
    pipeline = Preparation(cfg)
    images = [_loaded(pipeline, file)['inputs'] for file in files]
    fixed = next(
        (step['scale'] for step in test_pipeline(cfg) if step.get('type') == 'Resize' and not step.get('keep_ratio')),
        None,
    )
    if size is None and images:
        size = images[0].shape[1:]
    elif size is None and isinstance(fixed, (list, tuple)):
        size = fixed[::-1]
    if size is None:
        raise UserError(
            'the test pipeline leaves images of any size: give --size HEIGHT WIDTH for the graph, or --images'
        )
    height, width = (int(length) for length in size)
    if not images:
        noise = np.random.default_rng(0).integers(0, 256, (COMPARED_IMAGES, height, width, 3), dtype=np.uint8)
        images = [torch.from_numpy(one).permute(2, 0, 1) for one in noise]
    return [_resized(image, (height, width)) for image in images], (height, width)


def _loaded(pipeline: Preparation, source: Path | np.ndarray) -> dict:
    try:
        return pipeline(source if isinstance(source, np.ndarray) else str(source))[1]
    except UnreadableImage as error:
        raise UserError(
            f'{source}, an image to compare on, cannot be read: {error}; name others with --images'
        ) from error


def _resized(image: Tensor, size: tuple[int, int]) -> Tensor:
    if tuple(image.shape[1:]) == size:
        return image
    resized = cv2.resize(np.ascontiguousarray(image.permute(1, 2, 0).numpy()), size[::-1])
    return torch.from_numpy(np.atleast_3d(resized)).permute(2, 0, 1)


def _described(files: Sequence[Path]) -> str:
    if not files:
        return f'{COMPARED_IMAGES} images of seeded noise (no validation images found; --images names a folder)'
    return f'{len(files)} images such as {files[0]}'


def check_difference(
    pairs: Sequence[tuple[Tensor, Tensor]], bound: float, compared_on: str, threshold: float = 0.0
) -> float:
    """Print the largest difference between logits, and how many pixels get the same class.

    Args:
        pairs: Expected and found logits, each (b, C, h, w) or (C, h, w).
        bound: That must not be exceeded.
        compared_on: The images, in words.
        threshold: Of a single channel (C = 1), above which a pixel is foreground.

    Returns:
        The largest difference.

    Raises:
        UserError: If it exceeds the bound, or the shapes differ.
    """
    shapes = [(tuple(a.shape), tuple(b.shape)) for a, b in pairs if a.shape != b.shape]
    if shapes:
        raise UserError(f'the exported network returns logits of shape {shapes[0][1]}, expected {shapes[0][0]}')
    largest = max(float((expected - found).abs().max()) for expected, found in pairs)
    classes = [_classes(expected, threshold) == _classes(found, threshold) for expected, found in pairs]
    same = sum(int(one.sum()) for one in classes) / sum(one.numel() for one in classes)
    magnitude = max(float(expected.abs().max()) for expected, _ in pairs)
    print(
        f'largest difference of the logits from PyTorch: {largest:.2e} (bound {bound:.0e}, largest logit {magnitude:.1f}); '
        f'same class on {100 * same:.4f} % of the pixels; {compared_on}',
        flush=True,
    )
    if not largest <= bound:  # NaN fails too
        raise UserError(
            f'the exported network differs by {largest:.2e}, more than --bound {bound:.0e}; nothing was written'
        )
    return largest


def _classes(logits: Tensor, threshold: float) -> Tensor:
    return logits.argmax(dim=-3) if logits.shape[-3] > 1 else logits > threshold


# -- a plain checkpoint --------------------------------------------------------------------------------------------------


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
        before, after = Preparation(cfg), Preparation(reread.cfg)
        pairs = [
            (_logits(network, _loaded(before, source), model), _logits(reread, _loaded(after, source), reread))
            for source in (files or _noise(cfg))
        ]
        # Of a single channel MMSeg's prediction is a sigmoid already.
        threshold = float(main_head(network).threshold) if network.out_channels == 1 else 0.0
        check_difference(pairs, bound, _described(files), threshold)
    print(f'wrote {target} and {target.with_suffix(".py")}: init_model, MMSegInferencer and tools/test.py read them')


@torch.no_grad()
def _logits(network: BaseSegmentor, data: Mapping, model: BaseSegmentor) -> Tensor:
    """Logits (C, h, w) of a network at the size of the file; ``model`` has the preprocessor."""
    return network.predict(*preprocessed(model, [data]))[0].seg_logits.data


def _noise(cfg: Config) -> np.ndarray:
    scales = [step.get('scale') for step in test_pipeline(cfg) if type_name(step['type']) == 'Resize']
    width, height = scales[0] if scales and isinstance(scales[0], (list, tuple)) else (256, 256)
    return np.random.default_rng(0).integers(0, 256, (COMPARED_IMAGES, height, width, 3), dtype=np.uint8)


# -- graphs --------------------------------------------------------------------------------------------------------------


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
    images, size = prepared(cfg, files, size)
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
        check_difference(pairs, bound, _described(files), math.log(threshold / (1 - threshold)))
    lines = [info['input'], info['output'], 'any batch, this height and width only', info.get('scaling')]
    print(f'wrote {target}', *(f'  {line}' for line in lines if line), sep='\n')


def compare_graph(
    run: Callable[[Tensor], Tensor],
    networks: Sequence[BaseSegmentor],
    model: BaseSegmentor,
    images: Sequence[Tensor],
    dtype: torch.dtype,
) -> list[tuple[Tensor, Tensor]]:
    """Logits of the model and of the graph: of the first image alone, then of all in batches of ``COMPARED_BATCH``.

    Raises:
        UserError: If the graph does not take such batches.
    """
    rounded = -(-len(images) // COMPARED_BATCH) * COMPARED_BATCH
    cycled = [images[index % len(images)] for index in range(rounded)]
    batches = [cycled[:1], *(cycled[i : i + COMPARED_BATCH] for i in range(0, rounded, COMPARED_BATCH))]
    pairs = []
    for batch in batches:
        stacked = torch.stack(batch)
        try:
            found = run(stacked.to(dtype))
        except Exception as error:  # each runtime has its own
            reason = str(error).strip().splitlines()[0]
            raise UserError(f'the graph does not run with a batch of {len(batch)}: {reason}') from error
        pairs.append((expected_logits(networks, model, batch), found))
    return pairs


@torch.no_grad()
def expected_logits(networks: Sequence[BaseSegmentor], model: BaseSegmentor, batch: Sequence[Tensor]) -> Tensor:
    """Mean logits (b, C, h, w) of networks by way of MMSeg: preprocessor, ``inference``, padding taken off."""
    height, width = batch[0].shape[1:]
    samples = [SegDataSample(metainfo=dict(ori_shape=(height, width), img_shape=(height, width))) for _ in batch]
    inputs, samples = preprocessed(model, [dict(inputs=i, data_samples=s) for i, s in zip(batch, samples)])
    shape = tuple(inputs.shape[2:])
    metas = [{**sample.metainfo, 'ori_shape': shape, 'img_shape': shape, 'pad_shape': shape} for sample in samples]
    logits = [network.inference(inputs, [dict(meta) for meta in metas]) for network in networks]
    return mean_logits(networks, logits)[:, :, :height, :width]
