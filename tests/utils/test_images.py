"""Images of any size and type."""

import numpy as np
import pytest
from PIL import Image

from simeps_mmseg.utils.images import check_image_is_whole, displayed


def test_images_that_pillow_finds_too_large_pass_its_check(tmp_path, monkeypatch):
    Image.fromarray(np.zeros((40, 40), np.uint8)).save(tmp_path / 'large.png')
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 100)
    with pytest.raises(Image.DecompressionBombError):
        Image.open(tmp_path / 'large.png')
    check_image_is_whole(tmp_path / 'large.png')


def test_display_of_other_types():
    deep = np.array([[0, 1000], [2000, 4000]], np.uint16)
    assert displayed(deep)[:, :, 0].tolist() == [[0, 64], [128, 255]]
    assert displayed(np.array([[[1, 2, 3]]], np.uint8)).tolist() == [[[3, 2, 1]]]
