"""Run an unmodified MMSeg segmentor as one branch: its logits and features beside its own losses.

The labelled images go through ``branch.loss``, which brings every head's own loss, auxiliary heads and samplers along;
forward hooks catch what the classifier of the main head reads and returns. The unlabelled images go through
``branch.encode_decode``. So every image passes the branch exactly once.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
import torch.nn as nn
from mmengine.model import BaseModule
from mmseg.models.utils import resize
from mmseg.utils import SampleList
from torch import Tensor


@dataclass
class BranchOutput:
    """What one branch says about one part of the batch.

    Attributes:
        logits: Raw scores at the size of the input, shape (b, C, h, w), with gradient.
        encoder: Deepest level of the neck, or of the backbone where there is no neck, shape (b, c, h', w').
        decoder: What enters the classifier of the main head, shape (b, c, h', w').
        losses: The branch's own loss dict; empty for unlabelled images.
    """

    logits: Tensor
    encoder: Tensor
    decoder: Tensor
    losses: dict[str, Tensor] = field(default_factory=dict)

    def stage(self, name: str) -> Tensor:
        """The tensor of stage ``'encoder'``, ``'decoder'`` or ``'logits'``."""
        return getattr(self, name)


def forward_labeled(branch: BaseModule, inputs: Tensor, data_samples: SampleList) -> BranchOutput:
    """Losses, logits and features of labelled images in one pass.

    Args:
        branch: A segmentor whose main head has a ``conv_seg`` classifier.
        inputs: Normalised images, shape (b, 3, h, w).
        data_samples: One each, with ``gt_sem_seg``.
    """
    with capture(branch) as caught:
        losses = branch.loss(inputs, data_samples)
    logits = resize(
        caught.pop('logits'), size=inputs.shape[2:], mode='bilinear', align_corners=branch.align_corners, warning=False
    )
    return BranchOutput(logits=logits, losses=losses, **caught)


def forward_unlabeled(branch: BaseModule, inputs: Tensor, metas: Sequence[dict]) -> BranchOutput:
    """Logits and features of unlabelled images in one pass, with gradient.

    Args:
        branch: A segmentor whose main head has a ``conv_seg`` classifier.
        inputs: Normalised images, shape (b, 3, h, w).
        metas: Meta information of each image.
    """
    with capture(branch) as caught:
        logits = training_logits(branch, inputs, metas)
    caught.pop('logits')
    return BranchOutput(logits=logits, **caught)


def training_logits(branch: BaseModule, inputs: Tensor, metas: Sequence[dict]) -> Tensor:
    """Logits (b, C, h, w) at the size of the input, with gradient; layers as in training, outputs as at inference."""
    with inference_outputs(branch):
        return branch.encode_decode(inputs, _sized(metas, inputs))


@torch.no_grad()
def evaluation_logits(branch: BaseModule, inputs: Tensor, metas: Sequence[dict]) -> Tensor:
    """Logits (b, C, h, w) at the size of the input, without gradient; leaves the mode of every layer as it was."""
    flags = [(module, module.training) for module in branch.modules()]
    branch.eval()
    try:
        return branch.encode_decode(inputs, _sized(metas, inputs))
    finally:
        for module, training in flags:
            module.training = training


@contextmanager
def perturbed_features(branch: BaseModule, perturbation: nn.Module) -> Iterator[None]:
    """Pass every (b, c, h, w) map that the encoder returns through a module, in the forward that runs inside."""

    def perturb(features):
        if isinstance(features, Tensor):
            return perturbation(features) if features.ndim == 4 else features
        return type(features)([perturb(item) for item in features])

    handle = encoder_of(branch).register_forward_hook(lambda module, args, output: perturb(output))
    try:
        yield
    finally:
        handle.remove()


def encoder_of(branch: BaseModule) -> nn.Module:
    """The neck, or the backbone where there is none: what the heads read."""
    return branch.neck if branch.with_neck else branch.backbone


def _sized(metas: Sequence[dict], inputs: Tensor) -> list[dict]:
    """Heads resize their logits to the image: here that is the size of the input."""
    size = inputs.shape[2:]
    return [{**meta, 'img_shape': size, 'pad_shape': tuple(size)} for meta in metas]


def main_head(branch: BaseModule) -> nn.Module:
    """The head that has the last word: the last one of a cascade."""
    head = branch.decode_head
    return head[-1] if isinstance(head, nn.ModuleList) else head


@contextmanager
def capture(branch: BaseModule) -> Iterator[dict[str, Tensor]]:
    """Collect ``encoder``, ``decoder`` and raw ``logits`` of the forward that runs inside.

    The hooks live as long as the context, so that a copied or pickled model carries none.
    """
    caught: dict[str, Tensor] = {}

    def keep_features(module: nn.Module, args: tuple, output) -> None:
        caught['encoder'] = deepest_level(output)

    def keep_classifier(module: nn.Module, args: tuple, output: Tensor) -> None:
        caught.update(decoder=args[0], logits=output)

    handles = [
        encoder_of(branch).register_forward_hook(keep_features),
        main_head(branch).conv_seg.register_forward_hook(keep_classifier),
    ]
    try:
        yield caught
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def inference_outputs(branch: BaseModule) -> Iterator[None]:
    """Let backbone, neck and heads return what they return at inference, while their layers stay in training mode.

    Some heads (DDRNet, PIDNet, K-Net) return a tuple in training and the final logits otherwise. Only the flag of the
    outermost modules is changed, not that of batch norm or dropout inside them.
    """
    heads = branch.decode_head if isinstance(branch.decode_head, nn.ModuleList) else [branch.decode_head]
    modules = [branch.backbone, *([branch.neck] if branch.with_neck else []), *heads]
    flags = [module.training for module in modules]
    for module in modules:
        module.training = False
    try:
        yield
    finally:
        for module, flag in zip(modules, flags):
            module.training = flag


def deepest_level(features: Tensor | Iterable) -> Tensor:
    """The map with the fewest pixels, the last one among equals; levels that are not maps (tokens) are passed over.

    "Last" alone would not do: U-Net lists its levels from deep to shallow.

    Raises:
        ValueError: If there is no (b, c, h, w) map among the features.
    """
    levels = [level for level in _flatten(features) if level.ndim == 4]
    if not levels:
        raise ValueError('the encoder returned no feature map of shape (b, c, h, w)')
    return min(reversed(levels), key=lambda level: level.shape[2] * level.shape[3])


def _flatten(features: Tensor | Iterable) -> Iterator[Tensor]:
    if isinstance(features, Tensor):
        yield features
    else:
        for item in features:
            yield from _flatten(item)


def mask_padding(labels: Tensor, data_samples: SampleList, ignore_index: int) -> Tensor:
    """Labels (b, h, w) with ``ignore_index`` where an image was padded to the size of the batch."""
    paddings = [sample.metainfo.get('padding_size', (0, 0, 0, 0)) for sample in data_samples]
    if not any(any(padding) for padding in paddings):
        return labels
    height, width = labels.shape[1:]
    real = torch.zeros_like(labels, dtype=torch.bool)
    for image, (left, right, top, bottom) in zip(real, paddings):
        image[top : height - bottom, left : width - right] = True
    return labels.masked_fill(~real, ignore_index)
