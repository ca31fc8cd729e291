"""Inference with the branches of a semi-supervised segmentor, or with their teachers."""

from difflib import get_close_matches
from typing import Any

import torch
from mmengine.model import ModuleList
from mmengine.structures import PixelData
from mmseg.models import BaseSegmentor
from mmseg.structures import SegDataSample
from mmseg.utils import OptSampleList, SampleList
from torch import Tensor

from ...utils import UserError
from ..utils import Teachers, mean_logits

ENSEMBLE = 'ensemble'
STUDENT, TEACHER = 'student', 'teacher'
OWN_TEST_OPTIONS = dict(predict_on=ENSEMBLE, predict_with=None, branch_predictions=False)


class BranchInference:
    """Mixin: what a segmentor with ``branches``, ``teachers`` and ``test_cfg`` answers at inference."""

    branches: ModuleList
    teachers: Teachers | None
    test_cfg: dict[str, Any]

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

    def postprocess_result(self, seg_logits: Tensor, data_samples: OptSampleList = None) -> SampleList:
        """As MMSegmentation does it, from logits (b, C, h, w) laid out with classes last, where its ``argmax`` is quick."""
        seg_logits = seg_logits.contiguous(memory_format=torch.channels_last)
        return super().postprocess_result(seg_logits, data_samples)  # type: ignore[misc]

    def _forward(self, inputs: Tensor, data_samples: OptSampleList = None) -> Tensor:
        return self.encode_decode(inputs, _metas(inputs, data_samples))

    def networks(self) -> list[BaseSegmentor]:
        """What predicts, one per branch: the branches or their teachers, as ``test_cfg.predict_with`` has it."""
        if self.test_cfg['predict_with'] == STUDENT or self.teachers is None:
            return list(self.branches)
        return self.teachers.networks

    def answering_networks(self) -> list[BaseSegmentor]:
        """Those of :meth:`networks` whose mean is the prediction: all, or the one that ``test_cfg.predict_on`` names."""
        chosen = self.test_cfg['predict_on']
        networks = self.networks()
        return networks if chosen == ENSEMBLE else [networks[chosen]]


def check_test_cfg(test_cfg: dict, num_branches: int, has_teachers: bool) -> None:
    """Check ``test_cfg`` against the networks there are.

    Raises:
        UserError: On a misspelt key, or a value that names no network.
    """
    allowed = [ENSEMBLE, *range(num_branches)]
    for key in test_cfg:
        meant = get_close_matches(key, OWN_TEST_OPTIONS)
        # Anything else is for the branches, and may be of a model from elsewhere.
        if meant and key not in OWN_TEST_OPTIONS:
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
    """Copies of meta information, into which slide inference may write."""
    return [dict(meta) for meta in metas]


def _blank(data_samples: OptSampleList) -> OptSampleList:
    """Samples with the same meta information and no data."""
    if data_samples is None:
        return None
    return [SegDataSample(metainfo=sample.metainfo) for sample in data_samples]
