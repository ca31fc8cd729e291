"""Checks of images and masks, on arrays and hand-made reports."""

import numpy as np
import pytest

from simeps_mmseg.datasets.checks.inspection import (
    FileReport,
    LabelRules,
    count_classes,
    depth_problem,
    pixel_digest,
    size_problem,
)
from simeps_mmseg.datasets.checks.sets import (
    absent_class_problems,
    binary_mask_problems,
    mixed_color_problems,
    shared_image_problems,
)


def report(part, name, values=None, digest=None, grey=True):
    values = values or {}
    classes = count_classes(values, LabelRules(2))[0]
    return FileReport(part, f'{name}.png', f'{name}_mask.png', digest or name.encode(), grey, (4, 4), values, classes)


@pytest.mark.parametrize(
    'rules',
    [
        LabelRules(3),
        LabelRules(3, reduce_zero_label=True),
        LabelRules(2, label_map={0: 255, 1: 0, 2: 1}),
        LabelRules(2, reduce_zero_label=True, label_map={0: 255, 1: 0, 2: 1}),
    ],
)
def test_values_become_what_mmseg_makes_of_them(rules, tmp_path):
    """Against LoadAnnotations itself, for every value that has a meaning."""
    from mmseg.registry import TRANSFORMS
    from PIL import Image

    Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16)).save(tmp_path / 'mask.png')
    results = dict(seg_map_path=str(tmp_path / 'mask.png'), seg_fields=[], reduce_zero_label=rules.reduce_zero_label)
    results['label_map'] = rules.label_map
    loaded = TRANSFORMS.build(dict(type='LoadAnnotations'))(results)['gt_seg_map'].ravel()
    for value in range(256):
        label = rules.label(value)
        if label is not None:
            assert label == loaded[value]
        elif rules.label_map is None:  # with a map, mmseg lets unknown old classes through
            assert loaded[value] >= rules.num_classes


def test_allowed_values_are_named():
    assert LabelRules(3).allowed() == 'values 0 to 2, 255'
    assert LabelRules(3, reduce_zero_label=True).allowed() == 'values 0 to 3, 255'
    assert LabelRules(2, label_map={0: 255, 1: 0, 2: 1}).allowed() == 'values 0 to 2, 255'
    assert LabelRules(3, ignore_index=7).allowed() == 'values 0 to 2, 7'


def test_values_beyond_a_byte_are_no_class():
    assert count_classes({0: 5, 256: 3}, LabelRules(2)) == ({0: 5}, {256: 3})


def test_sizes():
    assert size_problem((4, 6), (4, 6)) is None
    assert 'turned' in size_problem((4, 6), (6, 4))[1]
    assert 'one channel' in size_problem((4, 6), (4, 6, 3))[1]


def test_the_same_pixels_have_the_same_digest():
    grey = np.arange(12, dtype=np.uint8).reshape(3, 4)
    as_rgb = np.repeat(grey[..., None], 3, axis=2)
    assert pixel_digest(grey) == pixel_digest(as_rgb) == pixel_digest(as_rgb.copy(order='F'))
    assert pixel_digest(grey) != pixel_digest(grey.reshape(4, 3))
    assert pixel_digest(as_rgb) != pixel_digest(as_rgb + np.array([1, 0, 0], np.uint8))


class TestBinaryMasks:
    def test_where_255_occurs_with_0_alone(self):
        reports = [report('labelled', 'a', {0: 90, 255: 10}), report('labelled', 'b', {0: 60, 1: 40})]
        (problem,) = binary_mask_problems(reports)
        assert problem.file == 'a_mask.png'
        assert problem.is_error
        assert '10.0% of the pixels' in problem.found

    def test_not_where_255_is_used_as_ignore(self):
        reports = [report('labelled', 'a', {0: 90, 255: 10}), report('labelled', 'b', {0: 60, 1: 30, 255: 10})]
        assert not list(binary_mask_problems(reports))

    def test_each_part_is_looked_at_alone(self):
        reports = [report('labelled', name, {0: 90, 255: 10}) for name in 'ab']
        reports.append(report('test', 'c', {0: 60, 1: 30, 255: 10}))
        assert [(p.file, p.is_error) for p in binary_mask_problems(reports)] == [
            ('a_mask.png', True),
            ('b_mask.png', True),
        ]

    def test_a_warning_where_255_is_used_both_ways(self):
        reports = [report('labelled', name, {0: 90, 255: 10}) for name in 'abc']
        reports.append(report('labelled', 'd', {0: 60, 1: 30, 255: 10}))
        assert [(p.file, p.is_error) for p in binary_mask_problems(reports)] == [
            (f'{name}_mask.png', False) for name in 'abc'
        ]

    def test_not_where_a_whole_mask_is_ignored(self):
        assert not list(
            binary_mask_problems([report('labelled', 'a', {255: 10}), report('labelled', 'b', {0: 9, 1: 1})])
        )


class TestSharedImages:
    def problems(self, *reports):
        return [(p.kind, p.file, p.found, p.is_error) for p in shared_image_problems(reports)]

    def test_trained_on_and_scored_is_an_error(self):
        assert self.problems(report('unlabelled', 'a', digest=b'x'), report('test', 'b', digest=b'x')) == [
            ('same image: unlabelled and test', 'b.png', 'a.png', True)
        ]

    def test_labelled_and_unlabelled_is_a_warning(self):
        found = self.problems(report('labelled', 'a', digest=b'x'), report('unlabelled', 'b', digest=b'x'))
        assert found == [('same image: labelled and unlabelled', 'b.png', 'a.png', False)]

    def test_one_set_for_validation_and_test_is_one_warning(self):
        reports = [report(part, name, digest=name.encode()) for part in ('validation', 'test') for name in 'abc']
        ((kind, _, found, is_error),) = self.problems(*reports)
        assert (kind, is_error) == ('validation is test', False)
        assert 'all 3 images' in found

    def test_unread_images_are_not_compared(self):
        unread = FileReport('labelled', 'a.png'), FileReport('test', 'b.png')
        assert self.problems(*unread) == []


def test_absent_classes():
    reports = [report('labelled', 'a', {0: 5}), report('validation', 'b', {1: 5})]
    (problem,) = absent_class_problems(reports, ('background', 'crack'))
    assert problem.expected == 'pixels of class 1 (crack)'
    assert not problem.is_error
    assert not list(absent_class_problems([report('labelled', 'a', {0: 1, 1: 1})], ('background', 'crack')))


def test_mixed_colours():
    reports = [report('labelled', 'a'), report('labelled', 'b'), report('unlabelled', 'c', grey=False)]
    (problem,) = mixed_color_problems(reports)
    assert (problem.file, problem.found, problem.is_error) == ('c.png', 'colour', False)
    assert problem.expected == 'grey, as 2 of 2 labelled images'
    assert not list(mixed_color_problems(reports[:2]))


def test_dark_sixteen_bits():
    twelve = np.full((2, 2), 4095, np.uint16)
    assert 'bit_depth=12' in depth_problem(twelve, None, None)[1]
    assert depth_problem(twelve, 12, None) is None
    assert depth_problem(twelve, None, (1, 99)) is None
    assert depth_problem(np.full((2, 2), 60000, np.uint16), None, None) is None
    assert depth_problem(np.full((2, 2), 9, np.uint8), None, None) is None
