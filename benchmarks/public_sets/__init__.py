"""Public data sets of surface defects beside those of ``simeps prepare_data``, for benchmarks only."""

from .ceramic_cracks import CeramicCracksReader
from .crackforest import CrackForestReader
from .leather import LeatherReader
from .masonry import MasonryReader
from .metal_plates import MetalPlatesReader
from .reader import PublicReader
from .uav_cracks import UAVCracksReader
from .welds import WeldsReader

READERS: dict[str, type[PublicReader]] = {
    reader.folder: reader
    for reader in (
        CeramicCracksReader,
        CrackForestReader,
        LeatherReader,
        MasonryReader,
        MetalPlatesReader,
        UAVCracksReader,
        WeldsReader,
    )
}

__all__ = ['READERS', 'PublicReader']
