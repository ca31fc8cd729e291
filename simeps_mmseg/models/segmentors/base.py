"""What all semi-supervised segmentors share: the networks inside, their moving averages, and inference with them."""

import copy
import logging
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from difflib import get_close_matches

import torch
from mmengine.config import ConfigDict
from mmengine.dist import is_distributed
from mmengine.logging import print_log
from mmengine.model import ModuleList
from mmengine.structures import PixelData
from mmseg.models import BaseSegmentor
from mmseg.models.decode_heads import SideAdapterCLIPHead, STDCHead
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from mmseg.utils import OptSampleList, SampleList, add_prefix
from torch import Tensor, nn

from ...utils import UserError
from ..utils import evaluation_logits, kept_statistics, main_head, mask_padding, mean_logits, replace_sync_bn

ENSEMBLE = 'ensemble'
STUDENT, TEACHER = 'student', 'teacher'
NORMALISATION = ('mean', 'std', 'bgr_to_rgb', 'rgb_to_bgr')
OWN_TEST_OPTIONS = dict(predict_on=ENSEMBLE, predict_with=None, branch_predictions=False)


@dataclass
class StepRecord:
    """Label maps of the last training step, for hooks that watch the pseudo-labels. All detached int64.

    Attributes:
        labels: Ground truth of the labelled images, (b_l, h, w), or None without any.
        pseudo_labels: One (b_u, h, w) map per branch, or an empty list without unlabelled images; ``ignore_index`` where a
            pixel got none.
        predictions: The branches' own classes on the unlabelled images, likewise.
        ignore_index: The value that does not count.
    """

    labels: Tensor | None
    pseudo_labels: list[Tensor]
    predictions: list[Tensor]
    ignore_index: int


