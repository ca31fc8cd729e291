"""Looking at a network while it learns."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from PIL import Image

from simeps_mmseg.engine import PredictionVisualizationHook
from simeps_mmseg.engine.prediction import predict, to_original, unchanged
from simeps_mmseg.utils import UserError
from tests.conftest import ROOT
from tests.helpers import experiment, make_samples, tiny_branch, tiny_model

LOCAL = [dict(type='LocalVisBackend')]


def train(root, work_dir, semi=True, hook=None, visualizer='SemiSegLocalVisualizer', **changes):
    cfg = experiment(root, work_dir, semi=semi, **changes)
    if not semi:
        for part in (cfg.model.backbone, cfg.model.decode_head):
            part.norm_cfg.type = 'BN'
    cfg.visualizer = dict(type=visualizer, vis_backends=LOCAL)
    if hook is not None:
        cfg.default_hooks.pictures = dict(type='PredictionVisualizationHook', **hook)
    runner = Runner.from_cfg(cfg)
    runner.train()
    return runner


def pictures(work_dir: Path) -> dict[str, list[int]]:
    """Steps by name of what the local back end wrote."""
    found: dict[str, list[int]] = {}
    for path in sorted(work_dir.glob('*/vis_data/vis_image/*.png')):
        name, _, step = path.stem.rpartition('_')
        found.setdefault(name, []).append(int(step))
    return {name: sorted(steps) for name, steps in found.items()}


@pytest.fixture(scope='module')
def watched(synthetic_root, tmp_path_factory):
    work_dir = tmp_path_factory.mktemp('watched')
    hook = dict(interval=2, val_images=2, unlabeled_images=1)
    return train(synthetic_root, work_dir, hook=hook, max_iters=3), work_dir


def test_the_same_images_at_every_interval(watched):
    found = pictures(watched[1])
    assert sorted(name.split('_')[0] for name in found) == ['unlabeled', 'val', 'val']
    assert set(map(tuple, found.values())) == {(0, 2, 3)}


def test_pictures_of_unlabeled_images_have_pseudo_labels(watched):
    files = {path.stem: path for path in watched[1].rglob('*_3.png')}
    widths = {name.split('_')[0]: np.asarray(Image.open(path)).shape[1] for name, path in files.items()}
    panel = 256 + 6
    # image, ground truth, ensemble, three branches, disagreement, errors; without ground truth and errors, but with up to
    # three pseudo-labels
    assert widths['val'] == 8 * panel + 6
    assert widths['unlabeled'] in (7 * panel + 6, 9 * panel + 6)


def test_training_is_not_disturbed(watched, synthetic_root, tmp_path):
    alone = train(synthetic_root, tmp_path, max_iters=3).model.state_dict()
    for name, value in watched[0].model.state_dict().items():
        assert torch.equal(value, alone[name]), name
    assert watched[0].model.test_cfg == {'predict_on': 'ensemble', 'predict_with': None, 'branch_predictions': True}


def test_labels_only_and_the_visualizer_of_mmseg(synthetic_root, tmp_path):
    hook = dict(interval=1, val_images=1)
    train(synthetic_root, tmp_path, semi=False, hook=hook, visualizer='SegLocalVisualizer', max_iters=1)
    ((name, steps),) = pictures(tmp_path).items()
    assert name.startswith('val_')
    assert steps == [0, 1]


def test_two_runs_in_one_process_log_apart(synthetic_root, tmp_path):
    shipped = Config.fromfile(ROOT / 'configs/_base_/default_runtime.py').visualizer
    for name in ('first', 'second'):
        cfg = experiment(synthetic_root, tmp_path / name, max_iters=1, visualizer=shipped)
        cfg.experiment_name = name  # mmengine's own has the time in seconds, and a run is shorter than that
        Runner.from_cfg(cfg).train()
    assert all(list((tmp_path / name).glob('*/vis_data/scalars.json')) for name in ('first', 'second'))


def test_names_that_are_not_there(synthetic_root, tmp_path):
    with pytest.raises(UserError, match=r'val_images: no image is called nowhere; names are .* such as \d+'):
        train(synthetic_root, tmp_path, hook=dict(interval=1, val_images=['nowhere']), max_iters=1)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(interval=0), 'interval must be 1 or more'),
        (dict(interval=5, val_images=-1), 'val_images must be a number'),
    ],
)
def test_values_out_of_range(changes, message):
    with pytest.raises(ValueError, match=message):
        PredictionVisualizationHook(**changes)


METHODS = {
    'simeps': tiny_model(),
    'uaps': tiny_model(cross_pseudo=dict(type='UncertaintyMixedLoss')),
    'teacher': tiny_model(teacher=dict(type='ExponentialMovingAverage', momentum=0.1)),
    'fixmatch': dict(
        type='FixMatchSegmentor',
        branch=tiny_branch(),
        pseudo=dict(type='ConfidentPseudoLoss', threshold=0.3),
        cut_mix=dict(type='CutMix'),
    ),
    'mean_teacher': dict(
        type='MeanTeacherSegmentor',
        branch=tiny_branch(),
        consistency=dict(type='SoftmaxMSELoss'),
        teacher=dict(type='ExponentialMovingAverage', momentum=0.1),
    ),
}


@pytest.mark.parametrize('method', METHODS)
def test_every_method_is_left_as_it_was(method):
    model = MODELS.build(METHODS[method]).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    (sample,) = make_samples(1, labeled=False)
    sample.set_metainfo(dict(ori_shape=(20, 24)))
    data = dict(inputs=torch.randint(0, 255, (3, 16, 16), dtype=torch.uint8), data_samples=sample)
    random_state = torch.get_rng_state()
    result = predict(model, data, with_pseudo_labels=True)
    assert result.pred_sem_seg.data.shape == (1, 20, 24)
    maps = result.pseudo_sem_seg.data
    assert maps.shape[1:] == (20, 24)
    assert len(maps) == len(model.branches)
    assert set(maps.unique().tolist()) <= {0, 1, 2, 3, 255}
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert modes == [module.training for module in model.modules()]
    assert torch.equal(torch.get_rng_state(), random_state)
    assert 'pred_sem_seg' not in data['data_samples']


def test_unchanged_after_an_error():
    model = MODELS.build(tiny_model()).train()

    def look():
        with unchanged(model):
            model.eval()
            raise RuntimeError('inside')

    with pytest.raises(RuntimeError, match='inside'):
        look()
    assert model.training


def test_padding_is_cut_off():
    sample = SegDataSample(metainfo=dict(ori_shape=(2, 4), padding_size=[0, 1, 0, 1]))
    sample.gt_sem_seg = PixelData(data=torch.zeros(1, 2, 4))
    labels = torch.tensor([[1, 2, 255], [255, 255, 255]])
    assert to_original(labels, sample).tolist() == [[1, 1, 2, 2], [1, 1, 2, 2]]


def test_pseudo_labels_of_an_image_that_was_padded():
    """What the preprocessor adds when it tests is cut off, not squeezed into the picture."""
    branch = tiny_branch()
    branch.data_preprocessor.test_cfg = dict(size_divisor=16)
    model = MODELS.build(tiny_model(branch=branch)).eval()
    size = (20, 28)
    sample = SegDataSample(metainfo=dict(img_shape=size, ori_shape=size))
    data = dict(inputs=torch.randint(0, 256, (3, *size), dtype=torch.uint8), data_samples=sample)
    found = predict(model, data, with_pseudo_labels=True)
    ready = model.data_preprocessor(dict(inputs=[data['inputs']], data_samples=[data['data_samples'].clone()]), False)
    assert ready['inputs'].shape[2:] == (32, 32)
    labels = torch.cat(model.pseudo_labels_for(ready['inputs'], ready['data_samples']))
    assert torch.equal(found.pseudo_sem_seg.data, labels[:, :20, :28])
    assert (labels[:, 20:] == 255).all()
    assert (labels[:, :20, :28] != 255).all()
