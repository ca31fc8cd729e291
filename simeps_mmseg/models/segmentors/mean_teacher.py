"""Mean Teacher: one network and its moving average agree on images, whatever is done to them."""

from typing import Any

from mmseg.registry import MODELS
from mmseg.utils import SampleList, add_prefix
from torch import Tensor

from ...utils.class_maps import likeliest_class
from ..utils import forward_labeled, training_logits
from ..views import build_views
from .base import BaseSemiSegmentor


@MODELS.register_module()
class MeanTeacherSegmentor(BaseSemiSegmentor):
    """A student that learns from labels and to say of every image what its moving average says.

    The teacher sees the unlabelled images as they are, the student a view of them. The labelled images both see as they
    are. Predicts with the teacher.

    Source: Tarvainen and Valpola, NeurIPS 2017.

    Args:
        branch: Config of the student; any ``EncoderDecoder`` config.
        consistency: Config of the loss between the two, such as ``SoftmaxMSELoss``.
        teacher: Config of the moving average.
        view: Config of random transforms, such as ``RandomView``. None: the student sees what the teacher sees.
        **kwargs: See :class:`BaseSemiSegmentor`.
    """

    def __init__(self, branch: dict, consistency: dict, teacher: dict, view: dict | None = None, **kwargs: Any) -> None:
        super().__init__(branches=[branch], teacher=teacher, **kwargs)
        self.consistency = MODELS.build(consistency)
        self.views = build_views(view, None, self.data_preprocessor, self.ignore_index)

    @property
    def consistency_weight(self) -> float:
        """See :class:`BaseSemiSegmentor`."""
        return self.weight_of(self.consistency)

    def labeled_losses(self, inputs: Tensor, data_samples: SampleList) -> dict[str, Tensor]:
        """The student's own loss, and the distance to the teacher."""
        output = forward_labeled(self.branches[0], inputs, data_samples)
        losses = add_prefix(output.losses, 'branch_0')
        if output.logits is not None and not self.consistency_is_off:
            (taught,) = self.teaching_logits(inputs, data_samples)
            counted = self.hide_padding(likeliest_class(taught, dim=1), data_samples) != self.ignore_index
            value = self.consistency(output.logits, taught.float().softmax(dim=1), counted)
            losses['labeled.loss_consistency'] = self.ramped(self.consistency, value)
        return losses

    def unlabeled_losses(self, inputs: Tensor, data_samples: SampleList) -> dict[str, Tensor]:
        """The distance to the teacher."""
        (taught,) = self.teaching_logits(inputs, data_samples)
        labels = self.hide_padding(likeliest_class(taught, dim=1), data_samples)
        target = taught.float().softmax(dim=1)
        if self.views is not None:
            inputs, (labels, target) = self.views(inputs, [labels, target])
        with self.normalisation_of_unlabeled():
            logits = training_logits(self.branches[0], inputs, [sample.metainfo for sample in data_samples])
        self.step_record.pseudo_labels = [labels]
        self.step_record.outputs = [logits.detach(), labels]
        value = self.consistency(logits, target, labels != self.ignore_index)
        return {'unlabeled.loss_consistency': self.ramped(self.consistency, value)}