class BaseSemiSegmentor(BaseSegmentor):
    """One or more complete segmentors that learn from labelled and unlabelled images.

    A batch is an ordinary MMSeg batch in which some samples carry no ``gt_sem_seg``: those are the unlabelled ones. A
    method says what is learnt from them in :meth:`unlabeled_losses`; what is learnt from the labelled ones is, unless
    :meth:`labeled_losses` says more, the segmentors' own loss.

    Args:
        branches: Configs of the segmentors.
        teacher: Config of a moving average, such as ``dict(type='ExponentialMovingAverage', momentum=0.01)``, that is
            kept of each branch. None: no averages. They move before each training step.
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

    teachers_have_own_statistics = False  # of batch norm; else those of their branches

    def __init__(
        self,
        branches: Sequence[dict],
        teacher: dict | None = None,
        data_preprocessor: dict | None = None,
        pretrained: str | None = None,
        train_cfg: dict | None = None,
        test_cfg: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        configs = [copy.deepcopy(config) for config in branches]
        preprocessors = [config.pop('data_preprocessor', None) for config in configs]
        shared = merge_preprocessors(data_preprocessor, preprocessors[0])
        _warn_of_other_preprocessors(preprocessors, shared or {})
        super().__init__(data_preprocessor=shared, init_cfg=init_cfg)
        self.test_cfg = {**OWN_TEST_OPTIONS, **(test_cfg or {})}
        inference_options = {key: value for key, value in self.test_cfg.items() if key not in OWN_TEST_OPTIONS}
        for config in configs:
            config['test_cfg'] = ConfigDict({**(config.get('test_cfg') or {}), **inference_options})
            if pretrained is not None:
                config['pretrained'] = pretrained
        _use_plain_bn_where_sync_bn_fails(configs)
        self.branches = ModuleList([MODELS.build(config) for config in configs])
        _check_branches(self.branches)
        self.teachers = None
        if teacher:
            self.teachers = nn.ModuleList([MODELS.build({**teacher, 'model': branch}) for branch in self.branches])
        _check_test_cfg(self.test_cfg, len(self.branches), has_teachers=bool(teacher))
        self.rampup = 1.0
        self.consistency_scale = 1.0
        self._ramp_is_set = False
        self.trained_branches = [False] * len(self.branches)
        self.last_step: StepRecord | None = None

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
        return self.decode_head.ignore_index

    def extract_feat(self, inputs: Tensor) -> list:
        """Features of each branch."""
        return [branch.extract_feat(inputs) for branch in self.branches]

    def train(self, mode: bool = True) -> 'BaseSemiSegmentor':
        """Set the mode of the branches; teachers always evaluate."""
        super().train(mode)
        if self.teachers is not None:
            self.teachers.eval()
        return self

    # -- training ----------------------------------------------------------------------------------------------------

    def set_rampup(self, value: float) -> None:
        """Set the factor, in [0, 1], on the losses that declare ``ramp=True``. At exactly 0 only labels are learned."""
        self.rampup = value
        self._ramp_is_set = True

    @property
    def labels_only(self) -> bool:
        """Whether only labels teach now: the unlabelled images are then passed over, which saves their time."""
        return self.rampup == 0 or self.consistency_scale == 0

    def loss(self, inputs: Tensor, data_samples: SampleList) -> dict[str, Tensor]:
        """Losses of the labelled and of the unlabelled images.

        Args:
            inputs: Normalised images, shape (b, 3, h, w).
            data_samples: One each; those without ``gt_sem_seg`` are unlabelled.

        Returns:
            Scalars by part, branch and term. What has to be minimised has ``loss`` in its key.
        """
        self.update_teachers()
        labeled, unlabeled = split_by_label(data_samples)
        losses: dict[str, Tensor] = {}
        self.last_step = StepRecord(None, [], [], self.ignore_index)
        if labeled:
            samples = [data_samples[i] for i in labeled]
            losses.update(self.labeled_losses(inputs[labeled], samples))
            self.last_step.labels = torch.cat([sample.gt_sem_seg.data for sample in samples])
        if unlabeled and not self.labels_only:
            losses.update(self.unlabeled_losses(inputs[unlabeled], [data_samples[i] for i in unlabeled]))
        return losses

    def labeled_losses(self, inputs: Tensor, data_samples: SampleList) -> dict[str, Tensor]:
        """The branches' own losses under ``branch_k.``, from images (b, 3, h, w) with labels."""
        losses: dict[str, Tensor] = {}
        for k, branch in enumerate(self.branches):
            losses.update(add_prefix(branch.loss(inputs, data_samples), f'branch_{k}'))
        return losses

    def unlabeled_losses(self, inputs: Tensor, data_samples: SampleList) -> dict[str, Tensor]:
        """What the method learns from images (b, 3, h, w) without labels; also fills ``last_step``."""
        raise NotImplementedError

    @torch.no_grad()
    def update_teachers(self) -> None:
        """Move each teacher towards its branch. Before the first training step, and on labels alone, it is its copy."""
        if self.training:
            for teacher, branch in zip(self.teachers or [], self.branches):
                if self.labels_only:
                    teacher.steps.zero_()
                is_copy = not teacher.steps or not self.teachers_have_own_statistics
                with nullcontext() if is_copy else kept_statistics(teacher.module):
                    teacher.update_parameters(branch)

    def teaching_logits(self, inputs: Tensor, data_samples: SampleList, batch_statistics: bool = False) -> list[Tensor]:
        """Logits (b, C, h, w) to make pseudo-labels from: of the teachers or, without any, of the branches.

        In evaluation mode, but for batch norm with ``batch_statistics``, and without gradient.
        """
        networks = [teacher.module for teacher in self.teachers] if self.teachers is not None else self.branches
        metas = [sample.metainfo for sample in data_samples]
        return [
            evaluation_logits(network, inputs, metas, norms_of=branch if batch_statistics else None)
            for network, branch in zip(networks, self.branches)
        ]

    def pseudo_labels_for(self, inputs: Tensor, data_samples: SampleList) -> list[Tensor]:
        """What the branches would be taught of images (b, 3, h, w), with all networks in evaluation mode: for looking at.

        Returns:
            One (b, h, w) map for all branches or one for each; ``ignore_index`` where a pixel would not count.
        """
        logits = self.teaching_logits(inputs, data_samples)
        return [self.hide_padding(own.argmax(dim=1), data_samples) for own in logits]

    def hide_padding(self, labels: Tensor, data_samples: SampleList) -> Tensor:
        """Labels (b, h, w) with ``ignore_index`` where an image was padded to the size of the batch."""
        return mask_padding(labels, data_samples, self.ignore_index)

    def ramped(self, loss: nn.Module, value: Tensor) -> Tensor:
        """The value of a loss on what labels do not say, times ``consistency_scale`` and, with ``ramp=True``, the ramp."""
        value = value * self.consistency_scale
        if not loss.ramp:
            return value
        if not self._ramp_is_set:
            self._ramp_is_set = True
            print_log(
                f'{type(loss).__name__}.ramp=True, but nothing sets the ramp: full weight from the first step, from which '
                'networks that know little teach each other to see nothing. Add dict(type="SemiSupervisedHook") to '
                'custom_hooks, or call set_rampup',
                logger='current',
                level=logging.WARNING,
            )
        return value * self.rampup

    # -- weights of one plain network --------------------------------------------------------------------------------

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *args) -> None:
        """Weights of one plain network are those of every branch, as far as they fit, and those of branches their teachers'.

        ``trained_branches`` then says of each branch whether it got all of its weights.
        """
        branches, teachers = (f'{prefix}{name}.' for name in ('branches', 'teachers'))
        if not any(key.startswith(branches) for key in state_dict):
            plain = {key.removeprefix(prefix): value for key, value in state_dict.items() if key.startswith(prefix)}
            for k, branch in enumerate(self.branches):
                for name, value in fitting(plain, branch).items():
                    state_dict[f'{branches}{k}.{name}'] = value.clone()
                    state_dict.pop(prefix + name, None)
        of_branches = {
            key.removeprefix(branches): value for key, value in state_dict.items() if key.startswith(branches)
        }
        if self.teachers is not None and of_branches and not any(key.startswith(teachers) for key in state_dict):
            for key, value in of_branches.items():
                k, name = key.split('.', 1)
                state_dict[f'{teachers}{k}.module.{name}'] = value.clone()
            state_dict.update({f'{teachers}{k}.steps': torch.tensor(0) for k in range(len(self.teachers))})
        self.trained_branches = [
            all(
                getattr(of_branches.get(f'{k}.{name}'), 'shape', None) == own.shape
                for name, own in branch.named_parameters()
            )
            for k, branch in enumerate(self.branches)
        ]
        super()._load_from_state_dict(state_dict, prefix, *args)

    # -- inference ---------------------------------------------------------------------------------------------------

    def encode_decode(self, inputs: Tensor, batch_img_metas: list[dict]) -> Tensor:
        """Logits (b, C, h, w) of what ``test_cfg`` names, in one pass over the whole image."""
        networks = self.answering_networks()
        return mean_logits(networks, [one.encode_decode(inputs, _copies(batch_img_metas)) for one in networks])

    def inference(self, inputs: Tensor, batch_img_metas: list[dict]) -> Tensor:
        """Like :meth:`encode_decode`, in each branch's own mode, ``whole`` or ``slide``."""
        networks = self.answering_networks()
        return mean_logits(networks, [one.inference(inputs, _copies(batch_img_metas)) for one in networks])

    def predict(self, inputs: Tensor, data_samples: OptSampleList = None) -> SampleList:
        """Segment images.

        Args:
            inputs: Normalised images, shape (b, 3, h, w).
            data_samples: One each, whose meta information leads back to the original size. Results are added to them.

        Returns:
            Samples with ``seg_logits`` (C, h, w) and ``pred_sem_seg`` (1, h, w) and, of an ensemble with
            ``test_cfg.branch_predictions``, ``pred_sem_seg_branches`` (K, h, w).
        """
        if self.test_cfg['branch_predictions'] and self.test_cfg['predict_on'] == ENSEMBLE:
            return self.predict_with_branches(inputs, data_samples)
        return self.postprocess_result(self.inference(inputs, _metas(inputs, data_samples)), data_samples)

    def predict_with_branches(self, inputs: Tensor, data_samples: OptSampleList = None) -> SampleList:
        """:meth:`predict` with ``pred_sem_seg_branches``, whatever ``test_cfg`` says of them: all networks run."""
        metas = _metas(inputs, data_samples)
        networks, chosen = self.networks(), self.test_cfg['predict_on']
        logits = [network.inference(inputs, _copies(metas)) for network in networks]
        together = mean_logits(networks, logits) if chosen == ENSEMBLE else logits[chosen]
        results = self.postprocess_result(together, data_samples)
        own = [self.postprocess_result(branch, _blank(data_samples)) for branch in logits]
        for i, result in enumerate(results):
            maps = torch.cat([samples[i].pred_sem_seg.data for samples in own])
            result.set_data({'pred_sem_seg_branches': PixelData(data=maps)})
        return results

    def _forward(self, inputs: Tensor, data_samples: OptSampleList = None) -> Tensor:
        return self.encode_decode(inputs, _metas(inputs, data_samples))

    def networks(self) -> list[BaseSegmentor]:
        """What predicts, one per branch: the branches or their teachers, as ``test_cfg.predict_with`` has it."""
        with_teacher = self.test_cfg['predict_with'] != STUDENT and self.teachers is not None
        return [teacher.module for teacher in self.teachers] if with_teacher else list(self.branches)

    def answering_networks(self) -> list[BaseSegmentor]:
        """Those of :meth:`networks` whose mean is the prediction: all, or the one that ``test_cfg.predict_on`` names."""
        chosen = self.test_cfg['predict_on']
        networks = self.networks()
        return networks if chosen == ENSEMBLE else [networks[chosen]]


