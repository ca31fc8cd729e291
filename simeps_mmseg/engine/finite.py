"""Whether the numbers of a training step are finite, and where they are not."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn


def all_finite(values: Iterable[Tensor]) -> Tensor:
    """A bool scalar on the values' device: whether no element of any tensor is NaN or infinite.

    Args:
        values: Floating tensors of any shapes on one device.
    """
    values = [value.detach() for value in values if value.numel()]
    if not values:
        return torch.tensor(True)
    # The largest magnitude is NaN where an element is, and unlike a sum of squares it does not overflow.
    return torch.isfinite(torch.nn.utils.get_total_norm(values, norm_type=math.inf))


def bad_terms(losses: Mapping[str, Tensor]) -> list[str]:
    """Names and values of the losses that are not finite, such as ``branch_0.decode.loss_ce (nan)``."""
    values = {name: value.detach().float().mean().item() for name, value in losses.items()}
    return [f'{name} ({value:g})' for name, value in values.items() if not math.isfinite(value)]


def bad_gradients(model: nn.Module) -> list[str]:
    """Names of the parameters whose gradient is not finite."""
    return [
        name for name, p in model.named_parameters() if p.grad is not None and not torch.isfinite(p.grad).all().item()
    ]


def branches_in(names: Iterable[str]) -> list[int]:
    """The branches that names of losses or parameters belong to.

    Example:
        >>> branches_in(['branch_2.decode.loss_ce (nan)', 'branches.0.backbone.conv.weight', 'loss_similarity'])
        [0, 2]
    """
    found = (re.search(r'(?:^|\.)branch(?:_|es\.)(\d+)\.', name) for name in names)
    return sorted({int(match[1]) for match in found if match})


def describe(terms: Sequence[str], gradients: Sequence[str]) -> str:
    """What is not finite in a step: the terms and their branches, or else the gradients.

    Example:
        >>> describe(['branch_1.loss_ce (nan)'], [])
        'loss branch_1.loss_ce (nan); branch 1'
        >>> describe([], ['branches.0.a', 'branches.0.b', 'branches.0.c', 'branches.0.d'])
        'gradient of 4 parameters (branches.0.a, branches.0.b, branches.0.c, ...), all losses are finite; branch 0'
    """
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
