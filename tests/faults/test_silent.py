"""What went wrong in silence: ranges of pixels, names of results, classes that are left out."""

import os
import re
import shutil
import sys

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from mmseg.apis import MMSegInferencer
from mmseg.registry import DATASETS, MODELS

from simeps_mmseg.apis.test import check_names_differ
from simeps_mmseg.apis.test import test as score
from simeps_mmseg.apis.train import train
from simeps_mmseg.datasets.sources import find_sources
from simeps_mmseg.datasets.unreadable import guarded
from simeps_mmseg.deploy.checkpoint import _by_branch
from simeps_mmseg.deploy.stock_config import branch_model, stock_config
from simeps_mmseg.engine.checks.colors import color_problems
from simeps_mmseg.engine.checks.views import view_problems
from simeps_mmseg.inference.evaluation_images import EvaluationImages
from simeps_mmseg.inference.preparation import Preparation
from simeps_mmseg.models.views.views import check_range
from simeps_mmseg.utils import UserError
from simeps_mmseg.utils.memory import memory_limit
from tests.faults.small_set import config, image, make
from tests.helpers import experiment, save, tiny_branch


@pytest.mark.parametrize(
    ('loaded', 'says'),
    [
        (torch.rand(2, 3, 4, 4) * 65535, 'take images with values from 0 to 255, and these reach'),
        (torch.rand(2, 3, 4, 4), 'set data_preprocessor.mean and std for 0 to 255'),
        (torch.randint(0, 256, (2, 4, 4, 4)).float(), 'take images with 3 bands, got 4'),
        (torch.linspace(-1000, 200, 48).view(1, 3, 4, 4), 'these begin at -1000 before'),
        (torch.linspace(-128, 127, 48).view(1, 3, 4, 4), 'these begin at -128 before'),
    ],
)
def test_views_refuse_what_they_would_blank(loaded, says):
    with pytest.raises(UserError, match=says):
        check_range((loaded - 120) / 60, 60.0, 120.0)


def view_problems_of(root, labelled, unlabelled):
    """Problems of an experiment with views of two images, of each source, that are read as they are."""
    cfg = config(make(root))
    for part, images in (('labelled', labelled), ('unlabelled', unlabelled)):
        for index, pixels in enumerate(images):
            cv2.imwrite(str(root / f'{part}/images/{index}.png'), pixels)
    dataset = cfg.train_dataloader.dataset
    dataset.labeled.pipeline[0] = dict(type='LoadImageFromFile', color_type='unchanged')
    cfg.model.view = dict(type='RandomView', transforms=[dict(type='GaussianBlur', kernel_size=3)])
    # MMSegmentation normalises one band or three.
    cfg.model.branch.data_preprocessor.update(mean=None, std=None, bgr_to_rgb=False)
    return list(view_problems(DATASETS.build(dataset), MODELS.build(cfg.model)))


def noise(high, dtype=np.uint8, bands=3):
    return np.random.default_rng(0).integers(0, high, (16, 16, bands), dtype=dtype, endpoint=True)


DEEP, EIGHT_BITS, DARK = noise(65535, np.uint16), noise(255), noise(200, np.uint16)


@pytest.mark.parametrize(
    ('labelled', 'unlabelled', 'says'),
    [
        ([DEEP] * 3, [DEEP] * 3, 'values from 0 to 255, and these reach'),
        ([noise(255, bands=4)] * 3, [noise(255, bands=4)] * 3, '3 bands, got 4'),
        ([EIGHT_BITS] * 3, [DARK, DEEP, DEEP], 'values from 0 to 255, and these reach'),
        ([EIGHT_BITS, EIGHT_BITS, DEEP], [EIGHT_BITS] * 3, 'values from 0 to 255, and these reach'),
        ([noise(4)] * 3, [noise(4)] * 3, 'and the 6 that were looked at reach 4 before'),
        ([noise(1)] * 3, [noise(1)] * 3, 'and the 6 that were looked at reach 1 before'),
    ],
    ids=['16 bits', 'four bands', 'dark first image', 'labelled image', '0 to 4', '0 and 1'],
)
def test_what_views_refuse_is_said_before_the_first_step(tmp_path, labelled, unlabelled, says):
    problems = view_problems_of(tmp_path, labelled, unlabelled)
    assert len(problems) == 1
    assert problems[0].startswith('model.view: ')
    assert says in problems[0]


