"""CrackForest: image/NNN.jpg with groundTruth/NNN.mat."""

import io
import re

import numpy as np
from scipy.io import loadmat

from simeps_mmseg.datasets.preparation.reader import Facts, Item

from .reader import PublicReader

CRACK = (2, 4)  # 1 is background, 3 what cracks enclose; 4 marks pieces apart from the main crack
WRONG_MASKS = ('042',)


class CrackForestReader(PublicReader):
    """Cracks in the asphalt of roads in Beijing, photographed with a telephone.

    Source: https://github.com/cuilimeng/CrackForest-dataset. Licence: "for non-commercial research purposes only".
    Paper: Shi et al., *Automatic Road Crack Detection Using Random Structured Forests*, IEEE T-ITS 2016.
    117 images of 480 x 320 pixels, each with cracks, 1.6 % of the pixels. There is no test set of the authors'.

    Left out: 042, whose mask is of another image, and the 37 images without a mask (201.jpg to 329.jpg). Images of
    neighbouring numbers can show the same crack, moved a little.
    """

    folder = 'crackforest'
    suffix = '.jpg'
    facts = Facts(train=117, test=0, without_defect=0, size=(320, 480))
    download = 'https://github.com/cuilimeng/CrackForest-dataset, folders image and groundTruth'
    image = re.compile(r'(?:^|/)image/(?P<name>[01]\d\d)\.jpg$')
    mask = re.compile(r'(?:^|/)groundTruth/(?P<name>\d+)\.mat$')

    def find(self) -> tuple[list[Item], list[str]]:
        items, problems = super().find()
        return [item for item in items if item.name not in WRONG_MASKS], problems

    def read_mask(self, item: Item) -> np.ndarray:
        try:
            content = loadmat(io.BytesIO(self.source.read(item.mask)))
            segmentation = content['groundTruth'][0, 0]['Segmentation']
        except (ValueError, TypeError, KeyError, IndexError, OSError) as error:
            raise ValueError(f'{item.mask}: no ground truth of CrackForest ({error})') from error
        return np.isin(segmentation, CRACK).astype(np.uint8)
