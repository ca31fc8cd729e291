"""Classes of masks renumbered by a stock step of a pipeline, as configs that were exported have it."""

from collections.abc import Iterable, Mapping

from ..utils.config_tree import type_name


def renumbering(label_map: Mapping[int, int]) -> dict:
    """A stock step of a pipeline that has ``LoadAnnotations`` renumber the classes of a mask.

    ``BaseSegDataset`` renumbers between the classes of its own type and those of its ``metainfo``, and itself has none. What
    does it is ``label_map`` of each sample. Once ``PackSegInputs`` has packed the image away, ``Resize`` does no more than to
    write its ``scale`` into the sample, whatever that is; ``KeyMapper`` takes that alone, under its new name, and leaves the
    image as it was.

    Args:
        label_map: New class of each old one; 255 leaves it out.

    Example:
        >>> from mmseg.registry import TRANSFORMS
        >>> TRANSFORMS.build(renumbering({0: 0, 1: 255, 2: 1}))(dict(label_map=None))
        {'label_map': {0: 0, 1: 255, 2: 1}}
    """
    steps = [dict(type='PackSegInputs', meta_keys=()), dict(type='Resize', scale=dict(label_map))]
    return dict(type='KeyMapper', transforms=steps, remapping=dict(scale='label_map'))


def renumbered_by(pipeline: Iterable[Mapping]) -> dict[int, int] | None:
    """What a pipeline renumbers by such a step; None without one.

    Example:
        >>> renumbered_by([dict(type='LoadImageFromFile'), renumbering({0: 0, 1: 255, 2: 1})])
        {0: 0, 1: 255, 2: 1}
    """
    for step in pipeline:
        if type_name(step.get('type', '')) == 'KeyMapper' and dict(step.get('remapping') or {}) == dict(
            scale='label_map'
        ):
            return dict(step['transforms'][-1]['scale'])
    return None