DISTORTION, CLAHE, PACK = (dict(type=kind) for kind in ('PhotoMetricDistortion', 'CLAHE', 'PackSegInputs'))
LOADED = [dict(type='LoadImageFromFile', color_type='unchanged'), dict(type='LoadAnnotations')]
FOUR_BANDS = noise(255, bands=4)


def with_colors(*steps):
    """A labelled pipeline that reads images as they are, with some steps behind that."""
    return [*LOADED, *steps, PACK]


def color_set(root, image, pipeline):
    """Config of an experiment on copies of one image, and of its labelled data set."""
    cfg = config(make(root))
    for part in ('labelled', 'unlabelled'):
        for index in range(3):
            cv2.imwrite(str(root / f'{part}/images/{index}.png'), image)
    joint = cfg.train_dataloader.dataset
    joint.labeled.pipeline = pipeline
    return joint, joint.labeled


def color_problems_of(dataset):
    """Keys below that of the training set, and what is said of them."""
    problems = color_problems(DATASETS.build(dataset))
    found = [problem.removeprefix('train_dataloader.dataset').partition(': ') for problem in problems]
    return [key for key, _, _ in found], [says for _, _, says in found]


@pytest.mark.parametrize(
    ('image', 'says'),
    [(DEEP, r'values from \d+ to \d+ \(uint16\)'), (FOUR_BANDS, 'these have 4;')],
    ids=['16 bits', 'four bands'],
)
def test_colour_transforms_refuse_what_they_would_blank(tmp_path, image, says):
    joint, _ = color_set(tmp_path, image, with_colors(dict(type='RandomApply', transforms=[DISTORTION])))
    keys, problems = color_problems_of(joint)
    assert keys == ['.labeled.pipeline[2]', '.labeled.pipeline, for unlabelled images']
    for problem in problems:
        assert problem.startswith('PhotoMetricDistortion takes images of 8 bits with 3 bands')
        assert re.search(says, problem)


def test_colour_transforms_take_eight_bits(tmp_path):
    assert color_problems_of(color_set(tmp_path, EIGHT_BITS, with_colors(CLAHE, DISTORTION))[0]) == ([], [])


@pytest.mark.parametrize('steps', [[CLAHE, DISTORTION], [dict(type='RandomApply', transforms=[CLAHE, DISTORTION])]])
def test_each_colour_transform_is_looked_at(steps, tmp_path):
    _, labelled = color_set(tmp_path, FOUR_BANDS, with_colors(*steps))
    keys, [problem] = color_problems_of(labelled)
    assert keys == [f'.pipeline[{1 + len(steps)}]']
    assert problem.startswith('PhotoMetricDistortion takes images of 8 bits with 3 bands, and these have 4')


def test_of_eight_bits_alone_no_bands_are_asked(tmp_path):
    _, [problem] = color_problems_of(color_set(tmp_path, DEEP, with_colors(CLAHE))[1])
    assert problem.startswith('CLAHE takes images of 8 bits, and these have values')


def test_an_image_that_cannot_be_loaded_is_no_matter_of_colours(tmp_path):
    """Other images are looked at all the same."""
    _, labelled = color_set(tmp_path, DEEP, with_colors(CLAHE))
    (tmp_path / 'labelled/images/0.png').write_bytes(b'')
    assert color_problems_of(labelled)[0] == ['.pipeline[2]']
    for index in range(3):
        (tmp_path / f'labelled/images/{index}.png').write_bytes(b'no image')
    assert color_problems_of(labelled)[0] == []


def test_a_pipeline_is_named_where_it_stands_in_the_config(tmp_path):
    joint, labelled = color_set(tmp_path, FOUR_BANDS, with_colors(DISTORTION))
    sound = {**labelled, 'pipeline': with_colors()}
    repeated = dict(type='RepeatDataset', dataset=labelled, times=2)
    assert color_problems_of(repeated)[0] == ['.dataset.pipeline[2]']
    several = dict(type='ConcatDataset', datasets=[labelled, sound, repeated])
    assert color_problems_of(several)[0] == ['.datasets[0].pipeline[2]', '.datasets[2].dataset.pipeline[2]']
    own = dict(type='UnlabeledFolderDataset', data_root=joint.unlabeled, pipeline=[LOADED[0], DISTORTION, PACK])
    for unlabelled, key in ((own, '.unlabeled.pipeline[1]'), ([joint.unlabeled, own], '.unlabeled[1].pipeline[1]')):
        assert color_problems_of(dict(joint, labeled=sound, unlabeled=unlabelled))[0] == [key]
    derived = '.labeled.dataset.pipeline, for unlabelled images'
    guard = guarded(DATASETS.build(dict(joint, labeled=repeated)))
    assert [problem.partition(': ')[0] for problem in color_problems(guard)] == [
        f'train_dataloader.dataset{key}' for key in ('.labeled.dataset.pipeline[2]', derived)
    ]


