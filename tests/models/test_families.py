"""One family of MMSegmentation for each shape in which heads return their logits, from MMSegmentation's own configs.

Networks are narrowed where their config allows it; images are small.
"""

import numpy as np
import pytest
import torch
from mmengine.config import Config, ConfigDict
from mmengine.utils import get_installed_path
from mmseg.models.losses import CrossEntropyLoss
from mmseg.models.utils import resize
from mmseg.registry import MODELS

from benchmarks import families
from simeps_mmseg.models.checks import class_weight_problems
from simeps_mmseg.models.utils import (
    class_logits,
    forward_labeled,
    forward_unlabeled,
    mean_logits,
    preprocessor,
    replace_sync_bn,
    sync_bn,
)
from simeps_mmseg.models.utils.pretrained import remove_pretrained
from simeps_mmseg.utils.config_tree import walk_dicts
from tests.helpers import NUM_CLASSES, make_samples, tiny_branch, tiny_model

pytestmark = pytest.mark.filterwarnings('ignore')
SIZE = (64, 64)
FAMILIES = {
    'segformer': 'segformer/segformer_mit-b0_8xb2-160k_ade20k-512x512.py',  # a tensor
    'segmenter': 'segmenter/segmenter_vit-t_mask_8xb1-160k_ade20k-512x512.py',  # no conv_seg
    'encnet': 'encnet/encnet_r50-d8_4xb2-40k_cityscapes-512x1024.py',  # (logits, other)
    'danet': 'danet/danet_r50-d8_4xb2-40k_cityscapes-512x1024.py',  # three logits
    'ddrnet': 'ddrnet/ddrnet_23-slim_in1k-pre_2xb6-120k_cityscapes-1024x1024.py',  # a tuple only in training
    'pidnet': 'pidnet/pidnet-s_2xb6-120k_1024x1024-cityscapes.py',  # the second of three; edges in the samples
    'knet': 'knet/knet-s3_r50-d8_fcn_8xb2-adamw-80k_ade20k-512x512.py',  # a list of stages
    'ocrnet': 'ocrnet/ocrnet_hr18s_4xb2-40k_cityscapes-512x1024.py',  # a cascade
    'icnet': 'icnet/icnet_r18-d8_4xb2-80k_cityscapes-832x832.py',  # a neck, two auxiliary heads
    'stdc': 'stdc/stdc1_4xb12-80k_cityscapes-512x1024.py',  # an auxiliary head with classes of its own
    'fastscnn': 'fastscnn/fast_scnn_8xb4-160k_cityscapes-512x1024.py',
}


def family(name: str) -> ConfigDict:
    """The model of MMSegmentation's own config, with four classes, without pretrained weights, on small images."""
    cfg = Config.fromfile(f'{get_installed_path("mmseg")}/.mim/configs/{FAMILIES[name]}')
    remove_pretrained(cfg)
    model = cfg.model
    for _, node in walk_dicts(model):
        if node.get('num_classes', 2) > 2:  # STDC's boundary head has its own two
            node['num_classes'] = NUM_CLASSES
        if 'class_weight' in node:
            node['class_weight'] = None
        if 'base_channels' not in node and node.get('type') in ('ResNet', 'ResNetV1c') and name in ('danet', 'encnet'):
            node.update(depth=18, base_channels=8, stem_channels=8)
        for key in ('in_channels', 'channels'):
            if name in ('danet', 'encnet') and node.get('type', '').endswith('Head'):
                node[key] = narrowed(node[key])
    if name == 'segmenter':
        model.backbone.img_size = SIZE
    model.test_cfg = ConfigDict(mode='whole')
    replace_sync_bn(model)
    return model


def narrowed(channels):
    """Widths of ResNet-50's levels to those of a ResNet-18 with 8 channels."""
    widths = {256: 8, 512: 16, 1024: 32, 2048: 64}
    return [narrowed(c) for c in channels] if isinstance(channels, (list, tuple)) else widths.get(channels, channels)


def samples(count: int, labeled: bool, size=SIZE):
    made = make_samples(count, labeled, size)
    for sample in made:
        if labeled:
            sample.gt_sem_seg.data[:, :4] = 255
            sample.gt_edge_map = type(sample.gt_sem_seg)(data=(sample.gt_sem_seg.data == 1).long())  # for PIDNet
    return made


