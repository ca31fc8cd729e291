"""What a config says of its validation: the score that decides, and the smallest region that counts."""

from mmengine.config import Config

from ..engine.checks.scores import evaluators
from ..evaluation.functional import without_prefix


def decided_by(cfg: Config) -> str | None:
    """The score by which a training keeps its best checkpoint; None where it keeps none, or says ``auto``."""
    wanted = ((cfg.get('default_hooks') or {}).get('checkpoint') or {}).get('save_best')
    first = wanted[0] if isinstance(wanted, list | tuple) and wanted else wanted
    return next(iter(without_prefix({first: None}))) if isinstance(first, str) and first != 'auto' else None


def smallest_region(cfg: Config, split: str) -> int:
    """Pixels of the smallest region that the metric of a config counts (``min_area`` of ``DefectIoUMetric``); 1 by default."""
    return next((metric['min_area'] for metric in evaluators(cfg, split).values() if 'min_area' in metric), 1)
