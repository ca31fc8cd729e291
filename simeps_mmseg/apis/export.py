"""A trained branch, or all of them, as something that runs without this package."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from mmengine.config import Config
from mmengine.utils import import_modules_from_strings

import simeps_mmseg

from ..deploy import find_checkpoint, network_states, read_checkpoint, recorded_scores
from ..deploy.branch_choice import BEST, choose_branches, label_of, with_network
from ..deploy.graph import require
from ..deploy.labels_only import labels_only_to_export
from ..inference.export_comparison import comparison_images
from ..inference.export_files import write_graph, write_pair
from ..inference.loading import load_model, networks_of
from ..models.segmentors import STUDENT
from ..models.utils.pretrained import remove_pretrained
from ..utils import UserError
from ..utils.config_kinds import check_kinds
from ..utils.configs import read_config
from ..utils.files import check_writable
from ..utils.literal_config import read_literals
from ..utils.paths import find_config

Kind = Literal['pth', 'onnx', 'torchscript']

NAME_THE_CONFIG = 'name that of the training, if you trust it, with --config'
SUFFIXES = dict(pth='.pth', onnx='.onnx', torchscript='.pt')
# Largest difference of the logits: a plain checkpoint computes the same, a graph sums in another order.
BOUNDS = dict(pth=1e-5, onnx=1e-3, torchscript=1e-3)


def export(
    checkpoint: str,
    branch: str = 'best',
    config: str | None = None,
    out: str | None = None,
    kind: Literal['pth', 'onnx', 'torchscript'] | None = None,
    size: tuple[int, int] | None = None,
    images: str | None = None,
    student: bool = False,
    bound: float | None = None,
    input_type: Literal['uint8', 'float32'] = 'uint8',
    overwrite: bool = False,
) -> Path:
    """Write one branch as a plain MMSeg checkpoint with its config, or one or all branches as ONNX or TorchScript.

    What was written is read back and compared with the original model on images; only then it gets its name.

    Args:
        checkpoint: Path of the weights of a semi-supervised segmentor, or of a plain one.
        branch: ``best`` (by the recorded validation), a number from 0, or ``ensemble``.
        config: Path of the config of the training. None: the one inside the checkpoint.
        out: File to write. None: beside the checkpoint, as ``branch_1_of_<checkpoint>.pth``.
        kind: ``pth`` is a checkpoint and a config for MMSegmentation. None: by the suffix of ``out``, ``pth`` without.
        size: Height and width of the images that a graph takes. None: those of the config's test pipeline.
        images: Folder of images to compare on. None: the config's validation set, or noise where that is not there.
        student: Export the branch itself where a moving average of it is what predicts.
        bound: Largest difference of the logits that is accepted. None: 1e-5 for ``pth``, 1e-3 for graphs.
        input_type: Type of a graph's images; TorchScript takes either.
        overwrite: Replace a file of that name, and the config beside it.

    Returns:
        The file; a ``.py`` config lies beside a ``.pth``.

    Raises:
        UserError: If something is missing or cannot be exported, or what was written computes something else.
    """
    path = find_checkpoint(checkpoint)
    file_kind, target = _target(path, out, kind)
    if size is not None and min(size) < 1:
        raise UserError(f'--size is a height and a width in pixels, got {" ".join(map(str, size))}')
    if bound is not None and not bound >= 0:  # nor nan
        raise UserError(f'--bound is the largest difference of the logits, 0 or more, got {bound}')
    bound = BOUNDS[file_kind] if bound is None else bound
    if file_kind == 'onnx':
        require('onnx'), require('onnxruntime')
    content = read_checkpoint(path)
    cfg = source_config(content, path, config)
    remove_pretrained(cfg)
    has_averages = any(key.startswith('teachers.') for key in content['state_dict'])
    if student and not has_averages:
        print('--student changes nothing: the model keeps no moving averages')
    student = has_averages and (student or (cfg.model.get('test_cfg') or {}).get('predict_with') == STUDENT)
    count = len(network_states(content['state_dict'], student))
    scores = recorded_scores(content, path) if branch == BEST else None
    chosen, why = choose_branches(branch, count, scores, path, cfg, student)
    labels_only = labels_only_to_export(path, scores) if scores and len(scores.values) == count else None
    if labels_only:
        content = {**content, 'state_dict': with_network(content['state_dict'], labels_only.branch, labels_only.file)}
        chosen = [labels_only.branch]
        score = f'{labels_only.name} {labels_only.score:.2f}'
        why = f': no branch is better on validation ({score}): unlabelled images brought nothing'
    if file_kind == 'pth' and len(chosen) > 1:
        raise UserError(
            f'the ensemble of {count} networks is no EncoderDecoder of MMSegmentation: add --format onnx or torchscript, '
            'or choose one of them with --branch'
        )
    label = 'labels only' if labels_only else label_of(chosen, count)
    target = target or path.with_name(f'{label.replace(" ", "_")}_of_{path.stem}{SUFFIXES[file_kind]}')
    check_target(target, file_kind, path, overwrite)
    print(f'{labels_only.file if labels_only else f"{label} of {path}"}{why}', flush=True)
    model = load_model(cfg, content, 'cpu')
    if student:
        model.test_cfg['predict_with'] = STUDENT
    info = dict(
        classes=list(model.dataset_meta['classes']),
        palette=model.dataset_meta['palette'],
        exported=dict(checkpoint=path.name, network=label, student=student, simeps_mmseg=simeps_mmseg.__version__),
    )
    files = comparison_images(cfg, images)
    if file_kind == 'pth':
        write_pair(model, chosen[0], cfg, content, files, target, info, bound)
    else:
        networks = [networks_of(model)[index] for index in chosen]
        write_graph(file_kind, networks, model, cfg, files, size, target, info, bound, input_type)
    return target


def _target(checkpoint: Path, out: str | None, kind: Kind | None) -> tuple[Kind, Path | None]:
    kinds: dict[str, Kind] = {'.pth': 'pth', '.onnx': 'onnx', '.pt': 'torchscript', '.ts': 'torchscript'}
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
        UserError: If there is none, it cannot be read, or it names no model.
    """
    if config is not None:
        cfg = read_config(find_config(config))
        check_kinds(cfg)
    elif checkpoint['meta'].get('cfg'):
        cfg = read_literals(checkpoint['meta']['cfg'], str(path), NAME_THE_CONFIG)
    else:
        raise UserError(f'{path} holds no config; name the one of the training with --config')
    if not cfg.get('model'):
        raise UserError(f'the config {config or f"in {path}"} has no model; name that of the training with --config')
    if cfg.get('custom_imports'):
        import_modules_from_strings(**cfg.custom_imports)
    return cfg
