"""UniMatch: FixMatch with two strong views and perturbed features."""

from typing import Any

from mmseg.registry import MODELS
from torch import Tensor, nn

from ..losses.pseudo_label import PseudoLabel
from ..utils import perturbed_features, training_logits
from .fixmatch import FixMatchSegmentor


@MODELS.register_module()
class UniMatchSegmentor(FixMatchSegmentor):
    """Two strong views of the image and one of its features learn from one weak view.

    The loss on unlabelled images is 1/2 of that on perturbed features and 1/4 of that on each strong view.

    Source: Yang et al., CVPR 2023, Eq. 7 with lambda = mu = 0.5.

    Args:
        feature_dropout: Probability that a channel is dropped of what the encoder hands on; see ``perturbed_features``.
        **kwargs: See :class:`FixMatchSegmentor`.
    """

    num_views = 2

    def __init__(self, feature_dropout: float = 0.5, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.perturbation = nn.Dropout2d(feature_dropout)

    def student_losses(self, inputs: Tensor, target: PseudoLabel, metas: list[dict]) -> dict[str, Tensor]:
        """Half of the loss on the strong views, half of that on perturbed features of the image as it is."""
        losses = {key: value / 2 for key, value in super().student_losses(inputs, target, metas).items()}
        with perturbed_features(self.branches[0], self.perturbation):
            logits = training_logits(self.branches[0], inputs, metas)
        losses['loss_features'] = self.learn(logits, target) / 2
        return losses
