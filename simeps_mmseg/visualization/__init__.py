from .comparison import ComparedImage, comparison_figure
from .contact_sheet import Tile, contact_sheet
from .disagreement import disagreement_map
from .error_map import ERROR_COLORS, ERROR_KINDS, error_map
from .overlay import contours, overlay, paint
from .palette import COLOR_BLIND_SAFE, choose_colors, class_colors
from .semi_seg_visualizer import SemiSegLocalVisualizer
from .sheet import Layer, Style, layers_of, paint_layer, sheet
from .text import legend
from .valid_json_backend import ValidJsonVisBackend
from .zoom import Box, zoom_boxes

__all__ = [
    'COLOR_BLIND_SAFE',
    'ERROR_COLORS',
    'ERROR_KINDS',
    'Box',
    'ComparedImage',
    'Layer',
    'SemiSegLocalVisualizer',
    'Style',
    'Tile',
    'ValidJsonVisBackend',
    'choose_colors',
    'class_colors',
    'comparison_figure',
    'contact_sheet',
    'contours',
    'disagreement_map',
    'error_map',
    'layers_of',
    'legend',
    'overlay',
    'paint',
    'paint_layer',
    'sheet',
    'zoom_boxes',
]
