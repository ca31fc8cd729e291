"""Decoded images that are kept: samples stay what they are, and each file is decoded once."""

import copy
import gc
import os
import pickle
import random
import shutil

import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmseg.registry import DATASETS
from torch.utils.data import DataLoader

from simeps_mmseg.datasets import image_cache
from simeps_mmseg.datasets.image_cache import ArrayStore, keep_decoded
from simeps_mmseg.utils import UserError
from tests.helpers import save

LARGE = 2**24
COUNT = 6
PIPELINE = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs'),
]


@pytest.fixture
def place(tmp_path, monkeypatch):
    """The only folder for caches."""
    (tmp_path / 'place').mkdir()
    monkeypatch.setattr(image_cache, 'IN_MEMORY', tmp_path / 'place')
    return tmp_path / 'place'


@pytest.fixture
def data(tmp_path):
    generator = np.random.default_rng(0)
    for index in range(COUNT):
        save(tmp_path / f'data/images/{index}.png', generator.integers(0, 256, (8, 9, 3), dtype=np.uint8))
        save(tmp_path / f'data/masks/{index}.png', generator.integers(0, 4, (8, 9), dtype=np.uint8))
        save(tmp_path / f'data/pool/{index}.png', generator.integers(0, 2**16, (7, 5), dtype=np.uint16))
    return tmp_path / 'data'


def build(data, cache_bytes=0, **changes):
    labeled = dict(
        type='BaseSegDataset',
        data_root=str(data),
        img_suffix='.png',
        data_prefix=dict(img_path='images', seg_map_path='masks'),
        metainfo=dict(classes=('none', 'a', 'b', 'c')),
        pipeline=PIPELINE,
        **changes,
    )
    pool = str(data / 'pool')
    return DATASETS.build(
        dict(type='LabeledUnlabeledDataset', labeled=labeled, unlabeled=pool, cache_bytes=cache_bytes)
    )


def samples(dataset, workers=0):
    """All samples, with the same flips each time."""
    np.random.seed(1)
    random.seed(1)
    torch.manual_seed(1)
    loader = DataLoader(dataset, 4, num_workers=workers, collate_fn=pseudo_collate, multiprocessing_context=None)
    return [
        (image, sample.get('gt_sem_seg') and sample.gt_sem_seg.data, sample.img_path, sample.ori_shape)
        for batch in loader
        for image, sample in zip(batch['inputs'], batch['data_samples'])
    ]


def assert_equal(found, expected):
    assert len(found) == len(expected) == 2 * COUNT
    for own, other in zip(found, expected):
        assert own[2:] == other[2:]
        assert torch.equal(own[0], other[0])
        assert (own[1] is None) == (other[1] is None)
        assert own[1] is None or torch.equal(own[1], other[1])


@pytest.mark.parametrize('changes', [{}, dict(reduce_zero_label=True)])
def test_samples_are_the_same_and_come_without_files_the_second_time(data, place, changes):
    expected = samples(build(data, **changes))
    dataset = build(data, LARGE, **changes)
    assert_equal(samples(dataset), expected)
    shutil.rmtree(data)
    assert_equal(samples(dataset), expected)


def test_processes_share_what_they_decoded(data, place):
    expected = samples(build(data), workers=2)
    dataset = build(data, LARGE)
    assert_equal(samples(dataset, workers=2), expected)
    shutil.rmtree(data)
    assert_equal(samples(dataset, workers=2), expected)
    samples(dataset)  # nor does this process need the files
    assert_equal(samples(pickle.loads(pickle.dumps(dataset)), workers=2), expected)  # as spawned processes get it
    assert_equal(samples(copy.deepcopy(dataset), workers=2), expected)


def test_a_sample_may_be_changed(data, place):
    dataset = build(data, LARGE)
    step = dataset.datasets[0].pipeline.transforms[0]
    info = dataset.datasets[0].get_data_info(0)
    first = step(dict(info))['img']
    expected = first.copy()
    step(dict(info))['img'][:] = 0
    first[:] = 1
    assert (step(dict(info))['img'] == expected).all()


