from .defect_iou_metric import DefectIoUMetric
from .defects import Defect, area_record, connected_defects, largest_region
from .functional import ImageScores, class_areas, confusion_matrix, image_scores
from .part_decisions import PartErrors, counted_region, part_errors, trade_off
from .uncertainty import image_uncertainty, mutual_information, shared_classes

__all__ = [
    'Defect',
    'DefectIoUMetric',
    'ImageScores',
    'PartErrors',
    'area_record',
    'class_areas',
    'confusion_matrix',
    'connected_defects',
    'counted_region',
    'image_scores',
    'image_uncertainty',
    'largest_region',
    'mutual_information',
    'part_errors',
    'shared_classes',
    'trade_off',
]
