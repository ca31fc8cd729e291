"""What all semi-supervised segmentors share: the networks inside, their teachers, and the losses of a step."""

import copy
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, cast

import torch
from mmengine.config import ConfigDict
from mmengine.model import ModuleList
from mmseg.registry import MODELS
from mmseg.utils import SampleList, add_prefix
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from ...utils.class_maps import likeliest_class
from ..checks import check_branches
from ..losses.pseudo_label import PseudoLabel
from ..utils import (
    Teachers,
    evaluation_logits,
    fully_loaded,
    has_padding,
    main_head,
    mask_padding,
    merge_preprocessors,
    normalised_as_at_inference,
    spread_to_branches,
    spread_to_teachers,
    use_plain_bn_where_sync_bn_fails,
    warn_of_other_preprocessors,
)
from .inference import OWN_TEST_OPTIONS, BranchInference, check_test_cfg
from .training_step import TrainingStep


class BaseSemiSegmentor(BranchInference, TrainingStep):
    """One or more complete segmentors that learn from labelled and unlabelled images.

    A batch is an ordinary MMSeg batch in which some samples carry no ``gt_sem_seg``: those are the unlabelled ones. A
    method says what is learnt from them in :meth:`unlabeled_losses`; what is learnt from the labelled ones is, unless
    :meth:`labeled_losses` says more, the segmentors' own loss.

    Args:
        branches: Configs of the segmentors.
        teacher: Config of a moving average, such as ``dict(type='ExponentialMovingAverage', momentum=0.01)``, that is
            kept of each branch. None: no averages. They move before each training step, with ``SemiSupervisedHook`` before
            the first batch of each update.
        batch_renorm: Whether the losses on unlabelled images have batch norm with the values of inference, which leaves
            the running statistics to the labelled images, and with the gradient of training.
        data_preprocessor: Fills in what that of the (first) branch leaves out. The branch's own wins, so that a branch sees
            what it would see alone; the runner passes a config's top-level one here, ``init_model`` does not.
        pretrained: Passed on to every branch if given; MMSeg's ``init_model`` sets it to None.
        train_cfg: Not used; each branch has its own.
        test_cfg: ``predict_on``: ``'ensemble'`` (mean of the branches' logits, default) or the index of one branch, which
            then runs alone. ``predict_with``: ``'student'`` or ``'teacher'``; by default the teachers where there are any.
            ``branch_predictions``: add each branch's label map to an ensemble's results as ``pred_sem_seg_branches``. All
            other keys (``mode``, ``crop_size``, ...) override the branches' own.
        init_cfg: Initialisation config of the whole.

    Raises:
        ValueError: On branches that differ in their classes, or a value of ``test_cfg`` that is not there.
    """

    def __init__(
        self,
        branches: Sequence[dict],
        teacher: dict | None = None,
        batch_renorm: bool = False,
        data_preprocessor: dict | None = None,
        pretrained: str | None = None,
        train_cfg: dict | None = None,
        test_cfg: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        configs = [copy.deepcopy(config) for config in branches]
        preprocessors = [config.pop('data_preprocessor', None) for config in configs]
        shared = merge_preprocessors(data_preprocessor, preprocessors[0])
        warn_of_other_preprocessors(preprocessors, shared or {})
        super().__init__(data_preprocessor=shared, init_cfg=init_cfg)
        self.test_cfg = {**OWN_TEST_OPTIONS, **(test_cfg or {})}
        inference_options = {key: value for key, value in self.test_cfg.items() if key not in OWN_TEST_OPTIONS}
        for config in configs:
            config['test_cfg'] = ConfigDict({**(config.get('test_cfg') or {}), **inference_options})
            if pretrained is not None:
                config['pretrained'] = pretrained
        use_plain_bn_where_sync_bn_fails(configs)
        self.branches = ModuleList([MODELS.build(config) for config in configs])
        check_branches(self.branches)
        self.batch_renorm = batch_renorm
        self.teachers = Teachers(teacher, self.branches) if teacher else None
        # The counts of their updates are in host memory, which NCCL cannot send, and the same in all processes.
        counts = [f'teachers.{k}.steps' for k in range(len(self.teachers or []))]
        DistributedDataParallel._set_params_and_buffers_to_ignore_for_model(self, counts)
        check_test_cfg(self.test_cfg, len(self.branches), has_teachers=bool(teacher))
        self.trained_branches = [False] * len(self.branches)

    # -- what MMSeg asks of a segmentor ------------------------------------------------------------------------------

    @property
    def decode_head(self) -> nn.Module:
        """Main head of the first branch, for code that asks a segmentor for its classes."""
        return main_head(self.branches[0])

    @property
    def num_classes(self) -> int:
        return self.branches[0].num_classes

    @property
    def out_channels(self) -> int:
        return self.branches[0].out_channels

    @property
    def align_corners(self) -> bool:
        return self.branches[0].align_corners

    @property
    def ignore_index(self) -> int:
        """That of the main head; where it has none, 255, which is no class, and what padding gets."""
        found = self.decode_head.ignore_index
        return 255 if found is None else cast(int, found)

    def extract_feat(self, inputs: Tensor) -> list:
        """Features of each branch."""
        return [branch.extract_feat(inputs) for branch in self.branches]

    # -- training ----------------------------------------------------------------------------------------------------

    def loss(self, inputs: Tensor, data_samples: SampleList) -> dict[str, Tensor]:
        """Losses of the labelled and of the unlabelled images.

        Args:
            inputs: Normalised images, shape (b, 3, h, w).
            data_samples: One each; those without ``gt_sem_seg`` are unlabelled.

        Returns:
            Scalars by part, branch and term. What has to be minimised has ``loss`` in its key.
        """
        if not self._in_step:
            self.begin_step()
        losses: dict[str, Tensor] = {}
        for images, samples in self.parts_to_learn(inputs, data_samples):
            if 'gt_sem_seg' in samples[0]:
                losses.update(self.labeled_losses(images, samples))
                self.step_record.labels = torch.cat([sample.gt_sem_seg.data for sample in samples])
            else:
                losses.update(self.unlabeled_losses(images, samples))
        return losses

    def labeled_losses(self, inputs: Tensor, data_samples: SampleList) -> dict[str, Tensor]:
        """The branches' own losses under ``branch_k.``, from images (b, 3, h, w) with labels."""
        losses: dict[str, Tensor] = {}
        for k, branch in enumerate(self.branches):
            losses.update(add_prefix(branch.loss(inputs, data_samples), f'branch_{k}'))
        return losses

    def unlabeled_losses(self, inputs: Tensor, data_samples: SampleList) -> dict[str, Tensor]:
        """What the method learns from images (b, 3, h, w) without labels; also fills ``step_record``."""
        raise NotImplementedError

    def teaching_logits(self, inputs: Tensor, data_samples: SampleList) -> list[Tensor]:
        """Logits (b, C, h, w) to make pseudo-labels from: of the teachers or, without any, of the branches.

        In evaluation mode and without gradient.
        """
        networks = self.branches if self.teachers is None else self.teachers.networks
        metas = [sample.metainfo for sample in data_samples]
        return [evaluation_logits(network, inputs, metas) for network in networks]

    @property
    def unlabeled_at_inference(self) -> bool:
        """Whether batch norm has the values of inference in the losses on unlabelled images."""
        return self.batch_renorm

    def normalisation_of_unlabeled(self) -> AbstractContextManager:
        """Within it the branches normalise images as the losses on unlabelled ones ask for: by ``unlabeled_at_inference``."""
        if not self.unlabeled_at_inference:
            return nullcontext()
        return normalised_as_at_inference(self.branches, self.batch_renorm)

    def pseudo_labels_for(self, inputs: Tensor, data_samples: SampleList) -> list[Tensor]:
        """What the branches would be taught of images (b, 3, h, w), with all networks in evaluation mode: for looking at.

        Returns:
            One (b, h, w) map for all branches or one for each; ``ignore_index`` where a pixel would not count.
        """
        logits = self.teaching_logits(inputs, data_samples)
        return [self.hide_padding(likeliest_class(own, dim=1), data_samples) for own in logits]

    def hide_padding(self, labels: Tensor, data_samples: SampleList) -> Tensor:
        """Labels (b, h, w) with ``ignore_index`` where an image was padded to the size of the batch."""
        return mask_padding(labels, data_samples, self.ignore_index)

    def of_images(self, target: PseudoLabel, data_samples: SampleList) -> PseudoLabel:
        """Pseudo-labels (b, h, w) without those of padding."""
        if not has_padding(data_samples):
            return target
        return PseudoLabel(self.hide_padding(target.labels, data_samples), target.weight)

    # -- weights of one plain network --------------------------------------------------------------------------------

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *args: Any) -> None:
        """Weights of one plain network are those of every branch, as far as they fit, and those of branches their teachers'.

        ``trained_branches`` then says of each branch whether it got all of its weights.
        """
        spread_to_branches(state_dict, prefix, self.branches)
        if self.teachers is not None:
            spread_to_teachers(state_dict, prefix, len(self.teachers))
        self.trained_branches = fully_loaded(state_dict, prefix, self.branches)
        super()._load_from_state_dict(state_dict, prefix, *args)
