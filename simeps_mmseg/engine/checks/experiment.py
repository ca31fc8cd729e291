"""What can be wrong with a semi-supervised experiment, found before its first iteration."""

from collections.abc import Iterator

from mmengine.dataset import ConcatDataset
from mmengine.dist import get_world_size
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner import IterBasedTrainLoop
from mmengine.runner.base_loop import BaseLoop
from mmseg.models import BaseSegmentor
from torch.utils.data import DataLoader, Dataset

from ...datasets.labeled_unlabeled import LabeledUnlabeledDataset
from ...datasets.samplers import LabeledUnlabeledSampler
from ...models.segmentors import BaseSemiSegmentor
from ...models.utils import one_image_fails
from ...utils.dataset_tree import leaf_datasets
from ...utils.errors import refuse
from .colors import color_problems
from .sources import source_problems, validation_problems
from .views import view_problems

ONE_OPTIMIZER_STEPS = (BaseModel.train_step, BaseSemiSegmentor.train_step)


def check_experiment(train_loop: BaseLoop, model: BaseSegmentor, val_loop: BaseLoop | None = None) -> None:
    """Look at loop, sampler, sources, classes and validation set together.

    Raises:
        UserError: A ``ValueError`` with every problem found, each with its config key and what to do.
    """
    loader = train_loop.dataloader
    problems = [
        *loop_problems(train_loop),
        *model_problems(model),
        *optimizer_problems(getattr(train_loop.runner, 'optim_wrapper', None), model),
        *sampler_problems(loader, model),
        *source_problems(loader.dataset),
        *class_problems(loader.dataset, model),
    ]
    problems = problems or [*color_problems(loader.dataset)] or [*view_problems(loader.dataset, model)]
    if val_loop is not None:
        problems += validation_problems(loader.dataset, val_loop.dataloader.dataset)
    refuse('this experiment cannot train as intended', problems)


def loop_problems(loop: BaseLoop) -> Iterator[str]:
    """The sampler is endless, so an epoch would never end."""
    if not isinstance(loop, IterBasedTrainLoop):
        yield (
            f'train_cfg: {type(loop).__name__} counts epochs, but the stream of labelled and unlabelled images has none; '
            "use dict(type='IterBasedTrainLoop', max_iters=..., val_interval=...)"
        )


def model_problems(model: BaseSegmentor) -> Iterator[str]:
    """A supervised model under ``SemiSupervisedHook``, which it has no use for."""
    if not hasattr(model, 'set_rampup'):
        yield (
            f'model.type: {type(model).__name__} has no unsupervised losses to ramp; '
            'use TriBranchSemiSegmentor, or drop SemiSupervisedHook from custom_hooks'
        )


def optimizer_problems(optim_wrapper: OptimWrapper | OptimWrapperDict | None, model: BaseSegmentor) -> Iterator[str]:
    """The training step of mmengine knows one optimiser; several need a step of the model's own."""
    if isinstance(optim_wrapper, OptimWrapperDict) and type(model).train_step in ONE_OPTIMIZER_STEPS:
        names = ', '.join(optim_wrapper.keys())
        yield (
            f'optim_wrapper: {len(optim_wrapper)} optimisers ({names}), but {type(model).__name__} makes '
            'one step with all losses; use one optimiser, with paramwise_cfg where parts differ'
        )


def sampler_problems(loader: DataLoader, model: BaseSegmentor) -> Iterator[str]:
    """The shares of a batch against its size and against what the similarity map needs."""
    sampler = loader.sampler
    if not isinstance(sampler, LabeledUnlabeledSampler):
        if isinstance(loader.dataset, LabeledUnlabeledDataset):
            yield (
                f'train_dataloader.sampler: {type(sampler).__name__} draws labelled and unlabelled images as they come; use '
                "dict(type='LabeledUnlabeledSampler', num_labeled=..., num_unlabeled=...)"
            )
        return
    if loader.batch_size != sampler.batch_size:
        yield (
            f'train_dataloader: batch_size={loader.batch_size}, but the sampler draws num_labeled={sampler.num_labeled} '
            f'+ num_unlabeled={sampler.num_unlabeled} = {sampler.batch_size}; make them equal'
        )
    single = [name for name in ('num_labeled', 'num_unlabeled') if getattr(sampler, name) == 1]
    # What is normalised by running statistics may be one image.
    trained = [name for name in single if name == 'num_labeled' or not getattr(model, 'unlabeled_at_inference', False)]
    if trained:
        yield from pooled_norm_problems(model, trained, loader.dataset[0]['inputs'].shape)
    similarity = getattr(model, 'similarity', None)
    if similarity is None:
        return
    processes = get_world_size() if similarity.gather else 1
    for name in single:
        if processes < 2:
            yield (
                f'train_dataloader.sampler.{name}=1: the similarity map compares the images of a batch and is constant '
                'for a single one; use 2 or more, or model.similarity=None'
            )


def pooled_norm_problems(model: BaseSegmentor, single: list[str], shape: tuple[int, int, int]) -> Iterator[str]:
    """Shares of a batch with one image, which batch norm behind pooling to one pixel cannot normalise."""
    for k, branch in enumerate(getattr(model, 'branches', [])):
        if one_image_fails(branch, shape, labeled='num_labeled' in single):
            yield (
                f'train_dataloader.sampler.{" and ".join(single)}=1: branch {k} has batch norm behind pooling to one pixel '
                '(such as ASPP or PSP), which needs 2 images or more; raise the number, or use norm_cfg=dict(type="GN", ...)'
            )
            return


def class_problems(dataset: Dataset, model: BaseSegmentor) -> Iterator[str]:
    """As many classes in the head as in the data set."""
    classes = getattr(dataset, 'metainfo', {}).get('classes')
    if classes is not None and hasattr(model, 'num_classes') and len(classes) != model.num_classes:
        yield (
            f'decode_head.num_classes={model.num_classes}, but {_name(dataset)} has {len(classes)} classes: '
            f'{", ".join(classes)}'
        )


def _name(dataset: Dataset) -> str:
    return type(next(leaf_datasets(dataset))).__name__ if isinstance(dataset, ConcatDataset) else type(dataset).__name__