def test_the_pipeline_of_a_wrapper_is_looked_at(tmp_path):
    joint, labelled = color_set(tmp_path, FOUR_BANDS, LOADED)
    steps = [dict(type='RandomMosaic', prob=1.0, img_scale=(16, 16), pad_val=0), DISTORTION, PACK]
    mixed = dict(type='MultiImageMixDataset', dataset=dict(type='ConcatDataset', datasets=[labelled]), pipeline=steps)
    assert color_problems_of(mixed)[0] == ['.pipeline[1]']
    keys, problems = color_problems_of(dict(joint, labeled=mixed))
    assert keys == ['.labeled.pipeline[1]', '.labeled.pipeline, for unlabelled images']
    assert all('PhotoMetricDistortion takes images of 8 bits with 3 bands, and these have 4' in one for one in problems)


@pytest.mark.parametrize('semi', [False, True])
def test_training_does_not_begin_on_images_that_colour_transforms_would_blank(semi, synthetic_root, tmp_path):
    shutil.copytree(synthetic_root, tmp_path / 'data')
    for file in (tmp_path / 'data/synthetic/images').rglob('*.png'):
        cv2.imwrite(str(file), 257 * cv2.imread(str(file)).astype(np.uint16))
    cfg = experiment(tmp_path / 'data', tmp_path / 'run', semi, max_iters=1, experiment_name=f'blank_{semi}')
    dataset = cfg.train_dataloader.dataset
    pipeline = (dataset.labeled if semi else dataset).pipeline
    pipeline[0].color_type = 'unchanged'
    pipeline.insert(2, dict(type='PhotoMetricDistortion'))
    cfg.dump(tmp_path / 'config.py')
    with pytest.raises(UserError, match=r'pipeline\[2\]: PhotoMetricDistortion takes images of 8 bits'):
        train(str(tmp_path / 'config.py'), work_dir=str(tmp_path / 'run'))


def test_views_take_a_set_with_dark_images(tmp_path):
    assert view_problems_of(tmp_path, [noise(4)] * 3, [noise(1), noise(4), EIGHT_BITS]) == []


@pytest.mark.parametrize('high', [1, 2, 256])
def test_views_take_eight_bits(high):
    check_range((torch.randint(0, high, (2, 3, 4, 4)).float() - 120) / 60, 60.0, 120.0)


def test_results_that_share_a_name_are_refused(tmp_path):
    cfg = config(make(tmp_path))
    check_names_differ(cfg)
    for folder in ('a', 'b'):
        save(tmp_path / f'test/images/{folder}/7.png', image('test', 7))
        save(tmp_path / f'test/masks/{folder}/7.png', image('test', 7))
    with pytest.raises(UserError, match=r'5 images have 4 names \(7 is that of 2\), so some would be lost; predict -o'):
        check_names_differ(cfg)
    with pytest.raises(UserError, match=r'5 images have 4 names \(7\.png is that of 2\)'):
        check_names_differ(cfg, suffix=True)


@pytest.mark.parametrize('numbers', [True, False])
def test_pictures_of_a_test_that_share_a_name_are_refused_where_the_stack_loses_some(numbers, tmp_path, monkeypatch):
    cfg = config(make(tmp_path), work_dir=str(tmp_path / 'run'))
    for folder in ('a', 'b'):
        save(tmp_path / f'test/images/{folder}/7.png', image('test', 7))
        save(tmp_path / f'test/masks/{folder}/7.png', image('test', 7))
    cfg.default_hooks = dict(visualization=dict(type='SegVisualizationHook'))
    cfg.visualizer = dict(type='SegLocalVisualizer', vis_backends=[dict(type='LocalVisBackend')])
    cfg.dump(tmp_path / 'config.py')
    torch.save(dict(state_dict={}), tmp_path / 'weights.pth')
    monkeypatch.setattr(sys.modules[score.__module__], 'NUMBERS_PICTURES', numbers)
    # Without an optimiser the config is refused, as the next thing.
    says = 'the config is not whole' if numbers else r'--show-dir names results by file name, and 5 images have 4 names'
    with pytest.raises(UserError, match=says):
        score(str(tmp_path / 'config.py'), str(tmp_path / 'weights.pth'), show_dir=str(tmp_path / 'shown'))


