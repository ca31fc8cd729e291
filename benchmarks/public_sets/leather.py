"""Leather: Combined/{Train Images,Test Image}/images*/KIND_N.png with masks*/KIND_N.png; the class is the kind."""

import re

import cv2
import numpy as np

from simeps_mmseg.datasets.preparation.reader import Facts, Item, decode

from .reader import PublicReader, one_channel

KINDS = dict(cut=1, hole=2, line=3, wringle=4)
OTHER_SHAPE = ('hole_18', 'wringle_66')


class LeatherReader(PublicReader):
    """Cuts, holes, lines and wrinkles in leather.

    Source: https://github.com/AashishGh/Leather-Defect-Segmentation, folder Custom Dataset. Licence of the repository: MIT.
    There is no paper. 211 images of 256 x 256 pixels, each with defects of one kind, 2.9 % of the pixels; 34 are the
    author's test images.

    The masks are read, not the label maps beside them (``annotated1``), which are thinned out and empty for 30 images. Masks
    are wide strokes around the defect. Two have another shape than their image and fit it when stretched.
    """

    folder = 'leather'
    classes = ('background', 'cut', 'hole', 'line', 'wrinkle')
    facts = Facts(
        train=177,
        test=34,
        images_with_class={'cut': 33, 'hole': 30, 'line': 42, 'wrinkle': 72},
        without_defect=0,
        size=(256, 256),
    )
    test_fraction = 0.0
    download = 'https://github.com/AashishGh/Leather-Defect-Segmentation, folder Custom Dataset'
    # Folder Individual holds the same images again, by kind: "Cut Defect/Train Images".
    image = re.compile(r'(?<! Defect/)(?:Train|Test) Images?/images[12]/(?P<name>(?:cut|hole|line|wringle)_\d+)\.png$')
    mask = re.compile(r'(?<! Defect/)(?:Train|Test) Images?/masks[12]/(?P<name>(?:cut|hole|line|wringle)_\d+)\.png$')

    def is_test(self, image: str) -> bool:
        return 'Test Image/' in image

    def read_mask(self, item: Item) -> np.ndarray:
        grey = one_channel(decode(self.source.read(item.mask), item.mask), item.mask)
        if item.name in OTHER_SHAPE:
            height, width = decode(self.source.read(item.image), item.image).shape[:2]
            grey = cv2.resize(grey, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
        return (grey > self.threshold).astype(np.uint8) * KINDS[item.name.split('_')[0]]
