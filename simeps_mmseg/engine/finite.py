"""Whether the numbers of a training step are finite, and where they are not."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn

LARGEST = torch.finfo(torch.float32).max ** 0.5  # of the numbers that have a square


def all_finite(values: Iterable[Tensor]) -> Tensor:
    """A bool scalar on the values' device: whether no element of any tensor is NaN or infinite.

    Args:
        values: Floating tensors of any shapes on one device.
    """
    return torch.isfinite(_largest(values))


def usable(values: Iterable[Tensor]) -> Tensor:
    """A bool scalar on the values' device: whether all losses and gradients are finite, and so are their squares in float32.

    Adam averages the squares of gradients. Once one is infinite, it stays so, and its weight never moves again.
    """
    return _largest(values) <= LARGEST  # false for NaN, too


def _largest(values: Iterable[Tensor]) -> Tensor:
    """The largest magnitude. It is NaN where an element is, and unlike a sum of squares it does not overflow."""
    values = [value.detach() for value in values if value.numel()]
    return torch.nn.utils.get_total_norm(values, norm_type=math.inf) if values else torch.tensor(0.0)


def bad_terms(losses: Mapping[str, Tensor]) -> list[str]:
    """Names and values of the losses that are not :func:`usable`, such as ``branch_0.decode.loss_ce (nan)``."""
    values = {name: value.detach().float().mean().item() for name, value in losses.items()}
    return [f'{name} ({value:g})' for name, value in values.items() if not abs(value) <= LARGEST]


def bad_gradients(model: nn.Module) -> list[str]:
    """Names of the parameters whose gradient is not :func:`usable`."""
    return [name for name, p in model.named_parameters() if p.grad is not None and not usable([p.grad]).item()]


def branches_in(names: Iterable[str]) -> list[int]:
    """The branches that names of losses or parameters belong to.

    Example:
        >>> branches_in(['branch_2.decode.loss_ce (nan)', 'branches.0.backbone.conv.weight', 'loss_similarity'])
        [0, 2]
    """
    found = (re.search(r'(?:^|\.)branch(?:_|es\.)(\d+)\.', name) for name in names)
    return sorted({int(match[1]) for match in found if match})


def describe(terms: Sequence[str], gradients: Sequence[str], clipped: bool = False) -> str:
    """What is not finite in a step: the terms and their branches, or else the gradients.

    Args:
        terms: Losses, with their values.
        gradients: Names of parameters.
        clipped: Whether gradients were clipped before. A norm that is NaN makes all of them NaN, so they say nothing.

    Example:
        >>> describe(['branch_1.loss_ce (nan)'], [])
        'loss branch_1.loss_ce (nan); branch 1'
        >>> describe([], ['branches.0.a', 'branches.0.b', 'branches.0.c', 'branches.0.d'])
        'gradient of 4 parameters (branches.0.a, branches.0.b, branches.0.c, ...), all losses are finite; branch 0'
    """
    if clipped and not terms:
        count = f'gradient of {len(gradients)} parameters, all losses are finite'
        return f'{count} (optim_wrapper.clip_grad may have spread it, so branches are not named)'
    if terms:
        text = f'loss {", ".join(terms)}'
    else:
        shown = ', '.join(gradients[:3]) + (', ...' if len(gradients) > 3 else '')
        text = f'gradient of {len(gradients)} parameters ({shown}), all losses are finite'
    branches = branches_in(terms or gradients)
    return f'{text}; branch {" and ".join(map(str, branches))}' if branches else text


def image_names(data_batch: Mapping | None) -> list[str]:
    """Paths of the images of a batch, as far as they are known."""
    samples = (data_batch or {}).get('data_samples') or []
    return [str(getattr(sample, 'img_path', 'an image without a path')) for sample in samples]
