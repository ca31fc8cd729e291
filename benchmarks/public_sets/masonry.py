"""Masonry: dataset/crack_detection_224_images/*.png with crack_detection_224_masks/*.png."""

import re
from dataclasses import replace

from simeps_mmseg.datasets.preparation.reader import Facts, Item

from .reader import PublicReader, draw_groups


class MasonryReader(PublicReader):
    """Cracks in brick walls.

    Source: https://github.com/dimitrisdais/crack_detection_CNN_masonry. Licence of the repository: GPL-3.0.
    Paper: Dais et al., *Automatic crack classification and segmentation on masonry surfaces using convolutional neural
    networks and transfer learning*, Automation in Construction 2021. The repository holds a part of the paper's set.
    240 images of 224 x 224 pixels, each with cracks, 4.2 % of the pixels. There is no test set of the authors'.

    The images are patches of 76 photographs (a_31_2 is of a_31) with up to 22 of one, so that whole photographs are drawn
    for the test set. Training and validation do share photographs.
    """

    folder = 'masonry'
    facts = Facts(train=179, test=61, without_defect=0, size=(224, 224))
    test_fraction = 0.0
    download = 'https://github.com/dimitrisdais/crack_detection_CNN_masonry, folder dataset'
    image = re.compile(r'crack_detection_224_images/(?P<name>[^/]+)\.png$')
    mask = re.compile(r'crack_detection_224_masks/(?P<name>[^/]+)\.png$')

    def find(self) -> tuple[list[Item], list[str]]:
        items, problems = super().find()
        test = draw_groups((item.name for item in items), photograph, fraction=0.25)
        return [replace(item, test=item.name in test) for item in items], problems


def photograph(name: str) -> str:
    """What a patch is cut from.

    Example:
        >>> photograph('a_31_2')
        'a_31'
    """
    return name.rpartition('_')[0]