@pytest.mark.parametrize('name', FAMILIES)
def test_labeled_logits_are_the_final_ones(name):
    """With frozen statistics the logits that the loss saw are those that inference returns."""
    torch.manual_seed(0)
    branch = MODELS.build(family(name)).train()
    for module in branch.modules():
        if isinstance(module, (torch.nn.modules.batchnorm._BatchNorm, torch.nn.modules.dropout._DropoutNd)):
            module.eval()
        if type(module).__name__ == 'DropPath':
            module.drop_prob = 0.0
    inputs = torch.randn(2, 3, *SIZE)
    with torch.no_grad():
        labeled = forward_labeled(branch, inputs, samples(2, True))
        unlabeled = forward_unlabeled(branch, inputs, [{}, {}])
        torch.testing.assert_close(labeled.logits, unlabeled.logits, atol=1e-4, rtol=1e-4)
        expected = branch.eval().encode_decode(inputs, [dict(img_shape=SIZE, ori_shape=SIZE, pad_shape=SIZE)] * 2)
    torch.testing.assert_close(unlabeled.logits, expected, atol=1e-4, rtol=1e-4)
    assert labeled.encoder.ndim == 4
    assert len(labeled.decoder) == 2


@pytest.mark.parametrize('name', ['segformer', 'segmenter', 'ddrnet'])
def test_two_branches_learn_a_step(name):
    stages = dict(encoder=1.0, decoder=1.0, logits=1.0)
    model = MODELS.build(
        dict(
            type='MultiBranchSemiSegmentor',
            num_branches=2,
            branch=family(name),
            cross_pseudo=dict(type='CrossPseudoLoss'),
            similarity=dict(type='SimilarityConsistencyLoss', stages=stages, loss_weight=1.0),
        )
    ).train()
    data = samples(2, True) + samples(2, False)
    total, _ = model.parse_losses(model.loss(torch.randn(4, 3, *SIZE), data))
    total.backward()
    missing = [
        n for n, p in model.named_parameters() if p.requires_grad and (p.grad is None or not p.grad.isfinite().all())
    ]
    assert not missing
    results = model.eval().predict(torch.randn(1, 3, *SIZE), samples(1, False))
    assert results[0].pred_sem_seg.shape == SIZE


@pytest.mark.parametrize('name', ['point_rend', 'maskformer', 'mask2former'])
def test_heads_without_a_logit_map_learn_a_step(name):
    pytest.importorskip('mmcv._ext', reason='mmcv without compiled operators')
    if name != 'point_rend':
        pytest.importorskip('mmdet', reason='mmdet is not installed')
    families.register()
    families.semi(families.smallest(families.families()[name]), size=128, fitted=False, branches=2)


def test_different_networks_compare_their_maps():
    """A CNN beside a transformer: features of other shapes, maps of the same."""
    stages = dict(encoder=1.0, decoder=1.0, logits=1.0)
    model = MODELS.build(
        dict(
            type='MultiBranchSemiSegmentor',
            branches=[family('segformer'), family('fastscnn'), family('segmenter')],
            cross_pseudo=dict(type='CrossPseudoLoss'),
            similarity=dict(type='SimilarityConsistencyLoss', stages=stages),
        )
    ).train()
    losses = model.loss(torch.randn(4, 3, *SIZE), samples(2, True) + samples(2, False))
    assert all(torch.isfinite(losses[f'unlabeled.loss_similarity_{stage}']) for stage in stages)
    model.parse_losses(losses)[0].backward()
    assert all(p.grad is not None for p in model.parameters() if p.requires_grad)


def test_a_head_whose_losses_are_in_its_stages_is_accepted():
    knet = MODELS.build(family('knet'))
    assert not hasattr(knet.decode_head, 'loss_decode')
    assert list(class_weight_problems(knet)) == []


class QueryHead(torch.nn.Module):
    """Returns what mask classification does: sums of probabilities, no logits."""

    num_classes = out_channels = NUM_CLASSES
    ignore_index, align_corners = 255, False

    def __init__(self, conv: torch.nn.Module) -> None:
        super().__init__()
        self.conv = conv

    def forward(self, features):
        return self.conv(features[-1]).softmax(dim=1)

    def loss(self, features, data_samples, train_cfg):
        labels = torch.cat([sample.gt_sem_seg.data for sample in data_samples])
        scores = resize(self(features), size=labels.shape[1:], mode='bilinear')
        return dict(loss_mask=torch.nn.functional.nll_loss(scores.log(), labels, ignore_index=255))

    def predict(self, features, metas, test_cfg):
        return resize(self(features), size=metas[0]['img_shape'], mode='bilinear')


@pytest.fixture
def query_model():
    """A plain network, and one whose head is none of MMSegmentation's base."""
    torch.manual_seed(0)
    model = MODELS.build(
        dict(
            type='MultiBranchSemiSegmentor',
            branches=[tiny_branch(), tiny_branch()],
            cross_pseudo=dict(type='CrossPseudoLoss'),
            similarity=dict(type='SimilarityConsistencyLoss'),
        )
    )
    model.branches[1].decode_head = QueryHead(torch.nn.Conv2d(4, NUM_CLASSES, 1))
    return model


