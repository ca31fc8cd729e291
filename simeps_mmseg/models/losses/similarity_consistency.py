"""Pairwise similarity maps of a batch, and the loss that makes branches agree on them."""

from collections.abc import Mapping, Sequence
from itertools import combinations

import torch
import torch.nn as nn
import torch.nn.functional as F
from mmengine.dist import get_world_size
from mmseg.registry import MODELS
from torch import Tensor

from ...utils import UserError
from .gathered_gram import SameShapes, gathered_gram_matrix, gram_matrix

STAGES = ('encoder', 'decoder', 'logits')
REDUCTIONS = ('sum', 'mean', 'none')
EPSILON = 1e-12  # norm of a row below which an image is like no other; that of torch.nn.functional.normalize


def similarity_map(features: Tensor, gather: bool = False) -> Tensor:
    """How similar each image of a batch is to each other one.

    Features are flattened to (b, d); the Gram matrix F F^T is taken over the images of the batch and each row divided by
    its L2 norm. The row of an image whose features are zero is zero, without a gradient: that of a quotient by almost nothing
    would be almost infinite. Always float32 outside autocast: in float16 the sums over 256 x 256 logits overflow.

    Source: Sime et al. 2022, Eq. 5.

    Args:
        features: Shape (b, ...), any floating dtype, b >= 2.
        gather: Whether the map spans the images of all R processes, of which each has features of this shape; see
            :func:`~simeps_mmseg.models.losses.gathered_gram.gathered_gram_matrix`.

    Returns:
        Shape (b, b), or (R b, R b) with ``gather``, float32, rows of unit L2 norm (zero for features of zero).

    Raises:
        ValueError: If b < 2: the map of one image is the constant 1 and teaches nothing.

    Example:
        >>> import torch
        >>> similarity_map(torch.eye(2))
        tensor([[1., 0.],
                [0., 1.]])
    """
    if features.ndim < 2 or len(features) * (get_world_size() if gather else 1) < 2:
        raise ValueError(
            'a similarity map compares the images of a batch and needs at least 2 of them, got features of shape '
            f'{tuple(features.shape)}: raise num_labeled and num_unlabeled of the sampler to 2 or more, '
            '(with gather=True those of all processes count)'
        )
    gram = gathered_gram_matrix(features) if gather else gram_matrix(features)
    norms = gram.norm(dim=1, keepdim=True)
    return gram / norms.masked_fill(norms < EPSILON, torch.inf)


def similarity_consistency(features: Sequence[Tensor], reduction: str = 'sum', gather: bool = False) -> Tensor:
    """Mean squared difference of the branches' similarity maps, over all pairs of branches.

    As in the released code each map is pulled to the *detached* other one from both sides with weight one half:
    0.5 MSE(a, sg(b)) + 0.5 MSE(sg(a), b). So the value of a pair is its full MSE and the gradient half of the MSE's.
    One map per branch serves all pairs and both directions.

    Source: Sime et al. 2022, Eq. 6.

    Args:
        features: One tensor of shape (b, ...) per branch; only b has to be the same.
        reduction: Over the pairs (0, 1), (0, 2), ..., (1, 2), ...: ``'sum'``, ``'mean'`` or ``'none'``.
        gather: See :func:`similarity_map`.

    Returns:
        Scalar float32, or shape (pairs,) with ``reduction='none'``.

    Raises:
        ValueError: With fewer than two branches, different batch sizes, b < 2, or an unknown reduction.

    Example:
        >>> import torch
        >>> similarity_consistency([torch.eye(2), torch.eye(2)])
        tensor(0.)
    """
    if reduction not in REDUCTIONS:
        raise ValueError(f'reduction must be one of {REDUCTIONS}, got {reduction!r}')
    if len(features) < 2:
        raise ValueError(f'similarity consistency compares branches and needs at least 2, got {len(features)}')
    sizes = [len(feature) for feature in features]
    if len(set(sizes)) > 1:
        raise ValueError(f'the branches must see the same images, got batches of {sizes}')
    maps = [similarity_map(feature, gather) for feature in features]
    pairs = _half_gradient(torch.stack([F.mse_loss(a, b) for a, b in combinations(maps, 2)]))
    if reduction == 'none':
        return pairs
    return pairs.sum() if reduction == 'sum' else pairs.mean()


