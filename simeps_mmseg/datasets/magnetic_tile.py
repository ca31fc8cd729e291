from typing import Any, ClassVar

from mmseg.registry import DATASETS

from .defect import DefectDataset


@DATASETS.register_module()
class MagneticTileDataset(DefectDataset):
    """Magnetic Tile: surface defects of magnet tiles.

    1,344 grey images of varying size; 388 show a defect of one of five kinds, the others are free of defects. (Four of
    the 392 images in the folders of defects have an empty mask.)

    Reference: Huang et al., *Surface defect saliency of magnetic tile*, The Visual Computer 2020.
    Download: https://github.com/abin24/Magnetic-tile-defect-datasets., published for research without a stated licence.
    """

    METAINFO: ClassVar[dict[str, Any]] = dict(
        classes=('background', 'blowhole', 'break', 'crack', 'fray', 'uneven'),
        palette=[[0, 0, 0], [230, 159, 0], [86, 180, 233], [0, 158, 115], [240, 228, 66], [204, 121, 167]],
    )
    prepare_command = 'magnetic_tile Magnetic-tile-defect-datasets.-master.zip'

    def __init__(self, img_suffix: str = '.jpg', **kwargs: Any) -> None:
        super().__init__(img_suffix=img_suffix, **kwargs)
