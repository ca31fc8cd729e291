from itertools import pairwise

import pytest

from simeps_mmseg.datasets.splits import checksum, make_splits, split_files

NAMES = [f'{i:04d}' for i in range(3630)]


def test_sizes_are_those_of_the_paper_on_neu_seg():
    splits = make_splits(NAMES)
    assert len(splits.val) == 545
    assert len(splits.train) == 3085
    assert [len(splits.labeled[f]) for f in (1.0, 10.0)] == [31, 308]
    assert len(splits.unlabeled[10.0]) == 2777


def test_parts_are_disjoint_and_complete():
    splits = make_splits(NAMES, fractions=(1, 33.3, 100))
    assert set(splits.train) | set(splits.val) == set(NAMES)
    assert not set(splits.train) & set(splits.val)
    for fraction in splits.labeled:
        assert sorted(splits.labeled[fraction] + splits.unlabeled[fraction]) == splits.train


@pytest.mark.parametrize('strata', [None, {name: int(name) % 7 for name in NAMES}])
def test_fractions_are_nested(strata):
    splits = make_splits(NAMES, fractions=(50, 1, 5, 10), strata=strata)
    parts = [set(splits.labeled[f]) for f in (1.0, 5.0, 10.0, 50.0)]
    assert all(small < large for small, large in pairwise(parts))


def test_the_order_of_the_names_does_not_matter_and_the_seed_does():
    assert make_splits(NAMES[::-1], seed=0) == make_splits(NAMES, seed=0)
    assert make_splits(NAMES, seed=1).val != make_splits(NAMES, seed=0).val


def test_is_the_same_on_every_machine():
    splits = make_splits(NAMES, seed=0)
    assert splits.labeled[1.0][:3] == ['0325', '0446', '0610']
    assert checksum(splits.labeled[10.0]) == '6f5516376b69'


def test_stratification_balances_every_part():
    strata = {name: 'rare' if int(name) % 50 == 0 else 'common' for name in NAMES}
    splits = make_splits(NAMES, strata=strata)
    for part in (splits.val, *splits.labeled.values()):
        rare = sum(strata[name] == 'rare' for name in part)
        assert abs(rare - len(part) * 0.02) <= 1


def test_a_labeled_part_is_never_empty():
    splits = make_splits(NAMES[:20], fractions=(1,))
    assert len(splits.labeled[1.0]) == 1


def test_file_names():
    files = split_files(make_splits(NAMES[:40], fractions=(2.5, 10)), seed=3)
    assert set(files) == {
        'seed3/train.txt',
        'seed3/val.txt',
        *(f'seed3/{f}pct_{part}.txt' for f in ('2.5', '10') for part in ('labeled', 'unlabeled')),
    }


@pytest.mark.parametrize(
    ('names', 'kwargs', 'message'),
    [
        (['a', 'a'], {}, 'must differ'),
        (NAMES[:9], dict(val_fraction=1.0), r'val_fraction must be in \[0, 1\)'),
        (NAMES[:9], dict(fractions=(0, 5, 120)), r'percentages in \(0, 100\], got \[0, 120\]'),
    ],
)
def test_errors(names, kwargs, message):
    with pytest.raises(ValueError, match=message):
        make_splits(names, **kwargs)
