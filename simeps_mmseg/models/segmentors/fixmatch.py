"""FixMatch: confident predictions on an image are the labels of a strongly changed view of it."""

from typing import Any

from mmseg.registry import MODELS
from mmseg.utils import SampleList, add_prefix
from torch import Tensor

from ...utils import UserError
from ..losses.pseudo_label import PseudoLabel
from ..utils import training_logits
from ..views import build_views
from .base import BaseSemiSegmentor


@MODELS.register_module()
class FixMatchSegmentor(BaseSemiSegmentor):
    """One network that learns from its own confident predictions.

    The unlabelled images as they come from the data set are the weak view.

    Source: Sohn et al., NeurIPS 2020; for segmentation, with CutMix, as the baseline of UniMatch (Yang et al., CVPR 2023).

    Args:
        branch: Config of the segmentor.
        pseudo: Config of the loss on pseudo-labels, such as ``ConfidentPseudoLoss``.
        view: Config of the strong view, such as ``RandomView``.
        cut_mix: Config of ``CutMix`` on the strong view.
        **kwargs: See :class:`BaseSemiSegmentor`. With ``teacher`` the moving average gives the labels.
    """

    num_views = 1

    def __init__(
        self, branch: dict, pseudo: dict, view: dict | None = None, cut_mix: dict | None = None, **kwargs: Any
    ) -> None:
        super().__init__(branches=[branch], **kwargs)
        views = build_views(view, cut_mix, self.data_preprocessor, self.ignore_index)
        if views is None:
            raise UserError(f'{type(self).__name__} needs a strong view: set model.view, model.cut_mix or both')
        self.pseudo = MODELS.build(pseudo)
        self.views = views

    @property
    def consistency_weight(self) -> float:
        """See :class:`BaseSemiSegmentor`."""
        return self.weight_of(self.pseudo)

    def unlabeled_losses(self, inputs: Tensor, data_samples: SampleList) -> dict[str, Tensor]:
        """Cross entropy of what the network says of strong views against its confident labels."""
        target = self.confident_labels(inputs, data_samples)
        self.step_record.pseudo_labels = [target.counted(self.ignore_index)]
        with self.normalisation_of_unlabeled():
            losses = self.student_losses(inputs, target, [sample.metainfo for sample in data_samples])
        return add_prefix(losses, 'unlabeled')

    def student_losses(self, inputs: Tensor, target: PseudoLabel, metas: list[dict]) -> dict[str, Tensor]:
        """The loss on each strong view; their weights add up to 1."""
        losses = {}
        for v in range(self.num_views):
            images, seen = self.views.of_labeled(inputs, target, self.views.draw_mix(inputs))
            logits = training_logits(self.branches[0], images, metas)
            losses[f'loss_view_{v}'] = self.learn(logits, seen) / self.num_views
        self.step_record.outputs = [logits.detach(), seen.labels]
        return losses

    def pseudo_labels_for(self, inputs: Tensor, data_samples: SampleList) -> list[Tensor]:
        """See :class:`BaseSemiSegmentor`: pixels without confidence do not count."""
        return [self.confident_labels(inputs, data_samples).counted(self.ignore_index)]

    def confident_labels(self, inputs: Tensor, data_samples: SampleList) -> PseudoLabel:
        """Labels and weights (b, h, w) of images (b, 3, h, w) as they are."""
        target = self.pseudo.pseudo_label(self.teaching_logits(inputs, data_samples)[0])
        return self.of_images(target, data_samples)

    def learn(self, logits: Tensor, target: PseudoLabel) -> Tensor:
        """The loss of logits (b, C, h, w) against pseudo-labels."""
        return self.ramped(self.pseudo, self.pseudo(logits, target, self.ignore_index))
