"""Record the activations of a segmentor with hooks, without touching its code.

Heads return their logits in several shapes while they train. Measured over all families of MMSegmentation: a tensor; a tuple
with the output of the ``conv_seg`` classifier in it (EncNet, DANet, DDRNet first, PIDNet second); a list of stages, the last
one final (K-Net). Point heads (PointRend) and query heads (MaskFormer) have no logit map before inference.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch.nn as nn
from mmengine.model import BaseModule
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from torch import Tensor
from torch.utils.hooks import RemovableHandle


@dataclass
class Activations:
    """Activations of a segmentor and the raw output of its main head, from one forward pass.

    Attributes:
        encoder: Deepest level of the encoder's output, shape (b, c, h', w'). None: no map is in it.
        read: What the classifier read, shape (b, ...). None: there is no classifier.
        classified: What the classifier returned.
        raw: What the main head handed to its loss. None: it was not asked for a loss.
    """

    encoder: Tensor | None = None
    read: Tensor | None = None
    classified: Any = None
    raw: Any = None

    @property
    def decoder(self) -> Tensor | None:
        """What the classifier read, else the encoder's output."""
        return self.encoder if self.read is None else self.read

    def logits(self) -> Tensor | None:
        """The logit map (b, C, h', w') among the head's raw output, or None."""
        return final_logits(self.raw, self.classified)


@contextmanager
def capture(branch: BaseModule) -> Iterator[Activations]:
    """Record the activations of the one forward pass that runs inside. The hooks live as long as the context, so that a
    copied or pickled model carries none.
    """
    record = Activations()
    head = main_head(branch)

    def keep_features(module: nn.Module, args: tuple, output: Any) -> None:
        record.encoder = deepest_level(output) if list(maps_of(output)) else None

    def keep_classifier(module: nn.Module, args: tuple, output: Any) -> None:
        record.read, record.classified = args[0], output

    handles = [encoder_of(branch).register_forward_hook(keep_features)]
    classifier = classifier_of(head)
    if classifier is not None:
        handles.append(classifier.register_forward_hook(keep_classifier))
    if isinstance(head, BaseDecodeHead):
        head.loss_by_feat = partial(_keep_raw, record, head.loss_by_feat)
    try:
        yield record
    finally:
        for handle in handles:
            handle.remove()
        vars(head).pop('loss_by_feat', None)


def _keep_raw(record: Activations, loss_by_feat: Any, raw: Any, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
    record.raw = raw
    return loss_by_feat(raw, *args, **kwargs)


def final_logits(raw: Any, classified: Any = None) -> Tensor | None:
    """The final logit map in a head's raw output.

    Args:
        raw: A tensor, a tuple or a list of stages.
        classified: What the head's classifier returned; the member of a tuple that it *is* is the one.

    Returns:
        Shape (b, C, h', w'), or None if there is no map.
    """
    if isinstance(raw, list) and raw:
        raw = raw[-1]
    elif isinstance(raw, tuple) and raw:
        raw = next((item for item in raw if item is classified), raw[0])
    return raw if isinstance(raw, Tensor) and raw.ndim == 4 else None


def heads_of(branch: BaseModule) -> list[nn.Module]:
    """All stages of the decode head; one unless it is a cascade."""
    head = branch.decode_head
    return list(head) if isinstance(head, nn.ModuleList) else [head]


def main_head(branch: BaseModule) -> nn.Module:
    """The head whose logits are the prediction: the last one of a cascade."""
    return heads_of(branch)[-1]


def encoder_of(branch: BaseModule) -> nn.Module:
    """The neck, or the backbone where there is none: what the heads read."""
    return branch.neck if branch.with_neck else branch.backbone


def classifier_of(head: nn.Module) -> nn.Module | None:
    """The layer whose input is the decoder's feature: ``conv_seg``, or what stands in its place; None if nothing does."""
    named = dict(head.named_modules())
    found = [name for name in named if name.split('.')[-1] == 'conv_seg']
    if found:
        return named[found[-1]]
    return named.get('patch_proj')  # Segmenter


@contextmanager
def perturbed_features(branch: BaseModule, perturbation: nn.Module) -> Iterator[None]:
    """Pass every (b, c, h, w) map that the encoder hands on through a module, in the forward that runs inside.

    Where the backbone has its decoder inside (U-Nets, in ``backbone.decoder``), that is what enters the decoder: the deepest
    map and the skip connections. Elsewhere it is what neck or backbone return.
    """

    def perturb(features: Any) -> Any:
        if isinstance(features, Tensor):
            return perturbation(features) if features.ndim == 4 else features
        if isinstance(features, dict):
            return {name: perturb(item) for name, item in features.items()}
        return type(features)([perturb(item) for item in features]) if isinstance(features, list | tuple) else features

    blocks = getattr(branch.backbone, 'decoder', None)
    if isinstance(blocks, nn.ModuleList):
        handles = _hooks_before_decoder(blocks, perturb)
    else:
        handles = [encoder_of(branch).register_forward_hook(lambda module, args, output: perturb(output))]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _hooks_before_decoder(blocks: nn.ModuleList, change: Callable[[Tensor], Tensor]) -> list[RemovableHandle]:
    """Hooks that change what enters decoder blocks from elsewhere, and leave what one block hands to the next."""
    own: list[Tensor] = []

    def before(module: nn.Module, args: tuple) -> tuple:
        return tuple(arg if any(arg is made for made in own) else change(arg) for arg in args)

    def after(module: nn.Module, args: tuple, output: Tensor) -> None:
        own.append(output)

    return [
        handle
        for block in blocks
        for handle in (block.register_forward_pre_hook(before), block.register_forward_hook(after))
    ]


def deepest_level(features: Any) -> Tensor:
    """The map with the fewest pixels, the last one among equals; levels that are not maps (tokens) are passed over.

    "Last" alone would not do: U-Net lists its levels from deep to shallow.

    Raises:
        ValueError: If there is no (b, c, h, w) map among the features.
    """
    levels = list(maps_of(features))
    if not levels:
        raise ValueError('the encoder returned no feature map of shape (b, c, h, w)')
    pixels = [level.shape[2] * level.shape[3] for level in levels]
    last = len(levels) - 1 - pixels[::-1].index(min(pixels))  # torch.compile knows no min(key=...)
    return levels[last]


def maps_of(features: Any) -> Iterator[Tensor]:
    """The (b, c, h, w) maps in what an encoder returns: tensors, in lists, tuples and dicts; all else is passed over."""
    if isinstance(features, Tensor):
        if features.ndim == 4:
            yield features
    elif isinstance(features, Mapping):
        yield from maps_of(list(features.values()))
    elif isinstance(features, list | tuple):
        for item in features:
            yield from maps_of(item)