class TestQueryHeads:
    def test_scores_become_log_probabilities(self, query_model):
        plain, query = query_model.branches
        scores = torch.rand(1, NUM_CLASSES, 3, 3)
        torch.testing.assert_close(class_logits(query, scores).exp(), scores)
        assert class_logits(plain, scores) is scores

    def test_the_mean_with_others_is_one_of_log_probabilities(self, query_model):
        logits, probabilities = torch.randn(1, NUM_CLASSES, 2, 2), torch.rand(1, NUM_CLASSES, 2, 2).softmax(dim=1)
        found = mean_logits(list(query_model.branches), [logits, probabilities])
        torch.testing.assert_close(found, (logits.log_softmax(dim=1) + probabilities.log()) / 2)

    def test_learns_a_step_without_consistency_on_labelled_images(self, query_model):
        losses = query_model.train().loss(torch.randn(4, 3, 16, 16), make_samples(2, True) + make_samples(2, False))
        assert 'branch_1.decode.loss_mask' in losses
        assert not [key for key in losses if key.startswith('labeled.')]
        assert {'unlabeled.loss_cross_pseudo_1', 'unlabeled.loss_similarity_logits'} <= losses.keys()
        query_model.parse_losses(losses)[0].backward()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in query_model.parameters())

    @pytest.mark.parametrize(('numbers', 'refused'), [(NUM_CLASSES, True), (NUM_CLASSES + 1, False)])
    def test_class_weight_has_a_number_for_no_object(self, query_model, numbers, refused):
        head = query_model.branches[1].decode_head
        head.cls_embed, head.class_weight = torch.nn.Linear(4, NUM_CLASSES + 1), [1.0] * numbers
        problems = list(class_weight_problems(query_model.branches[1]))
        message = 'decode_head.loss_cls: QueryHead.class_weight has 4 numbers, but QueryHead has 5 outputs'
        assert problems == ([message] if refused else [])

    def test_predicts_the_mean(self, query_model):
        inputs = torch.randn(1, 3, 16, 16)
        (result,) = query_model.eval().predict(inputs, make_samples(1, False))
        metas = [dict(img_shape=(16, 16), ori_shape=(16, 16), pad_shape=(16, 16))]
        own = [branch.encode_decode(inputs, metas) for branch in query_model.branches]
        expected = (own[0].log_softmax(dim=1) + own[1].log()) / 2
        torch.testing.assert_close(result.seg_logits.data, expected[0])


class TestRefusedWhenBuilt:
    @pytest.mark.parametrize('part', ['auxiliary_head', 'decode_head'])
    def test_heads_with_different_classes(self, part):
        branch = tiny_branch(auxiliary=True)
        branch[part].num_classes = 3
        with pytest.raises(
            ValueError, match=r'branch 0: auxiliary_head.num_classes=\d, but decode_head.num_classes=\d'
        ):
            MODELS.build(tiny_model(branch=branch))

    def test_class_weights_of_an_array(self):
        branch = tiny_branch()
        branch.decode_head.loss_decode[0].class_weight = np.ones(3)
        with pytest.raises(ValueError, match=r'CrossEntropyLoss.class_weight has 3 numbers, but FCNHead has 4 classes'):
            MODELS.build(tiny_model(branch=branch))

    def test_class_weights_inside_a_stage(self):
        knet = MODELS.build(family('knet'))
        loss = next(module for module in knet.decode_head.modules() if isinstance(module, CrossEntropyLoss))
        loss.class_weight = [1.0]
        assert 'class_weight has 1 numbers' in next(class_weight_problems(knet))


def test_branches_with_other_preprocessors_are_warned_of(monkeypatch):
    printed: list[str] = []
    monkeypatch.setattr(preprocessor, 'print_log', lambda text, **kwargs: printed.append(text))
    branches = [tiny_branch() for _ in range(3)]
    branches[2].data_preprocessor.mean = [127.5] * 3
    MODELS.build(tiny_model(branch=None, branches=branches))
    (warning,) = [line for line in printed if 'data_preprocessor' in line]
    assert 'model.branches[2].data_preprocessor' in warning
    assert 'mean=[127.5, 127.5, 127.5], there [120.0, 120.0, 120.0]' in warning
    printed.clear()
    MODELS.build(tiny_model())
    assert not [line for line in printed if 'data_preprocessor' in line]


def test_sync_bn_without_a_gpu_becomes_bn_in_several_processes_too(monkeypatch):
    monkeypatch.setattr(sync_bn, 'is_distributed', lambda: True)
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    model = MODELS.build(tiny_model())
    assert not [module for module in model.modules() if isinstance(module, torch.nn.SyncBatchNorm)]
    assert [module for module in model.modules() if isinstance(module, torch.nn.BatchNorm2d)]
