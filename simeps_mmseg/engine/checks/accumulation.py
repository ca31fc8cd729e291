"""Gradients that are summed over several batches, and what does not span these."""

from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmseg.models import BaseSegmentor


def accumulation_warning(optim_wrapper: OptimWrapper | OptimWrapperDict, model: BaseSegmentor) -> str | None:
    """What to know of similarity maps where an update takes several batches; None where it takes one, or has no maps."""
    batches = getattr(optim_wrapper, '_accumulative_counts', 1)
    if batches < 2 or getattr(model, 'similarity', None) is None:
        return None
    return (
        f'optim_wrapper.accumulative_counts={batches}: gradients are summed over {batches} batches, but each batch has a '
        f'similarity map of its own images (model.similarity), and not one map of all {batches}; for larger maps use larger '
        'batches or more processes (docs/many_gpus.md)'
    )
