"""Magnetic Tile: MT_X/Imgs/*.jpg with grey *.png masks of the same name; the class is the folder."""

from pathlib import PurePosixPath

import numpy as np

from ..magnetic_tile import MagneticTileDataset
from .pairs import pair_by_name
from .reader import DatasetReader, Facts, Item, check_pair, decode
from .source import Source

THRESHOLD = 127
FREE = 'free'


class MagneticTileReader(DatasetReader):
    """Masks are grey with soft edges: above the threshold is defect. The data set defines no test set."""

    folder = 'magnetic_tile'
    classes = MagneticTileDataset.METAINFO['classes']
    suffix = '.jpg'
    facts = Facts(
        train=1344,
        test=0,
        images_with_class={'blowhole': 115, 'break': 85, 'crack': 57, 'fray': 32, 'uneven': 99},
        without_defect=956,
    )
    only_defective = True
    test_fraction = 0.2
    download = 'Magnetic-tile-defect-datasets.-master.zip from https://github.com/abin24/Magnetic-tile-defect-datasets.'

    def __init__(self, source: Source) -> None:
        self.source = source

    def find(self) -> tuple[list[Item], list[str]]:
        items, problems = [], []
        for kind in (*self.classes[1:], FREE):
            images, masks = (self._files(kind, suffix) for suffix in ('.jpg', '.png'))
            if not images:
                problems.append(f'MT_{kind.capitalize()}/Imgs: no *.jpg here')
            pairs, unpaired = pair_by_name(images, masks)
            problems += unpaired
            items += [Item(f'{kind}/{name}', False, image, mask) for name, image, mask in pairs]
        return items, problems

    def _files(self, kind: str, suffix: str) -> dict[str, str]:
        folder = f'mt_{kind}/imgs/'
        return {
            PurePosixPath(file).stem: file
            for file in self.source.files
            if file.lower().startswith(folder) and file.lower().endswith(suffix)
        }

    def load(self, item: Item) -> tuple[bytes, np.ndarray]:
        content = self.source.read(item.image)
        grey = decode(self.source.read(item.drawn_mask), item.drawn_mask)
        check_pair(decode(content, item.image), grey, item.image, item.drawn_mask)
        if grey.dtype == bool:
            grey = grey.astype(np.uint8) * 255
        kind = item.name.split('/')[0]
        defect = grey > THRESHOLD
        if kind == FREE:
            if defect.any():
                raise ValueError(
                    f'{item.mask}: {int(defect.sum())} defect pixels in the folder of images without defect'
                )
            return content, np.zeros(grey.shape, np.uint8)
        return content, defect.astype(np.uint8) * self.classes.index(kind)
