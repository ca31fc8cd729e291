from typing import Any, ClassVar

from mmseg.registry import DATASETS

from .defect import DefectDataset


@DATASETS.register_module()
class SyntheticDefectDataset(DefectDataset):
    """Textured surfaces with scratches, patches and pits, made by ``simeps prepare_data synthetic``.

    For people without data and for tests. Licence: that of this project; nothing is downloaded.
    """

    METAINFO: ClassVar[dict[str, Any]] = dict(
        classes=('background', 'scratch', 'patch', 'pit'),
        palette=[[0, 0, 0], [230, 159, 0], [86, 180, 233], [0, 158, 115]],
    )
    prepare_command = 'synthetic --fractions 2'  # per cent that the shipped configs take
