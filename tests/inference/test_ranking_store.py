"""What a ranking knows of each image goes on where it was cut off."""

import numpy as np
import pytest

from simeps_mmseg.evaluation.uncertainty import ImageUncertainty
from simeps_mmseg.inference.ranking import assess_files
from simeps_mmseg.inference.ranking.store import FEATURES, LINES, Assessments
from simeps_mmseg.utils.images import UnreadableImage

SETTINGS = dict(network='a')
UNCERTAINTY = ImageUncertainty(0.5, 0.25, 0.125, 0.1, 2)


class Refusing:
    """Stands for an ``Assessor`` that can read nothing."""

    cfg, checkpoint = {}, ''

    def __call__(self, image):
        raise UnreadableImage(f'{image[0]} is cut off')
        yield


@pytest.fixture
def files(tmp_path):
    paths = {name: tmp_path / name for name in 'abc'}
    for path in paths.values():
        path.write_text('image')
    return paths


@pytest.fixture
def folder(files, tmp_path):
    """Three assessed images."""
    assessed = Assessments(tmp_path / 'assessed', SETTINGS)
    for index, (name, path) in enumerate(files.items()):
        assert (name, path) not in assessed
        assessed.add(name, path, UNCERTAINTY._replace(score=float(index)), np.full(4, index, np.float32))
    return tmp_path / 'assessed'


def known(folder, files):
    assessed = Assessments(folder, SETTINGS)
    names, uncertainties, features = assessed.of(files)
    assert isinstance(features, np.memmap) or not names  # nothing of them in memory
    assert [features[row].tolist() for row in range(len(names))] == [[value.score] * 4 for value in uncertainties]
    assert all(isinstance(value, ImageUncertainty) for value in uncertainties)
    return [name for name in names if (name, files[name]) in assessed]


def test_all_is_known_again(folder, files):
    assert known(folder, files) == ['a', 'b', 'c']
    features = Assessments(folder, SETTINGS).of(files)[2]
    assert isinstance(features, np.memmap)
    assert features.dtype == np.float16
    assert known(folder, {'c': files['c']}) == ['c']


@pytest.mark.parametrize(('name', 'cut'), [(LINES, 3), (FEATURES, 1), (FEATURES, 8)])
def test_what_was_cut_off_is_not(folder, files, name, cut):
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[:-cut])
    assert known(folder, files) == ['a', 'b']
    assessed = Assessments(folder, SETTINGS)
    assessed.add('c', files['c'], UNCERTAINTY._replace(score=2.0), np.full(4, 2))
    assert known(folder, files) == ['a', 'b', 'c']


def test_a_line_that_is_none_ends_what_is_known(folder, files):
    lines = (folder / LINES).read_bytes().splitlines(keepends=True)
    (folder / LINES).write_bytes(lines[0] + b'\0' * (len(lines[1]) - 1) + b'\n' + lines[2])
    assert known(folder, files) == ['a']


def test_an_image_that_broke_in_between_is_not_ranked_by_what_it_was(folder, files):
    files['b'].write_text('broken')

    assessed = Assessments(folder, SETTINGS)
    failed = assess_files(Refusing(), files, assessed)
    assert failed == [f'  - {files["b"]}: b is cut off']
    assert assessed.of(files)[0] == ['a', 'c']


def test_a_file_that_has_changed_is_not_known(folder, files):
    files['b'].write_text('another image')
    assert known(folder, files) == ['a', 'c']
    assessed = Assessments(folder, SETTINGS)
    assessed.add('b', files['b'], UNCERTAINTY._replace(score=7.0), np.full(4, 7))
    assert sorted(known(folder, files)) == ['a', 'b', 'c']
    assert {value.score for value in Assessments(folder, SETTINGS).of(files)[1]} == {0.0, 2.0, 7.0}


def test_other_settings_begin_anew(folder, files):
    assert Assessments(folder, dict(network='b')).of(files)[0] == []
    assert known(folder, files) == []
