import cv2
import numpy as np
import pytest

from simeps_mmseg.apis.predict import predict
from simeps_mmseg.apis.rank_unlabeled import rank_unlabeled
from simeps_mmseg.inference import dark_images as module
from simeps_mmseg.inference.dark_images import may_have_16_bits, warn_of_dark_images
from tests.helpers import save

ORDINARY = dict(type='LoadImageFromFile')
TWELVE = np.linspace(0, 4095, 32 * 32).reshape(32, 32).astype(np.uint16)


@pytest.fixture
def said(monkeypatch):
    lines = []
    monkeypatch.setattr(module, 'print_log', lambda text, *args: lines.append(text))
    return lines


def test_images_that_would_be_nearly_black_are_said_before(tmp_path, said):
    paths = [tmp_path / name for name in ('a.png', 'b.png', 'broken.png')]
    for path, pixels in zip(paths, (TWELVE * 16, TWELVE)):
        save(path, pixels)
    paths[2].touch()
    warn_of_dark_images(ORDINARY, [paths[0], paths[2]])
    warn_of_dark_images(dict(type='LoadImageAsUint8', bit_depth=12), paths)
    warn_of_dark_images(dict(type='LoadSomethingElse'), paths)
    warn_of_dark_images(ORDINARY, [])
    assert said == []
    warn_of_dark_images(ORDINARY, paths)
    (line,) = said
    assert line.startswith(f'{paths[1]}: values up to 4095, nearly black in 8 bits: set bit_depth=12')


def test_one_among_many_of_8_bits(tmp_path, said):
    paths = [tmp_path / f'{index:02d}.png' for index in range(20)]
    for index, path in enumerate(paths):
        save(path, TWELVE if index == 9 else np.zeros((4, 4), np.uint8))
    warn_of_dark_images(ORDINARY, paths, headers=2)
    assert said == []
    warn_of_dark_images(ORDINARY, paths)
    assert len(said) == 1
    assert said[0].startswith(str(paths[9]))


@pytest.mark.parametrize('suffix', ['.png', '.tif', '.ppm'])
def test_depth_by_the_header(tmp_path, suffix):
    for channels in (1, 3):
        for dtype in (np.uint8, np.uint16):
            path = tmp_path / f'{channels}{dtype.__name__}{suffix if channels == 3 else suffix.replace("ppm", "pgm")}'
            assert cv2.imwrite(str(path), np.full((1600, 16, channels), 7, dtype))
            assert may_have_16_bits(path) == (dtype is np.uint16 or path.suffix == '.ppm')


def test_what_is_no_image(tmp_path):
    (tmp_path / 'unknown.tif').write_text('of a kind that only OpenCV may know')
    assert may_have_16_bits(tmp_path / 'unknown.tif')
    assert not may_have_16_bits(tmp_path / 'none.tif')


def test_predict_and_rank_unlabeled_say_so(trained, tmp_path, said):
    for index in range(6):
        save(tmp_path / f'images/{index}.png', np.full((32, 32, 3), index, np.uint8))
    save(tmp_path / 'images/3.png', TWELVE)
    arguments = trained.config, trained.checkpoint, str(tmp_path / 'images'), str(tmp_path / 'out')
    predict(*arguments)
    rank_unlabeled(*arguments, sheet=0)
    assert [line.split(': ')[0] for line in said] == [str(tmp_path / 'images/3.png')] * 2
