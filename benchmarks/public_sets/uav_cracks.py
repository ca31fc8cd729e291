"""UAV cracks: kaggle_release/images/*.png with kaggle_release/masks/*.png, test images in kaggle_test.txt."""

import re
from functools import cached_property

from simeps_mmseg.datasets.preparation.reader import Facts, Item

from .reader import PublicReader, stem

TEST_LIST = 'split_manifests/kaggle_test.txt'


class UAVCracksReader(PublicReader):
    """Cracks in concrete embankments and walls, seen from a drone.

    Source: https://github.com/jakki-Guan/ground-to-uav-crack-segmentation, which mirrors "UAV-Based Crack Detection Dataset"
    (ziya07) from Kaggle and keeps a record of its licence there: CC0, public domain. There is no paper of its own.
    315 images of 448 x 448 pixels, each with cracks, 1.4 % of the pixels. Test images: the 63 of the repository's fixed split.

    Many images are neighbouring tiles of one flight, and the split was drawn by image: test images have neighbours among the
    training images.
    """

    folder = 'uav_cracks'
    facts = Facts(train=252, test=63, without_defect=0, size=(448, 448))
    test_fraction = 0.0
    download = (
        'https://github.com/jakki-Guan/ground-to-uav-crack-segmentation, folders kaggle_release and split_manifests'
    )
    image = re.compile(r'kaggle_release/images/(?P<name>[^/]+)\.png$')
    mask = re.compile(r'kaggle_release/masks/(?P<name>[^/]+)\.png$')

    def find(self) -> tuple[list[Item], list[str]]:
        items, problems = super().find()
        absent = sorted(self.test_names - {item.name for item in items})
        return items, problems + [f'{TEST_LIST}: names {name}, but there is no such image' for name in absent]

    @cached_property
    def test_names(self) -> set[str]:
        """What the list of test images names; empty if there is none, which the counts tell."""
        lists = [file for file in self.source.files if file.endswith(TEST_LIST)]
        return {stem(line) for file in lists for line in self.source.read(file).decode().splitlines() if line.strip()}

    def is_test(self, image: str) -> bool:
        return stem(image) in self.test_names
