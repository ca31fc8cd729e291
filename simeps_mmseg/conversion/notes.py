"""What the user should know of a conversion."""

from collections.abc import Iterator, Sequence

from mmengine.config import Config

from ..utils.config_kinds import counts_epochs
from .schedule import steps_of_an_epoch
from .statements import LAYER_DECAY


def notes(base: Config, cfg: Config, asking: Sequence[str]) -> Iterator[str]:
    """What to know of a supervised config and of what became of it.

    Args:
        base: The supervised config.
        cfg: What was written.
        asking: Types of the steps that ask for a mask.
    """
    if asking:
        yield f'{", ".join(asking)} ask for a mask and are left out of the unlabelled pipeline'
    if counts_epochs(base.get('train_cfg') or {}):
        epochs, iters = base.train_cfg.max_epochs, cfg.train_cfg.max_iters
        steps = steps_of_an_epoch(base.train_dataloader)
        shortened = f', brought to {iters} by --iters' if iters != epochs * steps else ''
        yield (
            f'there are no epochs in an endless stream: {epochs} epochs of {steps} steps, as the supervised config has them '
            f'on its own training set, are {epochs * steps} iterations{shortened}'
        )
    if not cfg.get('load_from'):
        yield (
            'without --checkpoint the branches start from nothing, and a share of the schedule goes to labels alone '
            '(SemiSupervisedHook.labels_only_share). Better train the supervised config first and give its checkpoint'
        )
    constructor = base.optim_wrapper.get('constructor')
    if constructor not in (None, 'DefaultOptimWrapperConstructor', *LAYER_DECAY):
        yield f'{constructor} sees the names of the parameters with branches.0. and so on before them'
    if base.optim_wrapper.get('clip_grad'):
        yield (
            'optim_wrapper.clip_grad stays as it is and clips the gradient of all branches together; a max_norm larger by '
            'the root of their number (1.7 for three) clips each about as it was clipped alone'
        )
    if not ((cfg.get('default_hooks') or {}).get('checkpoint') or {}).get('save_best'):
        yield (
            'no best checkpoint is kept, as the scores of the validation are not known: set '
            'default_hooks.checkpoint.save_best to keep the best weights'
        )