def fitting(state: dict[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """The weights of a state dict that a network has under the same name and in the same shape."""
    own = network.state_dict()
    return {name: value for name, value in state.items() if name in own and own[name].shape == value.shape}


def split_by_label(data_samples: SampleList) -> tuple[list[int], list[int]]:
    """Indices of the samples with ``gt_sem_seg``, and of those without."""
    labeled = [i for i, sample in enumerate(data_samples) if 'gt_sem_seg' in sample]
    unlabeled = [i for i, sample in enumerate(data_samples) if 'gt_sem_seg' not in sample]
    return labeled, unlabeled


def merge_preprocessors(preprocessor: dict | None, of_branch: dict | None) -> dict | None:
    """The preprocessor of a whole model: what is given for it, overridden by that of its first branch."""
    if not preprocessor or not of_branch or preprocessor.get('type') != of_branch.get('type'):
        return preprocessor or of_branch
    return {**preprocessor, **of_branch}


def _use_plain_bn_where_sync_bn_fails(configs: list[dict]) -> None:
    if is_distributed() and torch.cuda.is_available():
        return
    alike = len({repr(config) for config in configs}) == 1  # not ==: they may hold arrays
    names = ['model.branch'] if alike else [f'model.branches[{k}]' for k in range(len(configs))]
    changed = [replace_sync_bn(config) for config in configs]
    keys = [f'{name}.{key}' for name, own in zip(names, changed) for key in own]
    if keys:
        why = 'Without a GPU' if is_distributed() else 'One process'
        print_log(f'{why}: SyncBN becomes BN in {", ".join(keys)}', logger='current')


def _warn_of_other_preprocessors(preprocessors: list[dict | None], shared: dict) -> None:
    """All branches see the same images, so what a branch's own preprocessor would do otherwise is not done."""
    for k, own in enumerate(preprocessors):
        differing = [key for key in NORMALISATION if own and own.get(key) != shared.get(key)]
        if differing:
            values = '; '.join(f'{key}={own.get(key)}, there {shared.get(key)}' for key in differing)
            print_log(
                f'model.branches[{k}].data_preprocessor is not the one whose images all branches get: {values}. '
                'Pretrained weights may expect their own',
                logger='current',
                level=logging.WARNING,
            )


def _check_branches(branches: ModuleList) -> None:
    classes = [branch.num_classes for branch in branches]
    if len(set(classes)) > 1:
        raise UserError(f'model.branches: num_classes of the decode heads must be the same, got {classes}')
    channels = [branch.out_channels for branch in branches]
    if len(set(channels)) > 1:
        raise UserError(f'model.branches: out_channels of the decode heads must be the same, got {channels}')
    for k, branch in enumerate(branches):
        for problem in (*head_class_problems(branch), *class_weight_problems(branch)):
            raise UserError(f'branch {k}: {problem}')


def head_class_problems(branch: BaseSegmentor) -> Iterator[str]:
    """Heads that have another number of classes than the main one; STDC's heads for edges are meant to."""
    expected = main_head(branch).num_classes
    for key, head in all_heads(branch):
        if getattr(head, 'num_classes', expected) != expected and not isinstance(head, STDCHead):
            yield f'{key}.num_classes={head.num_classes}, but decode_head.num_classes={expected}'


def class_weight_problems(branch: BaseSegmentor) -> Iterator[str]:
    """Losses of a segmentor whose ``class_weight`` has another length than the head has outputs.

    Heads that classify queries (MaskFormer, Mask2Former, SAN) have one output more than classes, for "no object". Heads that
    are neither these nor MMSegmentation's own weight classes in their own way and are passed over.
    """
    for key, head in all_heads(branch):
        if isinstance(head, BaseDecodeHead):
            owners = list(head.modules())
            key, expected = f'{key}.loss_decode', head.out_channels + isinstance(head, SideAdapterCLIPHead)
        elif hasattr(head, 'cls_embed'):
            owners = [head]
            key, expected = f'{key}.loss_cls', head.cls_embed.out_features
        else:
            continue
        for owner in owners:
            weight = getattr(owner, 'class_weight', None)
            if hasattr(weight, '__len__') and len(weight) != expected:  # also an array from a file
                yield (
                    f'{key}: {type(owner).__name__}.class_weight has {len(weight)} numbers, '
                    f'but {type(head).__name__} has {expected} {"outputs" if expected > head.num_classes else "classes"}'
                )


def all_heads(branch: BaseSegmentor) -> Iterator[tuple[str, nn.Module]]:
    """Config key and module of each decode and auxiliary head."""
    auxiliary = branch.auxiliary_head if branch.with_auxiliary_head else nn.ModuleList()
    for name, heads in dict(decode_head=branch.decode_head, auxiliary_head=auxiliary).items():
        if isinstance(heads, nn.ModuleList):
            yield from ((f'{name}[{index}]', head) for index, head in enumerate(heads))
        else:
            yield name, heads


def _check_test_cfg(test_cfg: dict, num_branches: int, has_teachers: bool) -> None:
    allowed = [ENSEMBLE, *range(num_branches)]
    for key in test_cfg:
        meant = get_close_matches(key, OWN_TEST_OPTIONS)
        if (
            meant and key not in OWN_TEST_OPTIONS
        ):  # anything else is for the branches, and may be of a model from elsewhere
            raise UserError(f'model.test_cfg.{key} is not known; {meant[0]} is')
    predict_on, predict_with = test_cfg['predict_on'], test_cfg['predict_with']
    if isinstance(predict_on, bool) or predict_on not in allowed:
        raise UserError(f'model.test_cfg.predict_on must be one of {allowed}, got {predict_on!r}')
    if predict_with not in (None, STUDENT, TEACHER):
        raise UserError(f"model.test_cfg.predict_with must be 'student' or 'teacher', got {predict_with!r}")
    if predict_with == TEACHER and not has_teachers:
        raise UserError("model.test_cfg.predict_with='teacher', but the model keeps no teachers: set model.teacher")


def _metas(inputs: Tensor, data_samples: OptSampleList) -> list[dict]:
    if data_samples is not None:
        return [sample.metainfo for sample in data_samples]
    size = inputs.shape[2:]
    meta = dict(ori_shape=size, img_shape=size, pad_shape=size, padding_size=[0, 0, 0, 0])
    return [dict(meta) for _ in inputs]


def _copies(metas: list[dict]) -> list[dict]:
    """Slide inference writes into them."""
    return [dict(meta) for meta in metas]


def _blank(data_samples: OptSampleList) -> OptSampleList:
    """Samples with the same meta information and no data."""
    if data_samples is None:
        return None
    return [SegDataSample(metainfo=sample.metainfo) for sample in data_samples]
