"""DAGM 2007: Class1..Class10/{Train,Test}/NNNN.PNG with Label/NNNN_label.PNG where there is a defect."""

import re
from pathlib import Path

import numpy as np

from ..dagm import DAGMDataset
from .reader import DatasetReader, Facts, Item, check_pair, decode
from .source import Source

IMAGE = re.compile(r'class(\d+)/(train|test)/(\d+)\.png', re.IGNORECASE)
LIST = re.compile(r'class(\d+)/(train|test)/label/labels\.txt', re.IGNORECASE)
LABEL = re.compile(r'class(\d+)/(train|test)/label/(\d+)_label\.png', re.IGNORECASE)


class DAGMReader(DatasetReader):
    """Masks are ellipses around the defect: anything above 0 is the class of the texture."""

    folder = 'dagm'
    classes = DAGMDataset.METAINFO['classes']
    suffix = '.png'
    facts = Facts(train=8050, test=8050, without_defect=14000, size=(512, 512))
    only_defective = True
    download = 'DAGM 2007 from https://zenodo.org/records/8086136, all ten classes'

    def __init__(self, source: Source) -> None:
        self.source = source

    def find(self) -> tuple[list[Item], list[str]]:
        images, labels = self._match(IMAGE), self._match(LABEL)
        problems = [f'{labels[key]}: no image of that name' for key in sorted(labels.keys() - images.keys())]
        problems += [
            f'{images[key]}: Labels.txt says that it has a defect, but its label image is not there'
            for key in sorted(self._listed_as_defective() & images.keys() - labels.keys())
        ]
        for k in range(1, len(self.classes)):
            for subset in ('train', 'test'):
                if not any(key[:2] == (k, subset) for key in images):
                    problems.append(f'Class{k}/{subset.capitalize()}: no *.PNG here')
        items = [
            Item(f'{subset}/class{k}_{number}', subset == 'test', file, labels.get((k, subset, number)))
            for (k, subset, number), file in sorted(images.items())
        ]
        return items, problems

    def _listed_as_defective(self) -> set[tuple[int, str, str]]:
        """Images with a defect by the lists of the download; its lines are index, defect (0 or 1), image, 0, label image."""
        found = set()
        for file in self.source.files:
            if match := LIST.fullmatch(file):
                lines = self.source.read(file).decode('ascii', 'replace').splitlines()
                rows = (line.split() for line in lines)
                numbers = (Path(row[2]).stem for row in rows if len(row) == 5 and row[1] == '1')
                found |= {(int(match[1]), match[2].lower(), number) for number in numbers}
        return found

    def _match(self, pattern: re.Pattern) -> dict[tuple[int, str, str], str]:
        found = ((pattern.fullmatch(file), file) for file in self.source.files)
        return {(int(m[1]), m[2].lower(), m[3]): file for m, file in found if m}

    def load(self, item: Item) -> tuple[bytes, np.ndarray]:
        content = self.source.read(item.image)
        image = decode(content, item.image)
        if item.mask is None:
            return content, np.zeros(image.shape[:2], np.uint8)
        ellipse = decode(self.source.read(item.mask), item.mask)
        check_pair(image, ellipse, item.image, item.mask)
        match = IMAGE.fullmatch(item.image)
        k = int(match[1]) if match else len(self.classes)
        if k >= len(self.classes):
            raise ValueError(f'{item.image}: there are classes 1 to {len(self.classes) - 1} only')
        return content, (ellipse > 0).astype(np.uint8) * k
