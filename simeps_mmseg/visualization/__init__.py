from .comparison import ComparedImage, comparison_figure, paint
from .contact_sheet import Tile, contact_sheet

__all__ = ['ComparedImage', 'Tile', 'comparison_figure', 'contact_sheet', 'paint']
