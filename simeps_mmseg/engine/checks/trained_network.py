"""The network of a supervised config, and the checkpoint that its branches start from: both before a config is written."""

import copy
import math
import warnings
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from unittest.mock import patch

import torch
from mmengine.config import Config
from mmseg.models import BaseSegmentor
from mmseg.registry import MODELS
from torch import Tensor

from ...deploy import network_states, read_checkpoint
from ...deploy.checkpoint import late_rise, validations
from ...models.checks import check_branches
from ...models.utils import LoadedShare, loaded_share
from ...models.utils.pretrained import remove_pretrained
from ...utils import UserError
from ...utils.config_errors import config_keys_named
from ...utils.config_tree import walk_dicts
from ...utils.weights import without_wrapper

STILL_RISING = 3.0  # points per 1,000 steps


def built_network(base: Config) -> BaseSegmentor:
    """The network of a config, without pretrained weights: on the meta device, where nothing is drawn or kept, if it can be.

    Raises:
        UserError: If it cannot be built, with the keys of the config, or its heads do not go together.
    """
    cfg = copy.deepcopy(base)
    remove_pretrained(cfg)
    for _, node in walk_dicts(cfg.model):
        if node.get('pretrained') is True:  # timm would download
            node['pretrained'] = False
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # what MMSegmentation advises on losses it says when the network trains
        network = _on_meta(cfg.model)
        if network is None:
            with config_keys_named(cfg):
                network = MODELS.build(copy.deepcopy(cfg.model))
    check_branches([network])
    return network


def _on_meta(model: dict) -> BaseSegmentor | None:
    """A network without values; None where its constructor asks for some."""
    on_cpu = partial(torch.linspace, device='cpu')  # rates of stochastic depth, which are read
    try:
        with torch.device('meta'), patch.object(torch, 'linspace', on_cpu):
            return MODELS.build(copy.deepcopy(model))
    except Exception:  # what is wrong with the config shows on the CPU, too
        return None


def start_notes(path: Path, key: str, network: BaseSegmentor | None) -> list[str]:
    """What to know of the trained network that is started from: what fits, and by its validations whether it was learning yet.

    Args:
        path: Of its checkpoint.
        key: How the user named it, such as ``--checkpoint``.
        network: From :func:`built_network`; None where that failed: then what fits is not known.

    Raises:
        UserError: If the checkpoint is damaged, holds more than weights, or has no weight of the network's backbone.
    """
    checkpoint = read_checkpoint(path)
    states = network_states(without_wrapper(checkpoint['state_dict']), student=True)
    said = [f'{key} {path}: {note}' for note in rise_notes(path, checkpoint['meta'])]
    if len(states) > 1:
        said.append(f'{key} {path} holds {len(states)} networks: each branch starts from the one of its number')
    if network is None:
        return said
    state = states[0]
    share = loaded_share(state, network)
    if not share.has_backbone:
        raise UserError(
            f'{key} {path} is of another network than the config: none of the weights of the backbone fits. '
            f'{_difference(share, state, network)}. Give a checkpoint of this config, or none'
        )
    return [_fit_note(f'{key} {path}', share, state, network), *said]


def _fit_note(what: str, share: LoadedShare, state: Mapping[str, Tensor], network: BaseSegmentor) -> str:
    if not share.missing:
        return f'{what}: all weights of the network fit'
    return (
        f'{what}: {math.floor(1000 * share.values) / 10} % of the weights of the network fit; {len(share.missing)} of '
        f'{share.tensors} tensors do not and begin anew. {_difference(share, state, network)}. So it is no '
        'trained network, and labels are learned alone first (SemiSupervisedHook.labels_only_share)'
    )


def _difference(share: LoadedShare, state: Mapping[str, Tensor], network: BaseSegmentor) -> str:
    """The first weight that does not fit, and what the file has in its place."""
    name = share.missing[0]
    expected = tuple(network.get_parameter(name).shape)
    if name in state:
        return f'{name} has the shape {expected} in the network and {tuple(state[name].shape)} in the file'
    return f'{name} of the network is not in the file, which has {next(iter(state), "no weight")}, ...'


def rise_notes(path: Path, meta: Mapping) -> Iterator[str]:
    """What to know of a checkpoint whose validations, by its meta data or the log beside it, were still rising."""
    name, scores = validations(path, meta.get('iter', -1))
    rise = late_rise(scores)
    if rise > STILL_RISING:
        yield (
            f'in the last third of that training {name} on validation rose above all before, by {rise:.1f} points per '
            '1,000 steps. Train on with labels alone first: such steps are the cheaper ones'
        )
