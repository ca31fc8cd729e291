"""NEU-Seg: images/{training,test}/*.jpg with annotations/{training,test}/*.png."""

from pathlib import PurePosixPath

import numpy as np

from ..neu_seg import NEUSegDataset
from .pairs import pair_by_name
from .reader import DatasetReader, Facts, Item, check_pair, check_values, decode
from .source import Source


class NEUSegReader(DatasetReader):
    """Masks are label maps already: 0 background, 1 inclusion, 2 patches, 3 scratches."""

    folder = 'neu_seg'
    classes = NEUSegDataset.METAINFO['classes']
    suffix = '.jpg'
    facts = Facts(
        train=3630, test=840, images_with_class={'inclusion': 1460, 'patches': 1448, 'scratches': 1429}, size=(200, 200)
    )
    download = 'NEU_Seg-main.zip from https://github.com/DHW-Master/NEU_Seg (Code, Download ZIP)'

    def __init__(self, source: Source) -> None:
        self.source = source

    def find(self) -> tuple[list[Item], list[str]]:
        items, problems = [], []
        for subset in ('training', 'test'):
            images = self._files(f'images/{subset}', '.jpg')
            masks = self._files(f'annotations/{subset}', '.png')
            if not images:
                problems.append(f'images/{subset}: no *.jpg here')
            pairs, unpaired = pair_by_name(images, masks)
            problems += unpaired
            items += [Item(f'{subset}/{name}', subset == 'test', image, mask) for name, image, mask in pairs]
        return items, problems

    def _files(self, folder: str, suffix: str) -> dict[str, str]:
        return {
            PurePosixPath(file).stem: file
            for file in self.source.files
            if file.startswith(f'{folder}/') and file.lower().endswith(suffix)
        }

    def load(self, item: Item) -> tuple[bytes, np.ndarray]:
        content = self.source.read(item.image)
        mask = decode(self.source.read(item.drawn_mask), item.drawn_mask)
        check_pair(decode(content, item.image), mask, item.image, item.drawn_mask)
        check_values(mask, len(self.classes), item.drawn_mask)
        return content, mask.astype(np.uint8)
