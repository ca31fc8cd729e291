"""Writes an exported network once it is known to compute what the model does."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.runner import checkpoint as mmengine_checkpoint
from mmseg.apis import init_model
from mmseg.models import BaseSegmentor
from mmseg.models.decode_heads.decode_head import BaseDecodeHead

from ..deploy.checkpoint import plain_checkpoint
from ..deploy.graph import deployed, example, run_onnx, run_torchscript, swaps_channels, write_onnx, write_torchscript
from ..deploy.stock_config import branch_model, scaling_of, stock_config
from ..models.utils import main_head
from ..utils.checkpoint import save_checkpoint
from ..utils.configs import test_pipeline
from ..utils.files import whole_file
from .export_comparison import (
    channels_of,
    check_difference,
    compare_graph,
    compare_pair,
    described,
    noise_for,
    prepared,
)
from .loading import networks_of
from .preparation import Preparation


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
        save_checkpoint(plain_checkpoint(network.state_dict(), meta), weights)
        with unannounced():
            reread = init_model(str(config), str(weights), device='cpu')
        pipelines = Preparation(cfg), Preparation(reread.cfg)
        sources = files or noise_for(cfg, channels_of(network))
        pairs = compare_pair(network, model, reread, pipelines, sources)
        # Of a single channel MMSeg's prediction is a sigmoid already.
        head: BaseDecodeHead = main_head(network)
        threshold = float(head.threshold) if network.out_channels == 1 else 0.0
        check_difference(pairs, bound, described(files), threshold)
    print(f'wrote {target} and {target.with_suffix(".py")}: init_model, MMSegInferencer and tools/test.py read them')


@contextmanager
def unannounced() -> Iterator[None]:
    """Within this block mmengine does not say which file it loads: the temporary name is known to nobody.

    Weights that do not fit are still named.
    """

    def all_else(message: object, *args: Any, **kwargs: Any) -> None:
        if not str(message).startswith('Loads checkpoint by '):
            print_log(message, *args, **kwargs)

    with patch.object(mmengine_checkpoint, 'print_log', all_else):
        yield


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
        head: BaseDecodeHead = main_head(networks[0])
        threshold = info['threshold'] = float(head.threshold)
    write, run = dict(onnx=(write_onnx, run_onnx), torchscript=(write_torchscript, run_torchscript))[kind]
    with whole_file(target) as partial:
        write(module, example(images[0].shape[0], size, dtype), partial, info)
        pairs = compare_graph(run(partial), networks, model, images, dtype)
        check_difference(pairs, bound, described(files), math.log(threshold / (1 - threshold)))
    lines = [info['input'], info['output'], 'any batch, this height and width only', info.get('scaling')]
    print(f'wrote {target}', *(f'  {line}' for line in lines if line), sep='\n')
