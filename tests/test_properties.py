"""What holds for every input, on inputs that hypothesis makes up; few of them, so that the suite stays fast."""

import io
import string
import tempfile
import zipfile
from itertools import pairwise
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmengine.dataset import ConcatDataset

from simeps_mmseg.datasets import samplers
from simeps_mmseg.datasets.checks.inspection import LabelRules, count_classes, count_values
from simeps_mmseg.datasets.lists import decode_lines, encoding_problem, list_problems
from simeps_mmseg.datasets.preparation.source import open_source
from simeps_mmseg.datasets.splits import make_splits, read_split, write_split
from simeps_mmseg.datasets.transforms.loading import to_uint8
from simeps_mmseg.engine.ramp import sigmoid_rampup
from simeps_mmseg.models.losses import similarity_map, soft_dice_loss
from simeps_mmseg.utils import UserError
from simeps_mmseg.utils.literal_config import read_literals
from simeps_mmseg.utils.tables import FORMULA_STARTS, table_text

few = settings(max_examples=25, deadline=None, derandomize=True, database=None)
names = st.text(string.ascii_letters + string.digits + '/_- äß', min_size=1, max_size=8).filter(
    lambda n: n == n.strip()
)


class TestSampler:
    @staticmethod
    def sampler(sizes, shares, seed, rank=0, world_size=1):
        dataset = ConcatDataset.__new__(ConcatDataset)
        dataset.datasets = [range(size) for size in sizes]
        with patch.object(samplers, 'get_dist_info', lambda: (rank, world_size)):
            return samplers.LabeledUnlabeledSampler(dataset, *shares, seed=seed)

    sizes = st.tuples(st.integers(1, 30), st.integers(1, 30))
    shares = st.tuples(st.integers(1, 5), st.integers(1, 5))

    ranks = st.integers(1, 4).flatmap(lambda world: st.tuples(st.integers(0, world - 1), st.just(world)))

    @few
    @given(sizes, shares, st.integers(0, 2**31), st.integers(0, 200), ranks)
    def test_a_skip_is_as_if_drawn(self, sizes, shares, seed, skipped, ranks):
        drawn = iter(self.sampler(sizes, shares, seed, *ranks))
        for _ in range(skipped):
            next(drawn)
        sampler = self.sampler(sizes, shares, seed, *ranks)
        sampler.skip(skipped)
        jumped = iter(sampler)
        assert [int(next(jumped)) for _ in range(20)] == [int(next(drawn)) for _ in range(20)]

    @few
    @given(sizes, shares, st.integers(0, 2**31))
    def test_each_batch_has_its_shares(self, sizes, shares, seed):
        indices = iter(self.sampler(sizes, shares, seed))
        for _ in range(5):
            batch = [int(next(indices)) for _ in range(sum(shares))]
            assert all(0 <= index < sizes[0] for index in batch[: shares[0]])
            assert all(sizes[0] <= index < sum(sizes) for index in batch[shares[0] :])

    @few
    @given(sizes, shares, st.integers(0, 2**31), st.integers(1, 4))
    def test_all_processes_together_draw_each_round_once(self, sizes, shares, seed, world_size):
        draws = []
        streams = [iter(self.sampler(sizes, shares, seed, rank, world_size)) for rank in range(world_size)]
        while len(draws) < 2 * sizes[0]:
            batches = [[int(next(stream)) for _ in range(sum(shares))] for stream in streams]
            for place in range(shares[0]):
                draws += [batch[place] for batch in batches]
        assert sorted(draws[: sizes[0]]) == list(range(sizes[0]))


@few
@given(
    st.sets(names, min_size=2, max_size=40),
    st.integers(0, 99),
    st.floats(0, 0.9),
    st.lists(st.floats(0.1, 100), min_size=1, max_size=4),
)
def test_splits_divide(all_names, seed, val_fraction, fractions):
    splits = make_splits(list(all_names), seed, fractions, val_fraction)
    assert sorted(splits.train + splits.val) == sorted(all_names)
    for fraction in map(float, fractions):
        assert sorted(splits.labeled[fraction] + splits.unlabeled[fraction]) == splits.train
    ordered = sorted(splits.labeled)
    assert all(set(splits.labeled[low]) <= set(splits.labeled[high]) for low, high in pairwise(ordered))
    assert make_splits(sorted(all_names, reverse=True), seed, fractions, val_fraction) == splits