def test_no_random_number_is_drawn(data, place):
    dataset = build(data, LARGE)
    step = dataset.datasets[0].pipeline.transforms[0]
    states = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    for _ in range(2):
        step(dataset.datasets[0].get_data_info(0))
    assert (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()) == states


def test_beyond_its_limit_nothing_is_kept(tmp_path):
    (tmp_path / 'store').mkdir()
    limit = 2**18
    store, arrays = ArrayStore(tmp_path / 'store', limit), [np.full((64, 64), i, np.uint8) for i in range(200)]
    for index, array in enumerate(arrays):
        store.put(str(index), array)
    kept = [index for index in range(200) if store.get(str(index)) is not None]
    assert 10 < len(kept) < limit // 4096
    assert all((store.get(str(index)) == arrays[index]).all() for index in kept)
    assert (tmp_path / 'store/data.mdb').stat().st_size <= limit


@pytest.mark.parametrize(
    'array', [np.zeros((3, 4, 3), np.float32), np.arange(6, dtype=np.int64).reshape(2, 3), np.uint16([7])]
)
def test_arrays_of_any_type(tmp_path, array):
    store = ArrayStore(tmp_path, LARGE)
    store.put('ä\udcff', array)
    found = store.get('ä\udcff')
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found, array)
    assert found.flags.writeable
    assert store.get('other') is None


class TestOff:
    def test_without_the_switch(self, data, place):
        build(data)
        assert not list(place.iterdir())

    def test_where_the_images_are_too_many(self, data, place, monkeypatch):
        said = []
        monkeypatch.setattr(image_cache, 'print_log', lambda text, *_: said.append(text))
        assert (
            keep_decoded(build(data), 12 * 4096) is None
        )  # 6 images, 6 masks and 6 images of the pool take a page each
        assert 'decoded images take some 0 MiB, more than 0 MiB: they are not kept' in said[0]
        assert not list(place.iterdir())
        assert keep_decoded(build(data), LARGE) is not None

    def test_where_there_is_no_room(self, data, place, monkeypatch):
        said = []
        monkeypatch.setattr(image_cache, 'print_log', lambda text, *_: said.append(text))
        assert keep_decoded(build(data), 2**60) is None
        assert 'no folder for temporary files has 1,099,511,627,776 MiB left' in said[0]

    @pytest.mark.parametrize('limit', [-1, True, '4 GiB', 0.5])
    def test_for_what_is_no_number_of_bytes(self, data, limit):
        with pytest.raises(UserError, match=r'dataset\.cache_bytes must be a number of bytes, such as 4 \* 2\*\*30'):
            build(data, limit)

    def test_for_transforms_of_the_users_own(self, data, place):
        dataset = build(data)
        for leaf in dataset.datasets:
            leaf.pipeline.transforms[0].__class__ = type('Own', (type(leaf.pipeline.transforms[0]),), {})
        keep_decoded(dataset, LARGE)
        assert [len(vars(leaf.pipeline.transforms[0]).keys() & {'transform'}) for leaf in dataset.datasets] == [0, 0]


class TestFolder:
    def test_goes_with_the_data_set(self, data, place):
        dataset = build(data, LARGE)
        samples(dataset)
        assert len(list(place.glob('simeps_images_*/data.mdb'))) == 1
        del dataset
        gc.collect()
        assert not list(place.iterdir())

    def test_of_a_killed_training_goes_with_the_next(self, data, place):
        (place / 'simeps_images_abandoned').mkdir()
        (place / 'simeps_images_abandoned/owner').touch()
        first = build(data, LARGE)
        second = build(data, LARGE)
        assert len(list(place.iterdir())) == 2  # the one that was abandoned is gone, the first is in use
        assert_equal(samples(first), samples(second))
        assert not (place / 'simeps_images_abandoned').exists()

    def test_is_of_one_user(self, data, place):
        dataset = build(data, LARGE)
        (folder,) = place.iterdir()
        assert os.stat(folder).st_mode & 0o077 == 0
        del dataset
