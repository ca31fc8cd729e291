"""Images of which the views of a model would see nothing."""

from collections.abc import Iterator

from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.model import BaseDataPreprocessor
from mmseg.models import BaseSegmentor
from mmseg.registry import MODELS
from torch.utils.data import Dataset

from ...models.utils import merge_preprocessors
from ...models.views import Views, build_views
from ...utils import UserError
from ...utils.spacing import evenly_spaced
from ...utils.undisturbed_random_numbers import undisturbed_random_numbers

LOOKED_AT = 5  # images of each source that are loaded to see their range: a single one may be a dark one


def view_problems(dataset: Dataset, model: BaseSegmentor) -> Iterator[str]:
    """What is wrong with the images of both sources. They are first drawn when the ramp begins, which may be hours later."""
    views = getattr(model, 'views', None)
    if views is not None:
        yield from range_problems(dataset, views, model.data_preprocessor)


def built_views(cfg: Config) -> tuple[Views, BaseDataPreprocessor] | None:
    """The views of a config whose model is not built, and what they are behind; None where it has none."""
    model = cfg.get('model') or {}
    view = model.get('view')
    first = (model.get('branches') or [model.get('branch') or {}])[0]
    shared = model.get('data_preprocessor') or cfg.get('data_preprocessor')
    preprocessor = merge_preprocessors(shared, first.get('data_preprocessor'))
    if not view or not preprocessor:
        return None
    built = MODELS.build(preprocessor)
    views = build_views(view, None, built, ignore_index=255)
    return None if views is None else (views, built)


def range_problems(dataset: Dataset, views: Views, preprocessor: BaseDataPreprocessor) -> Iterator[str]:
    """:func:`view_problems` of a model that is not built."""
    parts = getattr(dataset, 'datasets', [])
    if len(parts) != 2:
        return
    with undisturbed_random_numbers():
        samples = [pseudo_collate([part[index]]) for part in parts for index in evenly_spaced(len(part), LOOKED_AT)]
        try:
            views.check([preprocessor(sample, training=True)['inputs'] for sample in samples])
        except UserError as error:
            yield f'model.{error}'
