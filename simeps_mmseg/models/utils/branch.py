"""Run an unmodified MMSeg segmentor as one branch: its logits and features beside its own losses.

The labelled images go through ``branch.loss``, which brings every head's own loss, auxiliary heads and samplers along; hooks
(:mod:`.activations`) record what the main head reads and returns. The unlabelled images go through ``branch.encode_decode``.
So every image passes the branch exactly once.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
import torch.nn as nn
from mmengine.model import BaseModule
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.models.utils import resize
from mmseg.utils import SampleList
from torch import Tensor

from ...utils import UserError
from .activations import capture, heads_of, main_head
from .batch_norm import kept_statistics


@dataclass
class BranchOutput:
    """What one branch says about one part of the batch.

    Attributes:
        logits: One channel per class at the size of the input, shape (b, C >= 2, h, w), with gradient. None for labelled
            images where the head's raw output is no logit map (point and query heads).
        encoder: Deepest level of the neck, or of the backbone where there is no neck, shape (b, c, h', w'). None without a
            map in it, or where a segmentor runs it without calling it as a module, so that no hook sees its output.
        decoder: What enters the classifier of the main head, shape (b, ...); the encoder's output where there is no
            classifier to be found.
        losses: The branch's own loss dict; empty for unlabelled images.
    """

    logits: Tensor | None
    encoder: Tensor | None
    decoder: Tensor | None
    losses: dict[str, Tensor] = field(default_factory=dict)

    def stage(self, name: str) -> Tensor:
        """The tensor of stage ``'encoder'``, ``'decoder'`` or ``'logits'``.

        Raises:
            UserError: If the network has none.
        """
        found = getattr(self, name)
        if found is None:
            raise UserError(
                f'stage {name}: this network hands on no (b, c, h, w) map there; take another of model.similarity.stages'
            )
        return found


def forward_labeled(branch: BaseModule, inputs: Tensor, data_samples: SampleList) -> BranchOutput:
    """Losses, logits and features of labelled images in one pass.

    Args:
        branch: A segmentor.
        inputs: Normalised images, shape (b, 3, h, w).
        data_samples: One each, with ``gt_sem_seg``.
    """
    with capture(branch) as activations:
        losses = branch.loss(inputs, data_samples)
    logits = activations.logits()
    if logits is not None:
        size, align_corners = inputs.shape[2:], branch.align_corners
        logits = resize(logits, size=size, mode='bilinear', align_corners=align_corners, warning=False)
        logits = class_logits(branch, logits)
    return BranchOutput(logits=logits, encoder=activations.encoder, decoder=activations.decoder, losses=losses)


def forward_unlabeled(branch: BaseModule, inputs: Tensor, metas: Sequence[dict]) -> BranchOutput:
    """Logits and features of unlabelled images in one pass, with gradient.

    Args:
        branch: A segmentor.
        inputs: Normalised images, shape (b, 3, h, w).
        metas: Meta information of each image.
    """
    with capture(branch) as activations:
        logits = training_logits(branch, inputs, metas)
    return BranchOutput(logits=logits, encoder=activations.encoder, decoder=activations.decoder)


def training_logits(branch: BaseModule, inputs: Tensor, metas: Sequence[dict]) -> Tensor:
    """Logits (b, C >= 2, h, w) at the size of the input, with gradient; layers as in training, outputs as at inference."""
    with inference_outputs(branch):
        return class_logits(branch, branch.encode_decode(inputs, _sized(metas, inputs)))


@torch.no_grad()
def evaluation_logits(branch: BaseModule, inputs: Tensor, metas: Sequence[dict]) -> Tensor:
    """Logits (b, C >= 2, h, w) at the size of the input, without gradient; leaves the mode of every layer as it was.

    Args:
        branch: A segmentor.
        inputs: Normalised images, shape (b, 3, h, w).
        metas: Meta information of each image.
    """
    flags = [(module, module.training) for module in branch.modules()]
    branch.eval()
    try:
        return class_logits(branch, branch.encode_decode(inputs, _sized(metas, inputs)))
    finally:
        for module, training in flags:
            module.training = training


def class_logits(branch: BaseModule, scores: Tensor) -> Tensor:
    """What a segmentor returns as logits that softmax turns into its class probabilities.

    One channel (``out_channels=1``, a sigmoid) becomes two, with zero for the background. Query heads return a sum of
    probabilities for each class: their logarithm is a logit map.

    Args:
        branch: The segmentor.
        scores: Its output, shape (b, out_channels, h, w).
    """
    if scores.shape[1] == 1:
        return torch.cat([torch.zeros_like(scores), scores], dim=1)
    if is_query_head(branch):
        return scores.float().clamp(min=1e-6).log()
    return scores


def mean_logits(branches: Sequence[BaseModule], scores: Sequence[Tensor]) -> Tensor:
    """What segmentors say together. Where query heads and others meet, all speak in log-probabilities.

    Args:
        branches: The segmentors.
        scores: The output of each, shape (b, out_channels, h, w).

    Returns:
        Their mean, of the same shape; that of a single one as it is.
    """
    if len(scores) == 1:
        return scores[0]
    if len({is_query_head(branch) for branch in branches}) > 1:
        scores = [class_logits(branch, own).log_softmax(dim=1) for branch, own in zip(branches, scores)]
    return torch.stack(list(scores)).mean(dim=0)


def is_query_head(branch: BaseModule) -> bool:
    """Whether the main head is none of MMSegmentation's own base: it then returns sums of probabilities, not logits."""
    return not isinstance(main_head(branch), BaseDecodeHead)


@contextmanager
def inference_outputs(branch: BaseModule) -> Iterator[None]:
    """Let backbone, neck and heads return what they return at inference, while their layers stay in training mode.

    Some heads (DDRNet, PIDNet, K-Net) return a tuple in training and the final logits otherwise. Only the flag of the
    outermost modules is changed, not that of batch norm or dropout inside them.
    """
    modules = [branch.backbone, *([branch.neck] if branch.with_neck else []), *heads_of(branch)]
    flags = [module.training for module in modules]
    for module in modules:
        module.training = False
    try:
        yield
    finally:
        for module, flag in zip(modules, flags):
            module.training = flag


def _sized(metas: Sequence[dict], inputs: Tensor) -> list[dict]:
    """Meta information in which the image has the size of the input, to which heads then resize their logits."""
    size = inputs.shape[2:]
    return [{**meta, 'img_shape': size, 'pad_shape': tuple(size)} for meta in metas]


def one_image_fails(branch: BaseModule, shape: tuple[int, int, int], labeled: bool = True) -> bool:
    """Whether a single image cannot pass in training mode: batch norm behind pooling to one pixel needs two.

    Args:
        branch: The segmentor; its running statistics stay.
        shape: Channels, height and width of the image.
        labeled: Whether the image has labels, so that it passes the auxiliary heads, too.
    """
    parameter = next(branch.parameters())
    image = torch.zeros(1, *shape, device=parameter.device)
    was_training = branch.training
    try:
        with torch.no_grad(), kept_statistics([branch]):
            training_logits(branch.train(), image, [{}])
            if labeled and branch.with_auxiliary_head:
                features, heads = branch.extract_feat(image), branch.auxiliary_head
                for head in heads if isinstance(heads, nn.ModuleList) else [heads]:
                    head(features)
    except ValueError as error:
        return 'more than 1 value per channel' in str(error)
    finally:
        branch.train(was_training)
    return False
