"""What can be wrong with the heads of segmentors, alone and as branches of one model.

Segmentors ask for it when they are built, also without a runner, so it is not in ``engine/checks``: models import no engine.
"""

from collections.abc import Iterator, Sequence, Sized
from typing import cast

from mmseg.models import BaseSegmentor
from mmseg.models.decode_heads import SideAdapterCLIPHead, STDCHead
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from torch import nn

from ..utils import UserError
from .utils import main_head


def check_branches(branches: Sequence[BaseSegmentor]) -> None:
    """Compare the heads of all branches with each other, and those of each branch among themselves.

    Raises:
        UserError: On the first problem; names its key.
    """
    classes = [branch.num_classes for branch in branches]
    if len(set(classes)) > 1:
        raise UserError(f'model.branches: num_classes of the decode heads must be the same, got {classes}')
    channels = [branch.out_channels for branch in branches]
    if len(set(channels)) > 1:
        raise UserError(f'model.branches: out_channels of the decode heads must be the same, got {channels}')
    for k, branch in enumerate(branches):
        for problem in (*head_class_problems(branch), *class_weight_problems(branch)):
            raise UserError(f'branch {k}: {problem}')


def head_class_problems(branch: BaseSegmentor) -> Iterator[str]:
    """Heads that have another number of classes than the main one; STDC's heads for edges are meant to."""
    expected = main_head(branch).num_classes
    for key, head in all_heads(branch):
        if getattr(head, 'num_classes', expected) != expected and not isinstance(head, STDCHead):
            yield f'{key}.num_classes={head.num_classes}, but decode_head.num_classes={expected}'


def class_weight_problems(branch: BaseSegmentor) -> Iterator[str]:
    """Losses of a segmentor whose ``class_weight`` has another length than the head has outputs.

    Heads that classify queries (MaskFormer, Mask2Former, SAN) have one output more than classes, for "no object". Heads that
    are neither these nor MMSegmentation's own weight classes in their own way and are passed over.
    """
    for key, head in all_heads(branch):
        if isinstance(head, BaseDecodeHead):
            owners = list(head.modules())
            key, expected = f'{key}.loss_decode', head.out_channels + isinstance(head, SideAdapterCLIPHead)
        elif hasattr(head, 'cls_embed'):
            owners = [head]
            key, expected = f'{key}.loss_cls', cast(nn.Linear, head.cls_embed).out_features
        else:
            continue
        for owner in owners:
            weight = getattr(owner, 'class_weight', None)
            if isinstance(weight, Sized) and len(weight) != expected:  # also an array from a file
                yield (
                    f'{key}: {type(owner).__name__}.class_weight has {len(weight)} numbers, '
                    f'but {type(head).__name__} has {expected} {"outputs" if expected > head.num_classes else "classes"}'
                )


def all_heads(branch: BaseSegmentor) -> Iterator[tuple[str, nn.Module]]:
    """Config key and module of each decode and auxiliary head."""
    auxiliary = branch.auxiliary_head if branch.with_auxiliary_head else nn.ModuleList()
    for name, heads in dict(decode_head=branch.decode_head, auxiliary_head=auxiliary).items():
        if isinstance(heads, nn.ModuleList):
            yield from ((f'{name}[{index}]', head) for index, head in enumerate(heads))
        else:
            yield name, heads
