"""The data set of labelled and unlabelled images: what it derives, what it refuses, what it never opens."""

import random

import numpy as np
import pytest
from mmseg.registry import DATASETS, TRANSFORMS

from simeps_mmseg.datasets import LabeledUnlabeledDataset, SyntheticDefectDataset
from simeps_mmseg.datasets.labeled_unlabeled import parts_of
from simeps_mmseg.engine.checks.sources import source_problems
from simeps_mmseg.utils import UserError
from tests.helpers import experiment, save

LOAD, MASKS, PACK = (dict(type=kind) for kind in ('LoadImageFromFile', 'LoadAnnotations', 'PackSegInputs'))


@pytest.fixture
def labeled(synthetic_root, tmp_path) -> dict:
    """The labelled data set of a supervised config."""
    return experiment(synthetic_root, tmp_path, semi=False).train_dataloader.dataset.to_dict()


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for name in ('a.png', 'deep/b.jpg'):
        save(tmp_path / 'pool' / name, rng.integers(0, 255, (64, 64, 3), dtype=np.uint8))
    return tmp_path / 'pool'


def build(labeled, unlabeled=None, **options) -> LabeledUnlabeledDataset:
    return DATASETS.build(dict(type='LabeledUnlabeledDataset', labeled=labeled, unlabeled=unlabeled, **options))


def derived(labeled, unlabeled=None, **options) -> tuple[dict, dict]:
    return parts_of(dict(type='LabeledUnlabeledDataset', labeled=labeled, unlabeled=unlabeled, **options))


@pytest.mark.parametrize(('slip', 'meant'), [('exclud', '; did you mean exclude?'), ('colour', '')])
def test_an_option_that_is_none(labeled, folder, slip, meant):
    with pytest.raises(UserError) as refused:
        derived(labeled, str(folder), **{slip: []})
    assert str(refused.value) == f'train_dataloader.dataset: LabeledUnlabeledDataset has no option {slip}{meant}'


def test_a_folder(labeled, folder):
    dataset = build(labeled, str(folder))
    first, second = dataset.datasets
    assert (len(first), len(second), len(dataset)) == (8, 2, 10)
    assert dataset.metainfo == first.metainfo
    assert 'gt_sem_seg' in dataset[0]['data_samples']
    for index in (8, 9):
        assert dataset[index]['inputs'].shape == (3, 64, 64)
        assert 'gt_sem_seg' not in dataset[index]['data_samples']
    kinds = [type(step).__name__ for step in second.pipeline.transforms]
    assert kinds == ['LoadImageAsUint8', 'PackSegInputs']


def test_a_folder_without_the_labelled_and_excluded_images_and_their_masks(labeled, synthetic_root):
    root = synthetic_root / 'synthetic'
    validation = dict(labeled, ann_file='splits/seed0/val.txt')
    everything, without = (build(labeled, str(root), exclude=sets) for sets in ((), [validation]))
    used = {info['img_path'] for info in map(DATASETS.build(validation).get_data_info, range(6))}
    names = [
        {part.get_data_info(i)['img_path'] for i in range(len(part))}
        for _, part in (everything.datasets, without.datasets)
    ]
    assert names[0] - names[1] == used
    assert not any('annotations' in name for name in names[0])
    labels = {everything.datasets[0].get_data_info(i)['img_path'] for i in range(8)}
    assert not labels & names[0]


def test_two_lists_of_one_data_set(labeled):
    first, second = derived(labeled, split='splits/seed0/25pct')
    assert first == dict(labeled, ann_file='splits/seed0/25pct_labeled.txt')
    assert second == dict(
        labeled,
        ann_file='splits/seed0/25pct_unlabeled.txt',
        data_prefix=dict(img_path='images'),
        pipeline=[LOAD, PACK],  # files of one data set have one depth
    )
    dataset = build(labeled, split='splits/seed0/25pct')
    assert all('seg_map_path' not in dataset.datasets[1].get_data_info(i) for i in range(len(dataset.datasets[1])))


