"""Pairwise similarity maps of a batch, and the loss that makes branches agree on them."""

from collections.abc import Mapping, Sequence
from itertools import combinations

import torch
import torch.distributed as dist
import torch.nn as nn
import torch.nn.functional as F
from mmseg.registry import MODELS
from torch import Tensor

from ...utils import UserError
from .utils import autocast_disabled

STAGES = ('encoder', 'decoder', 'logits')
REDUCTIONS = ('sum', 'mean', 'none')


def similarity_map(features: Tensor) -> Tensor:
    """How similar each image of a batch is to each other one.

    Features are flattened to (b, d); the Gram matrix F F^T is taken over the images of the batch and each row divided by
    its L2 norm. Always float32 outside autocast: in float16 the sums over 256 x 256 logits overflow.

    Source: Sime et al. 2022, Eq. 5.

    Args:
        features: Shape (b, ...), any floating dtype, b >= 2.

    Returns:
        Shape (b, b), float32, rows of unit L2 norm.

    Raises:
        ValueError: If b < 2: the map of one image is the constant 1 and teaches nothing.

    Example:
        >>> import torch
        >>> similarity_map(torch.eye(2))
        tensor([[1., 0.],
                [0., 1.]])
    """
    if features.ndim < 2 or features.shape[0] < 2:
        raise ValueError(
            'a similarity map compares the images of a batch and needs at least 2 of them, got features of shape '
            f'{tuple(features.shape)}: raise num_labeled and num_unlabeled of the sampler to 2 or more, '
            '(with gather=True those of all processes count)'
        )
    with autocast_disabled(features):
        flat = features.flatten(start_dim=1).float()
        return F.normalize(flat @ flat.T, p=2, dim=1)


def similarity_consistency(features: Sequence[Tensor], reduction: str = 'sum') -> Tensor:
    """Mean squared difference of the branches' similarity maps, over all pairs of branches.

    As in the released code each map is pulled to the *detached* other one from both sides with weight one half:
    0.5 MSE(a, sg(b)) + 0.5 MSE(sg(a), b). So the value of a pair is its full MSE and the gradient half of the MSE's.
    One map per branch serves all pairs and both directions.

    Source: Sime et al. 2022, Eq. 6.

    Args:
        features: One tensor of shape (b, ...) per branch; only b has to be the same.
        reduction: Over the pairs (0, 1), (0, 2), ..., (1, 2), ...: ``'sum'``, ``'mean'`` or ``'none'``.

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
    maps = [similarity_map(feature) for feature in features]
    pairs = _half_gradient(torch.stack([F.mse_loss(a, b) for a, b in combinations(maps, 2)]))
    if reduction == 'none':
        return pairs
    return pairs.sum() if reduction == 'sum' else pairs.mean()


def _half_gradient(value: Tensor) -> Tensor:
    """The same value with half the gradient: what detaching each side in turn, half and half, amounts to."""
    return 0.5 * value + 0.5 * value.detach()


def gather_batch(features: Tensor) -> Tensor:
    """Concatenate a batch over all processes, with gradient; the input itself where there is one process.

    Every process then computes the loss of the global batch. Backward sums the gradients of all processes into the
    local part; data parallelism averages over processes, so N processes with b images each train as one with N b.

    Args:
        features: Shape (b, ...), the same on every process.

    Returns:
        Shape (N b, ...), rank by rank.

    Raises:
        ValueError: If shapes differ between processes.
    """
    if not (dist.is_available() and dist.is_initialized()) or dist.get_world_size() == 1:
        return features
    features = features.float().contiguous()
    _check_same_shape(features)
    from torch.distributed.nn.functional import all_gather

    return torch.cat(all_gather(features), dim=0)


def _check_same_shape(features: Tensor) -> None:
    """A collective over different shapes hangs or crashes without a word: compare a fixed-size summary first."""
    shape = torch.zeros(8, dtype=torch.int64, device=features.device)
    shape[: features.ndim] = torch.tensor(features.shape)
    shapes = [torch.empty_like(shape) for _ in range(dist.get_world_size())]
    dist.all_gather(shapes, shape)
    if any(not torch.equal(other, shape) for other in shapes):
        listed = [tuple(size for size in other.tolist() if size) for other in shapes]
        raise ValueError(
            f'gather=True needs features of one shape on all processes, got {listed}: resize or crop the training images '
            'to one size and give every process the same number of labelled and unlabelled images'
        )


@MODELS.register_module()
class SimilarityConsistencyLoss(nn.Module):
    """:func:`similarity_consistency` at one or more stages of the network.

    Args:
        stages: Weight of each stage: ``encoder`` (deepest level of backbone or neck), ``decoder`` (what enters the
            head's classifier), ``logits`` (at the size of the input). The released code uses the logits only.
        loss_weight: Factor on the sum of the stages; lambda of the paper: 50 on NEU-Seg, 200 elsewhere.
        ramp: Whether the factor grows with the ramp of ``SemiSupervisedHook``. The released code keeps it constant.
        gather: Whether the map spans the images of all processes (needs the same count and size everywhere).
        reference_batch: Number of images in a map (a part of the batch, of all processes) that ``loss_weight`` is meant for:
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
        if self.gather:
            features = [gather_batch(feature) for feature in features]
        value = similarity_consistency(features)
        return value * batch_factor(len(features[0]), self.reference_batch) if self.reference_batch else value


def batch_factor(batch: int, reference: int) -> float:
    """What brings the consistency of a batch to the scale that it has with ``reference`` images.

    Entries of a map with unit rows shrink as 1 / sqrt(b) where images resemble each other, as logits of surfaces do, so
    squared differences shrink as 1 / b; and of the b^2 entries that are averaged the b on the diagonal hardly differ.

    Example:
        >>> batch_factor(16, reference=16), batch_factor(4, reference=16)
        (1.0, 0.3125)
    """
    return (batch / reference) * (batch / (batch - 1)) * ((reference - 1) / reference)
