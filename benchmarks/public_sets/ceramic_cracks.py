"""Ceramic cracks: train/image/NNN.png with train/label/NNN.png."""

import re

from simeps_mmseg.datasets.preparation.reader import Facts

from .reader import PublicReader


class CeramicCracksReader(PublicReader):
    """Cracks in ceramic floor and wall tiles, among joints and patterns.

    Source: https://github.com/gerivansantos/ceramic-cracks-dataset. Licence: none stated.
    Paper: Junior et al., *Ceramic Cracks Segmentation with Deep Learning*, Applied Sciences 2021.
    100 images of 256 x 256 pixels, each with cracks, 2.1 % of the pixels.

    The authors' test folder has no masks, so that test images are drawn from the training images.
    """

    folder = 'ceramic_cracks'
    facts = Facts(train=100, test=0, without_defect=0, size=(256, 256))
    download = 'https://github.com/gerivansantos/ceramic-cracks-dataset'
    image = re.compile(r'(?:^|/)image/(?P<name>\d+)\.png$')
    mask = re.compile(r'(?:^|/)label/(?P<name>\d+)\.png$')