def _half_gradient(value: Tensor) -> Tensor:
    """The same value with half the gradient: what detaching each side in turn, half and half, amounts to."""
    return 0.5 * value + 0.5 * value.detach()


@MODELS.register_module()
class SimilarityConsistencyLoss(nn.Module):
    """:func:`similarity_consistency` at one or more stages of the network.

    Args:
        stages: Weight of each stage: ``encoder`` (deepest level of backbone or neck), ``decoder`` (what enters the
            head's classifier), ``logits`` (at the size of the input). The released code has
            the logits on NEU-Seg and Magnetic Tile, encoder and decoder on DAGM.
        loss_weight: Factor on the sum of the stages; lambda of the paper: 50 on NEU-Seg, 200 elsewhere.
        ramp: Whether the factor grows with the ramp of ``SemiSupervisedHook``. The released code keeps it constant.
        gather: Whether the map spans the images of all processes (needs the same count and size everywhere).
        reference_batch: Number of images in a map (a part of one batch, of all processes; batches whose gradients are
            accumulated have a map each) that ``loss_weight`` is meant for:
            16 in the paper. With any other number the value is scaled to mean the same, see :func:`batch_factor`. None: as
            released.

    Raises:
        ValueError: On an unknown stage, or none, or a reference of fewer than two images.
    """

    def __init__(
        self,
        stages: Mapping[str, float] | None = None,
        loss_weight: float = 50.0,
        ramp: bool = False,
        gather: bool = True,
        reference_batch: int | None = None,
    ) -> None:
        super().__init__()
        stages = dict(stages or {'logits': 1.0})
        unknown = sorted(set(stages) - set(STAGES))
        if unknown:
            raise UserError(f'SimilarityConsistencyLoss.stages: unknown {unknown}, known are {list(STAGES)}')
        if reference_batch is not None and reference_batch < 2:
            raise UserError(
                f'SimilarityConsistencyLoss.reference_batch must be 2 or more, or None, got {reference_batch}'
            )
        self.stages = {name: float(weight) for name, weight in stages.items() if weight}
        if not self.stages:
            raise UserError('SimilarityConsistencyLoss.stages: every weight is 0; set model.similarity=None instead')
        self.loss_weight = loss_weight
        self.ramp = ramp
        self.gather = gather
        self._same_shapes = SameShapes()
        self.reference_batch = reference_batch

    def forward(self, features: Mapping[str, Sequence[Tensor]]) -> dict[str, Tensor]:
        """Weighted consistency of each stage.

        Args:
            features: For each stage, one tensor (b, ...) per branch.

        Returns:
            One scalar per stage.
        """
        return {
            stage: self.loss_weight * weight * self._stage(features[stage]) for stage, weight in self.stages.items()
        }

    def _stage(self, features: Sequence[Tensor]) -> Tensor:
        images = len(features[0])
        if self.gather:
            self._same_shapes.check(features)
            images *= get_world_size()
        value = similarity_consistency(features, gather=self.gather)
        return value * batch_factor(images, self.reference_batch) if self.reference_batch else value


def batch_factor(batch: int, reference: int) -> float:
    """What brings the consistency of a batch to the scale that it has with ``reference`` images.

    Entries of a map with unit rows shrink as 1 / sqrt(b) where images resemble each other, as logits of surfaces do, so
    squared differences shrink as 1 / b; and of the b^2 entries that are averaged the b on the diagonal hardly differ.

    Example:
        >>> batch_factor(16, reference=16), batch_factor(4, reference=16)
        (1.0, 0.3125)
    """
    return (batch / reference) * (batch / (batch - 1)) * ((reference - 1) / reference)