@pytest.mark.parametrize('option', ['out', 'show_dir'])
def test_results_of_a_test_that_cannot_be_written_are_refused_before_it(option, tmp_path):
    cfg = config(make(tmp_path), work_dir=str(tmp_path / 'run'))
    cfg.default_hooks = dict(visualization=dict(type='SegVisualizationHook'))
    cfg.test_evaluator = dict(type='DefectIoUMetric')
    cfg.dump(tmp_path / 'config.py')
    torch.save(dict(state_dict={}), tmp_path / 'weights.pth')
    (tmp_path / 'taken').touch()
    arguments = (str(tmp_path / 'config.py'), str(tmp_path / 'weights.pth'))
    if option == 'show_dir':
        with pytest.raises(UserError, match='--show-dir: the config has no visualizer'):
            score(*arguments, show_dir=str(tmp_path / 'shown'))
        cfg.visualizer = dict(type='SegLocalVisualizer', vis_backends=[dict(type='LocalVisBackend')])
        cfg.dump(tmp_path / 'config.py')
    with pytest.raises(UserError, match='taken cannot be written'):
        score(*arguments, **{option: str(tmp_path / 'taken')})


def test_a_branch_that_alone_scores_is_not_the_best():
    nan = float('nan')
    scores = {'branch_0.mIoU_fg': nan, 'branch_1.mIoU_fg': 0.0, 'branch_0.mIoU': 99.0, 'branch_1.mIoU': 50.0}
    assert _by_branch(scores) == ('mIoU', [99.0, 50.0])


@pytest.mark.parametrize('classes', [('background', 'pit'), ('pit', 'background', 'scratch')])
def test_an_exported_config_scores_a_part_of_the_classes_as_the_training_did(synthetic_root, tmp_path, classes):
    branch = tiny_branch(num_classes=len(classes))
    for part in (branch.backbone, branch.decode_head):
        part.norm_cfg.type = 'BN'
    cfg = experiment(synthetic_root, tmp_path, semi=False, model=branch, experiment_name=f'subset_{len(classes)}')
    for name in ('train', 'val', 'test'):
        cfg[f'{name}_dataloader'].dataset.metainfo = dict(classes=classes)
    cfg.tta_pipeline = [dict(type='LoadImageFromFile')]
    runner = Runner.from_cfg(cfg)
    expected = runner.test()
    meta = runner.test_dataloader.dataset.metainfo
    stock = stock_config(cfg, branch_model(cfg, 0), meta)
    stock = Config.fromstring(stock.pretty_text, '.py')  # as it is written
    first, second = EvaluationImages(cfg), EvaluationImages(stock)
    assert (first.image(0) == second.image(0)).all()
    assert (first.target(0) == second.target(0)).all()
    rules = find_sources(stock)[0][-1].rules
    assert (rules.labels, rules.image_step['type']) == (find_sources(cfg)[0][-1].rules.labels, 'LoadImageFromFile')
    prepared = [Preparation(one)(str(first.paths[0]))[1]['inputs'] for one in (cfg, stock)]
    assert torch.equal(*prepared)
    (tmp_path / 'stock.py').write_text(stock.pretty_text)
    torch.save(dict(meta=dict(dataset_meta=meta), state_dict=runner.model.state_dict()), tmp_path / 'stock.pth')
    inferencer = MMSegInferencer(str(tmp_path / 'stock.py'), str(tmp_path / 'stock.pth'), device='cpu')
    assert inferencer(str(first.paths[0]))['predictions'].shape == prepared[0].shape[1:]
    scores = {}
    for name in ('exported', 'not_renumbered'):
        stock.update(work_dir=str(tmp_path / name), experiment_name=f'subset_{len(classes)}_{name}')
        other = Runner.from_cfg(stock)
        other.model.load_state_dict(runner.model.state_dict())
        scores[name] = other.test()
        del stock.test_dataloader.dataset.pipeline[1]
    assert scores['exported'] == {key: expected[key] for key in scores['exported']}
    assert stock.test_dataloader.dataset.type == 'BaseSegDataset'
    assert scores['not_renumbered'] != scores['exported']
    assert stock.tta_pipeline[1] == stock.val_dataloader.dataset.pipeline[1]
    assert stock.tta_pipeline[1].type == 'KeyMapper'


def test_the_memory_limit_is_that_of_the_machine_or_less():
    assert 0 < memory_limit() <= os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES')
