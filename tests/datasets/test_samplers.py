import itertools

import pytest
from mmengine.dataset import ConcatDataset
from mmseg.datasets import BaseSegDataset

from simeps_mmseg.datasets import LabeledUnlabeledSampler, samplers


class Images(BaseSegDataset):
    """A data set of which only the length matters."""

    METAINFO = dict(classes=('background', 'defect'))

    def __init__(self, size):
        self.size = size
        super().__init__(serialize_data=False)

    def load_data_list(self):
        return [dict(img_path=str(i)) for i in range(self.size)]


def concat(labeled, unlabeled):
    return ConcatDataset([Images(labeled), Images(unlabeled)])


def batches(sampler, count):
    drawn = itertools.islice(iter(sampler), count * sampler.batch_size)
    return [list(itertools.islice(drawn, sampler.batch_size)) for _ in range(count)]


@pytest.fixture
def as_rank(monkeypatch):
    """Build a sampler as process ``rank`` of ``world_size``."""

    def build(rank, world_size, *args, **kwargs):
        monkeypatch.setattr(samplers, 'get_dist_info', lambda: (rank, world_size))
        return LabeledUnlabeledSampler(*args, **kwargs)

    return build


@pytest.mark.parametrize(('labeled', 'unlabeled'), [(5, 40), (40, 5), (2, 30), (3, 3)])
@pytest.mark.parametrize(('n', 'm'), [(1, 1), (4, 3), (2, 6)])
def test_every_batch_has_exact_counts_and_order(labeled, unlabeled, n, m):
    sampler = LabeledUnlabeledSampler(concat(labeled, unlabeled), n, m, seed=0)
    for batch in batches(sampler, 30):
        assert [index < labeled for index in batch] == [True] * n + [False] * m
        assert max(batch) < labeled + unlabeled


def test_each_source_is_gone_through_in_rounds():
    sampler = LabeledUnlabeledSampler(concat(6, 10), 2, 5, seed=3)
    drawn = batches(sampler, 6)
    labeled = [i for batch in drawn for i in batch if i < 6]
    unlabeled = [i for batch in drawn for i in batch if i >= 6]
    for source, size in ((labeled, 6), (unlabeled, 10)):
        rounds = [source[i : i + size] for i in range(0, len(source) - size + 1, size)]
        assert all(len(set(one)) == size for one in rounds)
        assert len({tuple(one) for one in rounds}) == len(rounds)


def test_sources_of_one_size_are_shuffled_apart():
    sampler = LabeledUnlabeledSampler(concat(20, 20), 20, 20, seed=0)
    batch = batches(sampler, 1)[0]
    assert batch[:20] != [index - 20 for index in batch[20:]]


def test_the_seed_decides():
    def first(seed):
        return batches(LabeledUnlabeledSampler(concat(10, 30), 3, 5, seed=seed), 8)

    assert first(0) == first(0)
    assert first(0) != first(1)


@pytest.mark.parametrize('skipped', [0, 1, 4, 7, 70, 701])
def test_skip_continues_the_stream(skipped):
    stream = list(itertools.islice(iter(LabeledUnlabeledSampler(concat(5, 12), 3, 4, seed=2)), skipped + 40))
    resumed = LabeledUnlabeledSampler(concat(5, 12), 3, 4, seed=2)
    resumed.skip(skipped)
    assert list(itertools.islice(iter(resumed), 40)) == stream[skipped:]


def test_skip_reaches_positions_that_are_too_far_to_be_drawn_to():
    sampler = LabeledUnlabeledSampler(concat(5, 12), 3, 4, seed=2)
    period = 60  # batches after which both sources begin a round: 180 draws from 5 images, 240 from 12
    sampler.skip(7 * period * 10**12)
    drawn = batches(sampler, period)
    labeled = [i for batch in drawn for i in batch[:3]]
    unlabeled = [i for batch in drawn for i in batch[3:]]
    for source, images in ((labeled, range(5)), (unlabeled, range(5, 17))):
        size = len(images)
        assert all(sorted(source[i : i + size]) == list(images) for i in range(0, len(source), size))


@pytest.mark.parametrize('world_size', [2, 4])
def test_ranks_take_disjoint_parts_of_each_round(as_rank, world_size):
    data = concat(6 * world_size, 12 * world_size)
    ranks = [batches(as_rank(rank, world_size, data, 3, 6, seed=5), 2) for rank in range(world_size)]
    drawn = [index for rank in ranks for batch in rank for index in batch]
    assert sorted(drawn) == list(range(18 * world_size))


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        (dict(num_labeled=0, num_unlabeled=2), 'num_labeled must be an integer of 1 or more, got 0'),
        (dict(num_labeled=2, num_unlabeled=-1), 'num_unlabeled must be an integer of 1 or more, got -1'),
        (dict(num_labeled=2.5, num_unlabeled=1), 'num_labeled must be an integer of 1 or more, got 2.5'),
    ],
)
def test_shares_are_checked(kwargs, message):
    with pytest.raises(ValueError, match=message):
        LabeledUnlabeledSampler(concat(4, 4), **kwargs)


@pytest.mark.parametrize(('sizes', 'name'), [((0, 4), 'labeled'), ((4, 0), 'unlabeled')])
def test_empty_sources_are_refused(sizes, name):
    class Sources(ConcatDataset):
        def __init__(self):
            self.datasets = [range(size) for size in sizes]

    with pytest.raises(ValueError, match=f'the {name} dataset is empty'):
        LabeledUnlabeledSampler(Sources(), 1, 1)


@pytest.mark.parametrize('dataset', [Images(4), ConcatDataset([Images(4)]), ConcatDataset([Images(2)] * 3)])
def test_needs_two_sources(dataset):
    with pytest.raises(ValueError, match=r'datasets=\[labeled, unlabeled\]'):
        LabeledUnlabeledSampler(dataset, 1, 1)


def test_negative_skip_is_refused():
    with pytest.raises(ValueError, match='must not be negative, got -1'):
        LabeledUnlabeledSampler(concat(4, 4), 1, 1, seed=0).skip(-1)