def test_where_masks_lie_is_not_told_to_a_source_whose_class_knows(labeled, monkeypatch):
    class KnowsItsFolders(SyntheticDefectDataset):
        def __init__(self, data_prefix=labeled['data_prefix'], **kwargs):
            super().__init__(data_prefix=data_prefix, **kwargs)

    monkeypatch.setitem(DATASETS.module_dict, 'KnowsItsFolders', KnowsItsFolders)
    source = dict(type='KnowsItsFolders', data_root=labeled['data_root'], ann_file='splits/seed0/val.txt')
    dataset = build(labeled, source)
    assert 'seg_map_path' in dataset.datasets[0].get_data_info(0)
    assert 'seg_map_path' not in dataset.datasets[1].get_data_info(0)
    assert not list(source_problems(dataset))


def test_a_loader_of_masks_by_another_name_is_refused(labeled, folder, monkeypatch):
    class LoadMyMasks:
        def __call__(self, results):
            results['gt_seg_map'] = np.zeros((64, 64), dtype=np.uint8)
            results['seg_fields'] = ['gt_seg_map']
            return results

    monkeypatch.setitem(TRANSFORMS.module_dict, 'LoadMyMasks', LoadMyMasks)
    labeled['pipeline'].insert(1, dict(type='LoadMyMasks'))
    problems = list(source_problems(build(labeled, str(folder))))
    assert len(problems) == 1
    assert (
        'LoadMyMasks in the pipeline gives the image a mask, so it would be trained on as a labelled one' in problems[0]
    )


@pytest.mark.parametrize(
    ('images', 'masks', 'suffixes'),
    [('images', 'masks', ('.jpg', '.png')), ('img_dir', 'ann_dir', ('.bmp', '.tif')), ('', '', ('.jpg', '.png'))],
)
def test_a_labelled_part_in_a_folder_of_its_own(images, masks, suffixes, labeled, folder, tmp_path):
    """Layout and suffixes are found; what is not in it is not labelled."""
    for name in ('a', 'b', 'c'):
        save(tmp_path / 'own' / images / f'{name}{suffixes[0]}', np.zeros((32, 32, 3), np.uint8))
        save(tmp_path / 'own' / masks / f'{name}{suffixes[1]}', np.eye(32, dtype=np.uint8))
    part, unlabeled = build(labeled, str(folder), labeled_part=str(tmp_path / 'own')).datasets
    assert (len(part), len(unlabeled)) == (3, 2)
    assert part[0]['data_samples'].gt_sem_seg.data[0].tolist() == np.eye(32).tolist()


def test_a_labelled_part_by_a_list_leaves_the_rest_to_the_unlabelled(labeled, synthetic_root, tmp_path):
    root = synthetic_root / 'synthetic'
    names = (root / labeled['ann_file']).read_text().split()
    (tmp_path / 'own.txt').write_text('\n'.join(names[:3]))
    both = dict(type='RepeatDataset', times=2, dataset=dict(type='ConcatDataset', datasets=[labeled, labeled]))
    for config, parts in ((labeled, str(tmp_path / 'own.txt')), (both, [str(tmp_path / 'own.txt')] * 2)):
        part, unlabeled = build(config, str(root / 'images'), labeled_part=parts).datasets
        assert len(part) == 3 * (2 if config is both else 1)
        assert len(unlabeled) == len(build(config, str(root / 'images')).datasets[1]) + len(names) - 3


def test_several_sources(labeled, folder):
    more = dict(ann_file='splits/seed0/25pct_unlabeled.txt')
    own = dict(type='UnlabeledFolderDataset', data_root=str(folder), suffixes=['.png'], pipeline=[LOAD, PACK])
    dataset = build(labeled, [str(folder), more, own])
    sizes = [len(part) for part in dataset.datasets[1].datasets]
    assert sizes == [2, 26, 1]
    assert dataset.metainfo['classes'] == dataset.datasets[0].metainfo['classes']
    assert [len(part.pipeline.transforms) for part in dataset.datasets[1].datasets] == [2, 2, 2]


@pytest.mark.parametrize('wrapper', ['RepeatDataset', 'ConcatDataset'])
def test_wrapped_labelled_sets(wrapper, labeled, folder):
    inner = dict(type=wrapper, dataset=labeled, times=3) if wrapper == 'RepeatDataset' else None
    config = inner or dict(type=wrapper, datasets=[labeled, labeled])
    dataset = build(config, str(folder))
    assert len(dataset.datasets[0]) == (8 if wrapper == 'RepeatDataset' else 16)
    assert len(dataset.datasets[1]) == 2


