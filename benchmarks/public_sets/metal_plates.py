"""Metal plates: metal_plate/{train,val,test}/images/*.png with masks/*.png."""

import hashlib
import re

from simeps_mmseg.datasets.preparation.reader import Facts, Item

from .reader import PublicReader


class MetalPlatesReader(PublicReader):
    """Rust and scratches on painted metal plates; half of the images show none.

    Source: https://github.com/BupeshKumarR/defect-segmentation-for-mpdd, folder data_supervised, which holds the part
    metal_plate of MPDD (https://github.com/stepanje/MPDD) as 512 x 512 pixels. Licence of MPDD: CC BY-NC-SA 4.0; the copy
    states none. Paper: Jezek et al., *Deep learning-based defect detection of metal parts: evaluating current methods in
    complex conditions*, ICUMT 2021.
    151 images, 80 without defects, 7.6 % of the pixels; 47 are the copy's test images.

    MPDD itself has no defects in its training images, so that the copy drew other parts. Ten of its 161 images are there
    twice and used once. Its masks tell no kinds of defect apart, although MPDD does.
    """

    folder = 'metal_plates'
    classes = ('background', 'defect')
    facts = Facts(train=104, test=47, images_with_class={'defect': 50}, without_defect=80, size=(512, 512))
    test_fraction = 0.0
    download = 'https://github.com/BupeshKumarR/defect-segmentation-for-mpdd, folder data_supervised'
    image = re.compile(r'(?:^|/)images/(?P<name>(?:train|val|test)_\d+)\.png$')
    mask = re.compile(r'(?:^|/)masks/(?P<name>(?:train|val|test)_\d+)\.png$')

    def find(self) -> tuple[list[Item], list[str]]:
        items, problems = super().find()
        first: dict[bytes, Item] = {}
        for item in sorted(items, key=lambda item: not item.test):
            first.setdefault(hashlib.sha256(self.source.read(item.image)).digest(), item)
        return sorted(first.values(), key=lambda item: item.name), problems

    def is_test(self, image: str) -> bool:
        return '/images/test_' in f'/{image}'
