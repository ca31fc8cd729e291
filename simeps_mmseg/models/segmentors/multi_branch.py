"""Several segmentors that learn from labels, from each other's pseudo-labels and from the similarity of images."""

from collections.abc import Callable, Sequence
from typing import Any

from mmseg.registry import MODELS
from mmseg.utils import SampleList, add_prefix
from torch import Tensor

from ...utils import UserError
from ..losses.pseudo_label import PseudoLabel
from ..utils import BranchOutput, forward_labeled, forward_unlabeled, recomputed
from ..views import build_views
from .base import BaseSemiSegmentor


@MODELS.register_module()
class MultiBranchSemiSegmentor(BaseSemiSegmentor):
    """K complete segmentors trained together on labelled and unlabelled images.

    A batch with only labelled images trains supervised (and on consistency), one with only unlabelled images on
    consistency alone. Labelled and unlabelled images pass the branches apart, each with their own batch statistics; with
    ``teacher``, ``view`` or ``cut_mix`` unlabelled ones have the running statistics, and ``batch_renorm`` changes their
    gradient. By default every image passes each branch exactly once per step. With ``teacher``, ``view`` or ``cut_mix`` the
    pseudo-labels come from one more pass of what teaches, without gradient, over the unlabelled images as they are; with
    ``view`` each branch learns from a view of its own.

    Source: Sime et al., IEEE TII 2022. With two branches and no similarity it is CPS (Chen et al., CVPR 2021).

    Args:
        branch: Config of one segmentor, built ``num_branches`` times, each with its own random initialisation. Any
            ``EncoderDecoder`` config. Point and query heads (PointRend, MaskFormer) have no logit map of the labelled
            images, which then take no part in the consistency losses.
        num_branches: How often ``branch`` is built; at least two.
        branches: Configs of different segmentors, in place of ``branch`` and ``num_branches``.
        cross_pseudo: Config of the loss on pseudo-labels, such as ``CrossPseudoLoss``. None: no such loss.
        similarity: Config of the loss on similarity maps, such as ``SimilarityConsistencyLoss``. None: no such loss.
        view: Config of random transforms, such as ``RandomView``, that each branch draws anew of the unlabelled images.
        cut_mix: Config of ``CutMix`` on the unlabelled images, the same boxes for all branches.
        consistency_on_labeled: Whether the branches also teach each other on the labelled images, as in simEps and CPS.
        branch_by_branch: Whether to keep the activations of one branch at a time. All branches but the last compute theirs
            again when their turn comes in the backward pass; values and gradients stay the same, bit for bit. Takes less
            memory, and the time of one more forward pass of each of them.
        **kwargs: See :class:`BaseSemiSegmentor`.

    Raises:
        ValueError: On a wrong number of branches, or branches that differ in their classes.
    """

    def __init__(
        self,
        branch: dict | None = None,
        num_branches: int = 3,
        branches: Sequence[dict] | None = None,
        cross_pseudo: dict | None = None,
        similarity: dict | None = None,
        view: dict | None = None,
        cut_mix: dict | None = None,
        consistency_on_labeled: bool = True,
        branch_by_branch: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(branches=_branch_configs(branch, num_branches, branches), **kwargs)
        self.cross_pseudo = MODELS.build(cross_pseudo) if cross_pseudo else None
        self.similarity = MODELS.build(similarity) if similarity else None
        self.has_consistency = bool(cross_pseudo or similarity)
        self.views = build_views(view, cut_mix, self.data_preprocessor, self.ignore_index)
        self.consistency_on_labeled = consistency_on_labeled
        self.branch_by_branch = branch_by_branch

    @property
    def consistency_weight(self) -> float | None:
        """See :class:`BaseSemiSegmentor`."""
        return None if self.cross_pseudo is None else self.weight_of(self.cross_pseudo)

    @property
    def is_taught_apart(self) -> bool:
        """Whether pseudo-labels come from another pass than what learns from them, as with views and with teachers."""
        return self.views is not None or self.teachers is not None

    @property
    def unlabeled_at_inference(self) -> bool:
        """See :class:`BaseSemiSegmentor`; also where images are taught apart, with the gradient of inference then.

        Normalised by its own batch, an image of another kind looks like the others; at inference it does not.
        """
        return self.batch_renorm or self.is_taught_apart

    def labeled_losses(self, inputs: Tensor, data_samples: SampleList) -> dict[str, Tensor]:
        """The branches' own losses, and consistency with pseudo-labels made on the way."""
        outputs = self.outputs_of_branches(forward_labeled, [inputs] * len(self.branches), data_samples)
        losses: dict[str, Tensor] = {}
        for k, output in enumerate(outputs):
            losses.update(add_prefix(output.losses, f'branch_{k}'))
        logits = logits_of(outputs)
        if self.consistency_on_labeled and not self.consistency_is_off and len(logits) == len(outputs):
            targets = self.pseudo_labels(logits, data_samples)
            losses.update(add_prefix(self.consistency_losses(outputs, targets), 'labeled'))
        return losses

    def unlabeled_losses(self, inputs: Tensor, data_samples: SampleList) -> dict[str, Tensor]:
        """Consistency of the branches on the images themselves, or on a view of them for each."""
        metas = [sample.metainfo for sample in data_samples]
        images, targets = [inputs] * len(self.branches), None
        if self.is_taught_apart:
            targets = self.pseudo_labels(self.teaching_logits(inputs, data_samples), data_samples)
            images, targets = self._views_of(inputs, targets)
        with self.normalisation_of_unlabeled():
            outputs = self.outputs_of_branches(forward_unlabeled, images, metas)
        if targets is None:
            targets = self.pseudo_labels(logits_of(outputs), data_samples)
        self.step_record.pseudo_labels = [target.counted(self.ignore_index) for target in targets]
        self.step_record.outputs = [logits.detach() for logits in logits_of(outputs)]
        if not all(target.complete for target in targets):
            self.step_record.padding = [target.labels == self.ignore_index for target in targets]
        return add_prefix(self.consistency_losses(outputs, targets), 'unlabeled')

    def pseudo_labels(self, logits: Sequence[Tensor], data_samples: SampleList) -> list[PseudoLabel]:
        """One per branch, from K logits (b, C, h, w); none without a loss on them."""
        if self.cross_pseudo is None:
            return []
        return [self.of_images(target, data_samples) for target in self.cross_pseudo.pseudo_labels(logits)]

    def pseudo_labels_for(self, inputs: Tensor, data_samples: SampleList) -> list[Tensor]:
        """See :class:`BaseSemiSegmentor`: one map per branch; none without a loss on pseudo-labels."""
        targets = self.pseudo_labels(self.teaching_logits(inputs, data_samples), data_samples)
        return [target.counted(self.ignore_index) for target in targets]

    def consistency_losses(self, outputs: Sequence[BranchOutput], targets: Sequence[PseudoLabel]) -> dict[str, Tensor]:
        """Cross-pseudo and similarity losses of one part of the batch."""
        losses: dict[str, Tensor] = {}
        if self.cross_pseudo is not None:
            values = self.cross_pseudo(logits_of(outputs), targets, self.ignore_index)
            losses.update({f'loss_cross_pseudo_{k}': self.ramped(self.cross_pseudo, v) for k, v in enumerate(values)})
        if self.similarity is not None:
            features = {stage: [output.stage(stage) for output in outputs] for stage in self.similarity.stages}
            for stage, value in self.similarity(features).items():
                losses[f'loss_similarity_{stage}'] = self.ramped(self.similarity, value)
        return losses

    def outputs_of_branches(
        self, forward: Callable[..., BranchOutput], images: Sequence[Tensor], about_them: Sequence
    ) -> list[BranchOutput]:
        """``forward`` of each branch with its images (b, 3, h, w) and what belongs to them."""
        outputs = []
        for k, (branch, own) in enumerate(zip(self.branches, images)):
            is_last = k == len(self.branches) - 1  # the backward pass begins with it
            if self.branch_by_branch and not is_last:
                outputs.append(recomputed(forward, branch, own, about_them))
            else:
                outputs.append(forward(branch, own, about_them))
        return outputs

    def _views_of(self, inputs: Tensor, targets: list[PseudoLabel]) -> tuple[list[Tensor], list[PseudoLabel]]:
        """A view per branch of images (b, 3, h, w), the pseudo-labels moved along."""
        if self.views is None:
            return [inputs] * len(self.branches), targets
        mix = self.views.draw_mix(inputs)  # one for all, so that similarity maps compare the same images
        if not targets:
            return [self.views(inputs, (), mix)[0] for _ in self.branches], []
        viewed = [self.views.of_labeled(inputs, target, mix) for target in targets]
        return [image for image, _ in viewed], [target for _, target in viewed]


@MODELS.register_module()
class TriBranchSemiSegmentor(MultiBranchSemiSegmentor):
    """simEps: :class:`MultiBranchSemiSegmentor` with three branches.

    Args:
        branch: Config of one segmentor, built three times.
        branches: Configs of three different segmentors, in place of ``branch``.
        **kwargs: See :class:`MultiBranchSemiSegmentor`.
    """

    def __init__(self, branch: dict | None = None, branches: Sequence[dict] | None = None, **kwargs: Any) -> None:
        if branches is not None and len(branches) != 3:
            raise UserError(
                f'model.branches: TriBranchSemiSegmentor takes three configs, got {len(branches)}; '
                'for another number use MultiBranchSemiSegmentor'
            )
        super().__init__(branch=branch, num_branches=3, branches=branches, **kwargs)


def logits_of(outputs: Sequence[BranchOutput]) -> list[Tensor]:
    """The logit maps (b, C, h, w) of the branches that have one."""
    return [output.logits for output in outputs if output.logits is not None]


def _branch_configs(branch: dict | None, num_branches: int, branches: Sequence[dict] | None) -> list[dict]:
    if branch is not None and branches is None:
        configs = [branch] * num_branches
    elif branch is None and branches is not None:
        configs = list(branches)
    else:
        raise UserError('model: give either branch= (one config, built several times) or branches=[...], not both')
    if len(configs) < 2:
        raise UserError(f'model: branches teach each other, so at least two are needed, got {len(configs)}')
    return configs
