from typing import Any, ClassVar

from mmseg.registry import DATASETS

from .defect import DefectDataset


@DATASETS.register_module()
class NEUSegDataset(DefectDataset):
    """NEU-Seg: surface defects of hot-rolled steel strip.

    4,470 grey images of 200 x 200 pixels (3,630 for training, 840 for test) with inclusions, patches and scratches.

    Reference: Dong et al., *PGA-Net: Pyramid Feature Fusion and Global Context Attention Network for Automated Surface
    Defect Detection*, IEEE TII 2020; images from the NEU surface defect database (Song and Yan, 2013).
    Download: https://github.com/DHW-Master/NEU_Seg, published for research without a stated licence.
    """

    METAINFO: ClassVar[dict[str, Any]] = dict(
        classes=('background', 'inclusion', 'patches', 'scratches'),
        palette=[[0, 0, 0], [230, 159, 0], [86, 180, 233], [0, 158, 115]],
    )
    prepare_command = 'neu NEU_Seg-main.zip'

    def __init__(self, img_suffix: str = '.jpg', **kwargs: Any) -> None:
        super().__init__(img_suffix=img_suffix, **kwargs)
