from typing import Any, ClassVar

from mmseg.registry import DATASETS

from .defect import DefectDataset


@DATASETS.register_module()
class DAGMDataset(DefectDataset):
    """DAGM 2007: artificial textures with artificial defects, ten kinds of each.

    16,100 grey images of 512 x 512 pixels, 2,100 of them with a defect, weakly labelled by an ellipse around it. Class k
    is the defect of texture k.

    Reference: Wieler and Hahn, *Weakly supervised learning for industrial optical inspection*, DAGM 2007.
    Download: https://zenodo.org/records/8086136 (CC BY 4.0).
    """

    METAINFO: ClassVar[dict[str, Any]] = dict(
        classes=('background', *(f'defect_{k}' for k in range(1, 11))),
        palette=[
            [0, 0, 0],
            [230, 159, 0],
            [86, 180, 233],
            [0, 158, 115],
            [240, 228, 66],
            [0, 114, 178],
            [213, 94, 0],
            [204, 121, 167],
            [153, 153, 153],
            [136, 34, 85],
            [68, 170, 153],
        ],
    )
    prepare_command = 'dagm DAGM2007'
