from .defect_iou_metric import DefectIoUMetric
from .defects import Defect, area_record, connected_defects
from .functional import ImageScores, class_areas, confusion_matrix, image_scores
from .uncertainty import image_uncertainty, mutual_information, shared_classes

__all__ = [
    'Defect',
    'DefectIoUMetric',
    'ImageScores',
    'area_record',
    'class_areas',
    'confusion_matrix',
    'connected_defects',
    'image_scores',
    'image_uncertainty',
    'mutual_information',
    'shared_classes',
]