@few
@given(st.lists(names, max_size=10))
def test_lists_come_back(lines):
    with tempfile.TemporaryDirectory() as folder:
        write_split(Path(folder) / 'list.txt', lines)
        assert read_split(Path(folder) / 'list.txt') == lines


@few
@given(st.binary(max_size=60))
def test_any_bytes_are_a_list_or_refused(content):
    if encoding_problem(content):
        with pytest.raises(UserError, match='expected a list in UTF-8'):
            decode_lines(content)
    else:
        assert all(line == line.strip() != '' for line in decode_lines(content))
    list(list_problems(content))


@few
@given(st.binary(max_size=200))
def test_any_bytes_are_an_archive_or_refused(content):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'archive.zip'
        path.write_bytes(content)
        with pytest.raises(UserError, match='neither a folder nor a complete zip archive'):
            open_source(path)


@few
@given(st.integers(0, 400), st.integers(0, 255))
def test_a_damaged_archive_is_read_or_refused(position, value):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr('folder/a.png', bytes(range(256)))
        archive.writestr('folder/b.png', b'b' * 99)
    content = bytearray(packed.getvalue())
    content[position % len(content)] = value
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'archive.zip'
        path.write_bytes(content)
        try:
            source = open_source(path)
            for file in source.files:
                source.read(file)
        except ValueError:  # UserError is one
            pass


@few
@given(st.text(string.printable, max_size=20))
def test_no_cell_is_a_formula(text):
    cell = table_text(text.encode('utf-8', 'replace').decode())
    assert not cell.startswith(FORMULA_STARTS)
    cell.encode('utf-8')


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(string.printable, max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(['a', 'b', 'lr']), inner, max_size=3),
    max_leaves=8,
)


@few
@given(st.dictionaries(st.sampled_from(['model', 'x', 'y']), values, max_size=3))
def test_plain_values_are_read(config):
    text = '\n'.join(f'{key} = {value!r}' for key, value in config.items())
    assert read_literals(text, 'it', '')._cfg_dict.to_dict() == config


@few
@given(st.lists(st.integers(0, 255), min_size=1, max_size=30), st.integers(1, 6), st.booleans())
def test_every_pixel_is_a_class_or_unknown(pixels, num_classes, reduce_zero_label):
    rules = LabelRules(num_classes, reduce_zero_label=reduce_zero_label)
    classes, unknown = count_classes(count_values(np.array(pixels, np.uint8)), rules)
    assert sum(classes.values()) + sum(unknown.values()) == len(pixels)
    assert all(label < num_classes or label == 255 for label in classes)


@few
@given(st.lists(st.integers(0, 65535), min_size=1, max_size=20), st.integers(9, 16))
def test_scaling_keeps_the_order(pixels, bit_depth):
    pixels = sorted(pixels)
    scaled = to_uint8(np.array(pixels, np.uint16), bit_depth).astype(int)
    assert (np.diff(scaled) >= 0).all()


@few
@given(st.integers(2, 5), st.integers(1, 6), st.integers(0, 99))
def test_rows_of_a_similarity_map_have_length_one(images, features, seed):
    generator = torch.Generator().manual_seed(seed)
    result = similarity_map(torch.randn(images, features, 2, generator=generator))
    assert result.shape == (images, images)
    assert torch.allclose(result.norm(dim=1), torch.ones(images), atol=1e-4)


@few
@given(st.integers(1, 3), st.integers(2, 4), st.integers(0, 99))
def test_dice_is_a_share(images, classes, seed):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(images, classes, 3, 4, generator=generator)
    target = torch.randint(0, classes, (images, 3, 4), generator=generator)
    assert 0 <= float(soft_dice_loss(logits, target)) <= 1


@few
@given(st.integers(0, 500), st.integers(0, 300))
def test_the_ramp_rises_to_one(step, length):
    assert 0 < sigmoid_rampup(step, length) <= sigmoid_rampup(step + 1, length) <= 1
