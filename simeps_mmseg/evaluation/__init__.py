from .defect_iou_metric import DefectIoUMetric
from .functional import ImageScores, class_areas, image_scores

__all__ = ['DefectIoUMetric', 'ImageScores', 'class_areas', 'image_scores']
