from .comparison import ComparedImage, comparison_figure
from .disagreement import disagreement_map
from .error_map import ERROR_COLORS, ERROR_KINDS, error_map
from .layer_grid import Layer, Style, layer_grid, layers_of, paint_layer
from .overlay import contours, overlay, paint
from .palette import COLOR_BLIND_SAFE, choose_colors, class_colors
from .semi_seg_visualizer import SemiSegLocalVisualizer
from .text import legend
from .thumbnail_grid import Tile, thumbnail_grid
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
    'contours',
    'disagreement_map',
    'error_map',
    'layer_grid',
    'layers_of',
    'legend',
    'overlay',
    'paint',
    'paint_layer',
    'thumbnail_grid',
    'zoom_boxes',
]