def test_meta_information_that_only_the_labelled_images_have(labeled, folder):
    labeled = dict(labeled, metainfo=dict(camera='line 3'))
    assert build(labeled, str(folder)).metainfo['camera'] == 'line 3'


def test_the_first_crop_is_kept(labeled, folder):
    labeled['pipeline'] = [LOAD, MASKS, dict(type='RandomCrop', crop_size=(16, 16), cat_max_ratio=0.75), PACK]
    dataset = build(labeled, str(folder))
    assert dataset[8]['inputs'].shape == (3, 16, 16)
    assert derived(labeled, str(folder))[1]['pipeline'][1]['cat_max_ratio'] == 1.0


@TRANSFORMS.register_module()
class NeedsMaskOfItsOwn:
    """Asks for a mask, which its name does not tell; draws from numpy's global generator before."""

    def __call__(self, results):
        np.random.rand()
        random.random()
        results['gt_seg_map']
        return results


def test_steps_that_ask_for_a_mask_are_left_out_and_draw_nothing(labeled, folder, monkeypatch):
    lines = []
    monkeypatch.setattr('simeps_mmseg.datasets.labeled_unlabeled.print_log', lambda text, *args: lines.append(text))
    labeled['pipeline'] = [LOAD, MASKS, dict(type='NeedsMaskOfItsOwn'), PACK]
    random.seed(0)
    np.random.seed(0)
    expected = np.random.RandomState(0).rand(), random.Random(0).random()
    dataset = build(labeled, str(folder))
    assert (np.random.rand(), random.random()) == expected
    assert lines == ['NeedsMaskOfItsOwn ask for a mask and are left out of the unlabelled pipeline']
    assert 'gt_sem_seg' not in dataset[9]['data_samples']


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(), r'give either unlabeled, .* or split, .*; got neither'),
        (dict(unlabeled='pool', split='a'), 'got both'),
        (dict(unlabeled=3), 'must be a folder, the config of a source, or a list of these, got 3'),
        (dict(unlabeled=[]), 'is an empty list'),
        (dict(split='a', labeled_part='b'), 'split and labeled_part both say what is labelled'),
        (dict(unlabeled='pool', labeled_part=['a', 'b']), r'labeled_part: .* concatenates 1 labelled data set\(s\)'),
        (
            dict(unlabeled='pool', labeled_part='nowhere'),
            r'train_dataloader\.dataset\.labeled_part nowhere is neither a list of names nor a folder',
        ),
        (dict(unlabeled='nowhere'), r'nowhere \(data_root of UnlabeledFolderDataset\) is not a folder'),
        (dict(unlabeled=dict(pipeline=[LOAD, MASKS])), 'its pipeline has LoadAnnotations, so masks would be opened'),
        (dict(unlabeled=dict(type='ConcatDataset', datasets=[])), 'unlabeled is a ConcatDataset; give the data sets'),
    ],
)
def test_what_is_refused(options, message, labeled):
    with pytest.raises(UserError, match=message):
        build(labeled, **options)


def test_labelled_sets_that_are_refused(labeled, folder):
    blind = dict(labeled, pipeline=[LOAD, PACK])
    with pytest.raises(UserError, match='the pipeline has no LoadAnnotations, so nothing is labelled'):
        build(blind, str(folder))
    with pytest.raises(UserError, match='ClassBalancedDataset has a pipeline of its own and wraps another data set'):
        build(dict(type='ClassBalancedDataset', dataset=labeled, pipeline=[PACK]), str(folder))
    both = dict(type='ConcatDataset', datasets=[labeled, labeled])
    with pytest.raises(UserError, match=r'split names two lists of one data set, and .* is a ConcatDataset'):
        build(both, split='a')
    with pytest.raises(UserError, match='has no type, and the labelled images are of several data sets'):
        build(both, dict(ann_file='more.txt'))
    with pytest.raises(UserError, match='labeled must be the config of a data set'):
        build('data/labeled', str(folder))
