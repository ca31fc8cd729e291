"""The pipeline of the unlabelled images, from that of the labelled ones."""

from collections.abc import Iterable, Sequence
from typing import Any

from mmseg.registry import TRANSFORMS

from ..utils.config_tree import NESTING, walk_steps
from ..utils.undisturbed_random_numbers import undisturbed_random_numbers

LOADS_LABELS = ('LoadBiomedicalAnnotation', 'LoadDepthAnnotation')  # beside whatever has LoadAnnotations in its name
NEED_MASK = ('GenerateEdge',)  # is nothing without a mask
MASK_KEYS = ('seg_map_path', 'gt_seg_map', 'gt_semantic_seg', 'seg_fields', 'gt_edge_map')
# Steps that look at a mask by an option, and what keeps them from it.
WITHOUT_LOOKING: dict[str, dict[str, object]] = dict(RandomCrop=dict(cat_max_ratio=1.0))
# Steps that a folder of single images cannot feed, and what they are for.
OTHER_TASKS = dict(
    LoadMultipleRSImageFromFile='change detection between two images',
    ConcatCDInput='change detection between two images',
    LoadDepthAnnotation='depth estimation',
    RandomDepthMix='depth estimation',
)


def loads_labels(kind: str) -> bool:
    """Whether a transform of this name opens the ground truth.

    Example:
        >>> loads_labels('mmseg.LoadAnnotations'), loads_labels('LoadImageFromFile')
        (True, False)
    """
    name = kind.split('.')[-1]
    return 'LoadAnnotations' in name or name in LOADS_LABELS


def unlabeled_changes(pipeline: Sequence[dict], any_depth: bool = True) -> dict[str, dict]:
    """By type of step, the options that change for images without masks.

    ``RandomCrop`` keeps its first crop. With ``any_depth``, ``LoadImageFromFile`` becomes ``LoadImageAsUint8`` where it reads
    ordinary colour images.

    Example:
        >>> unlabeled_changes([dict(type='LoadImageFromFile'), dict(type='RandomCrop', cat_max_ratio=0.75)])
        {'LoadImageFromFile': {'type': 'LoadImageAsUint8'}, 'RandomCrop': {'cat_max_ratio': 1.0}}
    """
    changes: dict[str, dict] = {}
    for step in walk_steps(pipeline):
        kind = step.get('type')
        if any_depth and kind == 'LoadImageFromFile' and _is_ordinary(step):
            changes[kind] = dict(type='LoadImageAsUint8')
        elif kind in WITHOUT_LOOKING and any(
            step.get(key, value) != value for key, value in WITHOUT_LOOKING[kind].items()
        ):
            changes[kind] = WITHOUT_LOOKING[kind]
    return changes


def _is_ordinary(step: dict) -> bool:
    fixed = dict(color_type='color', imdecode_backend='cv2', file_client_args=None)
    return all(step.get(key, value) == value for key, value in fixed.items())


def steps_that_need_masks(pipeline: Sequence[dict]) -> list[str]:
    """Types of the steps that have to go, each once."""
    kinds = [str(step.get('type')) for step in walk_steps(pipeline)]
    return list(dict.fromkeys(kind for kind in kinds if loads_labels(kind) or kind in NEED_MASK))


def unlabeled_pipeline(pipeline: Sequence[dict], dropped: Iterable[str], changes: dict[str, dict]) -> list[dict]:
    """A pipeline without the steps that are dropped, and with the options that are changed; nested ones likewise.

    Example:
        >>> unlabeled_pipeline([dict(type='LoadAnnotations'), dict(type='PackSegInputs')], ['LoadAnnotations'], {})
        [{'type': 'PackSegInputs'}]
    """
    dropped = tuple(dropped)

    def convert(node: Any) -> Any:
        if isinstance(node, (list, tuple)):
            return [convert(step) for step in node if not (isinstance(step, dict) and step.get('type') in dropped)]
        changed = {**node, **changes.get(node.get('type'), {})}
        if node.get('type') in NESTING:
            changed['transforms'] = convert(node['transforms'])
        return changed

    return convert(pipeline)


@undisturbed_random_numbers(gpu=False)
def steps_that_ask_for_masks(pipeline: Sequence[dict], image: str) -> list[str]:
    """Types of the steps that fail for want of a mask when an image passes them.

    Args:
        pipeline: Without the steps that are known to need one.
        image: Path of an image that can be read.

    Returns:
        At most one type for each outermost step. Steps that fail for another reason are not among them.
    """
    asking = []
    sample = dict(img_path=image, seg_fields=[], reduce_zero_label=False, label_map=None)
    for step in pipeline:
        try:
            after = TRANSFORMS.build(dict(step))(dict(sample))
        except KeyError as error:
            if error.args and error.args[0] in MASK_KEYS:
                asking.append(step['type'])
                continue
            break
        except Exception:  # not about masks: building the data set will tell
            break
        if after is None:
            break
        sample = after
    return asking
