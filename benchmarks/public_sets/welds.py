"""Welds: data/{train,valid,test}/images/N_JPG.rf.HASH.jpg with masks/N_JPG.rf.HASH_mask.png."""

import re

from simeps_mmseg.datasets.preparation.reader import Facts, Item

from .reader import PublicReader

SAME_PHOTOGRAPH = ('33', '118', '207', '208')  # as 116, 31, 105 and 97


class WeldsReader(PublicReader):
    """Faults in and beside weld seams of steel, of one class; the repository does not say which faults are meant.

    Source: https://github.com/AbdulazizAnorboev/weld-defect-segmentation. Licence of the repository: MIT.
    There is no paper. 314 photographs, mostly 1706 x 1280 pixels and here 512 x 384, each with defects, 2.0 % of the pixels.

    The repository holds about three altered versions of each photograph (mirrored, brighter, grey), 1,012 in all, and spreads
    them over its training, validation and test folders. One version of each is used here, the first by path, and the test set
    is drawn anew. Masks are rough polygons. Four photographs are there under two numbers; those of 105 and
    207 have different masks.
    """

    folder = 'welds'
    classes = ('background', 'defect')
    facts = Facts(train=314, test=0, without_defect=0)
    threshold = 0
    download = 'https://github.com/AbdulazizAnorboev/weld-defect-segmentation, folder data'
    image = re.compile(r'(?:^|/)images/(?P<name>(?P<number>\d+)(?:_JPG)?\.rf\.[0-9a-f]+)\.jpg$')
    mask = re.compile(r'(?:^|/)masks/(?P<name>(?P<number>\d+)(?:_JPG)?\.rf\.[0-9a-f]+)_mask\.png$')

    def find(self) -> tuple[list[Item], list[str]]:
        items, problems = super().find()
        first: dict[str, Item] = {}
        for item in sorted(items, key=lambda item: item.image):
            number = self.image.search(item.image)['number']
            first.setdefault(number, Item(number, False, item.image, item.mask))
        return [item for number, item in first.items() if number not in SAME_PHOTOGRAPH], problems
