"""Several segmentors that learn from labels, from each other's pseudo-labels and from the similarity of images."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from mmengine.config import ConfigDict
from mmengine.dist import is_distributed
from mmengine.logging import print_log
from mmengine.model import ModuleList
from mmengine.structures import PixelData
from mmseg.models import BaseSegmentor
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from mmseg.utils import OptSampleList, SampleList, add_prefix
from torch import Tensor

from ..utils import BranchOutput, forward_labeled, forward_unlabeled, main_head, mask_padding, replace_sync_bn

ENSEMBLE = 'ensemble'
OWN_TEST_OPTIONS = dict(predict_on=ENSEMBLE, branch_predictions=False)


@dataclass
class StepRecord:
    """Label maps of the last training step, for hooks that watch the pseudo-labels. All detached int64.

    Attributes:
        labels: Ground truth of the labelled images, (b_l, h, w), or None without any.
        pseudo_labels: One (b_u, h, w) map per branch, or an empty list without unlabelled images.
        predictions: The branches' own classes on the unlabelled images, likewise.
        ignore_index: The value that does not count.
    """

    labels: Tensor | None
    pseudo_labels: list[Tensor]
    predictions: list[Tensor]
    ignore_index: int


@MODELS.register_module()
class MultiBranchSemiSegmentor(BaseSegmentor):
    """K complete segmentors trained together on labelled and unlabelled images.

    A batch is an ordinary MMSeg batch in which some samples carry no ``gt_sem_seg``: those are the unlabelled ones. One
    with only labelled images trains supervised (and on consistency), one with only unlabelled images on consistency
    alone. Every image passes each branch exactly once per step; labelled and unlabelled images pass apart, each with
    their own batch statistics.

    Source: Sime et al., IEEE TII 2022. With two branches and no similarity it is CPS (Chen et al., CVPR 2021).

    Args:
        branch: Config of one segmentor, built ``num_branches`` times, each with its own random initialisation. Any
            ``EncoderDecoder`` config whose main head classifies with ``conv_seg``.
        num_branches: How often ``branch`` is built; at least two.
        branches: Configs of different segmentors, in place of ``branch`` and ``num_branches``.
        cross_pseudo: Config of the loss on pseudo-labels, such as ``CrossPseudoLoss``. None: no such loss.
        similarity: Config of the loss on similarity maps, such as ``SimilarityConsistencyLoss``. None: no such loss.
        data_preprocessor: Fills in what that of the (first) branch leaves out. The branch's own wins, so that a branch sees
            what it would see alone; the runner passes a config's top-level one here, ``init_model`` does not.
        pretrained: Passed on to every branch if given; MMSeg's ``init_model`` sets it to None.
        train_cfg: Not used; each branch has its own.
        test_cfg: ``predict_on``: ``'ensemble'`` (mean of the branches' logits, default) or the index of one branch, which
            then runs alone. ``branch_predictions``: add each branch's label map to the results as
            ``pred_sem_seg_branches``. All other keys (``mode``, ``crop_size``, ...) override the branches' own.
        init_cfg: Initialisation config of the whole.

    Raises:
        ValueError: On a wrong number of branches, branches that differ in their classes, or a head without ``conv_seg``.
    """

    def __init__(
        self,
        branch: dict | None = None,
        num_branches: int = 3,
        branches: Sequence[dict] | None = None,
        cross_pseudo: dict | None = None,
        similarity: dict | None = None,
        data_preprocessor: dict | None = None,
        pretrained: str | None = None,
        train_cfg: dict | None = None,
        test_cfg: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        configs = _branch_configs(branch, num_branches, branches)
        preprocessors = [config.pop('data_preprocessor', None) for config in configs]
        super().__init__(data_preprocessor=_merge(data_preprocessor, preprocessors[0]), init_cfg=init_cfg)
        self.test_cfg = {**OWN_TEST_OPTIONS, **(test_cfg or {})}
        inference_options = {key: value for key, value in self.test_cfg.items() if key not in OWN_TEST_OPTIONS}
        for config in configs:
            config['test_cfg'] = ConfigDict({**(config.get('test_cfg') or {}), **inference_options})
            if pretrained is not None:
                config['pretrained'] = pretrained
        _use_plain_bn_in_one_process(configs)
        self.branches = ModuleList([MODELS.build(config) for config in configs])
        _check_branches(self.branches)
        _check_predict_on(self.test_cfg['predict_on'], len(self.branches))

        self.cross_pseudo = MODELS.build(cross_pseudo) if cross_pseudo else None
        self.similarity = MODELS.build(similarity) if similarity else None
        self.rampup = 1.0
        self.last_step: StepRecord | None = None

    # -- what MMSeg asks of a segmentor ------------------------------------------------------------------------------

    @property
    def decode_head(self) -> torch.nn.Module:
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

    # -- training ----------------------------------------------------------------------------------------------------

    def set_rampup(self, value: float) -> None:
        """Set the factor, in [0, 1], on the losses that declare ``ramp=True``."""
        self.rampup = value

    def loss(self, inputs: Tensor, data_samples: SampleList) -> dict[str, Tensor]:
        """Supervised losses of the labelled images; cross-pseudo and similarity losses of both parts, each apart.

        Args:
            inputs: Normalised images, shape (b, 3, h, w).
            data_samples: One each; those without ``gt_sem_seg`` are unlabelled.

        Returns:
            Scalars by branch and term. What has to be minimised has ``loss`` in its key.
        """
        labeled, unlabeled = split_by_label(data_samples)
        losses: dict[str, Tensor] = {}
        self.last_step = StepRecord(None, [], [], self.ignore_index)
        if labeled:
            part, samples = inputs[labeled], [data_samples[i] for i in labeled]
            outputs = [forward_labeled(branch, part, samples) for branch in self.branches]
            losses.update(self.supervised_losses(outputs))
            losses.update(add_prefix(self.consistency_losses(outputs, samples)[0], 'labeled'))
            self.last_step.labels = torch.cat([sample.gt_sem_seg.data for sample in samples])
        if unlabeled:
            part, samples = inputs[unlabeled], [data_samples[i] for i in unlabeled]
            metas = [sample.metainfo for sample in samples]
            outputs = [forward_unlabeled(branch, part, metas) for branch in self.branches]
            consistency, self.last_step.pseudo_labels = self.consistency_losses(outputs, samples)
            losses.update(add_prefix(consistency, 'unlabeled'))
            self.last_step.predictions = [output.logits.detach().argmax(dim=1) for output in outputs]
        return losses

    def supervised_losses(self, outputs: Sequence[BranchOutput]) -> dict[str, Tensor]:
        """The branches' own losses under ``branch_k.``."""
        losses: dict[str, Tensor] = {}
        for k, output in enumerate(outputs):
            losses.update(add_prefix(output.losses, f'branch_{k}'))
        return losses

    def consistency_losses(
        self, outputs: Sequence[BranchOutput], data_samples: SampleList
    ) -> tuple[dict[str, Tensor], list[Tensor]]:
        """Cross-pseudo and similarity losses of one part of the batch, and the pseudo-labels behind them."""
        losses: dict[str, Tensor] = {}
        pseudo_labels: list[Tensor] = []
        if self.cross_pseudo is not None:
            logits = [output.logits for output in outputs]
            pseudo_labels = [
                mask_padding(labels, data_samples, self.ignore_index)
                for labels in self.cross_pseudo.pseudo_labels(logits)
            ]
            values = self.cross_pseudo(logits, pseudo_labels, self.ignore_index)
            losses.update({f'loss_cross_pseudo_{k}': self._ramped(self.cross_pseudo, v) for k, v in enumerate(values)})
        if self.similarity is not None:
            features = {stage: [output.stage(stage) for output in outputs] for stage in self.similarity.stages}
            for stage, value in self.similarity(features).items():
                losses[f'loss_similarity_{stage}'] = self._ramped(self.similarity, value)
        return losses, pseudo_labels

    def _ramped(self, loss: torch.nn.Module, value: Tensor) -> Tensor:
        return value * self.rampup if loss.ramp else value

    # -- inference ---------------------------------------------------------------------------------------------------

    def encode_decode(self, inputs: Tensor, batch_img_metas: list[dict]) -> Tensor:
        """Logits (b, C, h, w) of what ``test_cfg.predict_on`` names, in one pass over the whole image."""
        return self._mean([branch.encode_decode(inputs, _copies(batch_img_metas)) for branch in self._answering()])

    def inference(self, inputs: Tensor, batch_img_metas: list[dict]) -> Tensor:
        """Like :meth:`encode_decode`, in each branch's own mode, ``whole`` or ``slide``."""
        return self._mean([branch.inference(inputs, _copies(batch_img_metas)) for branch in self._answering()])

    def predict(self, inputs: Tensor, data_samples: OptSampleList = None) -> SampleList:
        """Segment images.

        Args:
            inputs: Normalised images, shape (b, 3, h, w).
            data_samples: One each, whose meta information leads back to the original size. Results are added to them.

        Returns:
            Samples with ``seg_logits`` (C, h, w) and ``pred_sem_seg`` (1, h, w) and, with
            ``test_cfg.branch_predictions``, ``pred_sem_seg_branches`` (K, h, w).
        """
        metas = _metas(inputs, data_samples)
        if not self.test_cfg['branch_predictions']:
            return self.postprocess_result(self.inference(inputs, metas), data_samples)
        logits = [branch.inference(inputs, _copies(metas)) for branch in self.branches]
        chosen = self.test_cfg['predict_on']
        results = self.postprocess_result(self._mean(logits) if chosen == ENSEMBLE else logits[chosen], data_samples)
        own = [self.postprocess_result(branch, _blank(data_samples)) for branch in logits]
        for i, result in enumerate(results):
            maps = torch.cat([samples[i].pred_sem_seg.data for samples in own])
            result.set_data({'pred_sem_seg_branches': PixelData(data=maps)})
        return results

    def _forward(self, inputs: Tensor, data_samples: OptSampleList = None) -> Tensor:
        return self.encode_decode(inputs, _metas(inputs, data_samples))

    def _answering(self) -> list[BaseSegmentor]:
        chosen = self.test_cfg['predict_on']
        return list(self.branches) if chosen == ENSEMBLE else [self.branches[chosen]]

    @staticmethod
    def _mean(logits: list[Tensor]) -> Tensor:
        return torch.stack(logits).mean(dim=0)


@MODELS.register_module()
class TriBranchSemiSegmentor(MultiBranchSemiSegmentor):
    """simEps: :class:`MultiBranchSemiSegmentor` with three branches.

    Args:
        branch: Config of one segmentor, built three times.
        branches: Configs of three different segmentors, in place of ``branch``.
        **kwargs: See :class:`MultiBranchSemiSegmentor`.
    """

    def __init__(self, branch: dict | None = None, branches: Sequence[dict] | None = None, **kwargs) -> None:
        if branches is not None and len(branches) != 3:
            raise ValueError(
                f'model.branches: TriBranchSemiSegmentor takes three configs, got {len(branches)}; '
                'for another number use MultiBranchSemiSegmentor'
            )
        super().__init__(branch=branch, num_branches=3, branches=branches, **kwargs)


def split_by_label(data_samples: SampleList) -> tuple[list[int], list[int]]:
    """Indices of the samples with ``gt_sem_seg``, and of those without."""
    labeled = [i for i, sample in enumerate(data_samples) if 'gt_sem_seg' in sample]
    unlabeled = [i for i, sample in enumerate(data_samples) if 'gt_sem_seg' not in sample]
    return labeled, unlabeled


def _branch_configs(branch: dict | None, num_branches: int, branches: Sequence[dict] | None) -> list[dict]:
    if (branch is None) == (branches is None):
        raise ValueError('model: give either branch= (one config, built several times) or branches=[...], not both')
    configs = [branch] * num_branches if branches is None else list(branches)
    if len(configs) < 2:
        raise ValueError(f'model: branches teach each other, so at least two are needed, got {len(configs)}')
    return [copy.deepcopy(config) for config in configs]


def _merge(preprocessor: dict | None, of_branch: dict | None) -> dict | None:
    if not preprocessor or not of_branch or preprocessor.get('type') != of_branch.get('type'):
        return preprocessor or of_branch
    return {**preprocessor, **of_branch}


def _use_plain_bn_in_one_process(configs: list[dict]) -> None:
    if is_distributed():
        return
    changed = [replace_sync_bn(config) for config in configs]
    if any(changed):
        print_log(f'One process: SyncBN becomes BN in {", ".join(changed[0])} of each branch', logger='current')


def _check_branches(branches: ModuleList) -> None:
    for k, branch in enumerate(branches):
        head = main_head(branch)
        if not hasattr(head, 'conv_seg'):
            raise ValueError(
                f'branch {k}: {type(head).__name__} has no conv_seg classifier, so its logits cannot be found; '
                'use a head derived from BaseDecodeHead'
            )
        if branch.out_channels < 2:
            raise ValueError(
                f'branch {k}: decode_head.out_channels=1 has no softmax to make pseudo-labels from; '
                'set num_classes=2 and out_channels=2'
            )
    classes = [branch.num_classes for branch in branches]
    if len(set(classes)) > 1:
        raise ValueError(f'model.branches: num_classes of the decode heads must be the same, got {classes}')


def _check_predict_on(predict_on: str | int, num_branches: int) -> None:
    allowed = [ENSEMBLE, *range(num_branches)]
    if isinstance(predict_on, bool) or predict_on not in allowed:
        raise ValueError(f'model.test_cfg.predict_on must be one of {allowed}, got {predict_on!r}')


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
