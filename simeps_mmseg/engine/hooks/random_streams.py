"""A resumed training draws the random numbers that it would have drawn without the interruption."""

import logging

from mmengine.dist import all_gather_object, get_dist_info
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner
from mmseg.registry import HOOKS

from ..randomness import (
    PositionedSampler,
    SeededItems,
    generator_states,
    set_generator_states,
    set_torch_states,
)

STATES = 'random_streams'  # key in the checkpoint: one entry per process


@HOOKS.register_module()
class RandomStreamsHook(Hook):
    """Keeps the states of the generators in the checkpoints, and seeds each sample by its position in the stream.

    Args:
        by_position: Whether what is drawn while a sample is loaded depends on the seed and on the sample's position alone.
            A resume is then exact with worker processes too, and so is one with another number of them. False: it comes from
            the generators of the process that loads, as in MMSegmentation; a resume is then exact without workers only, and
            with an mmengine that skips batches without loading them (OneDL's).
    """

    priority = 'VERY_HIGH'  # before whatever draws in a step

    def __init__(self, by_position: bool = True) -> None:
        self.by_position = by_position
        self._loaded: list[dict] | None = None  # of all processes, out of the checkpoint
        self._resumed: dict | None = None  # of this one, until the first step
        self._before_validation: dict | None = None
        self._gathered: list[dict] | None = None

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Take the states out of a checkpoint; ``before_train`` knows whether it is one to go on from."""
        self._loaded = checkpoint.get(STATES)

    def before_train(self, runner: Runner) -> None:
        """Seed samples by position; find the states to go on from."""
        if self.by_position:
            seed_samples(runner)
        if runner.iter == 0 or self._loaded is None:
            return
        rank, world_size = get_dist_info()
        if len(self._loaded) == world_size:
            self._resumed = self._loaded[rank]
        else:
            print_log(
                f'the checkpoint has the generator states of {len(self._loaded)} processes, and now there are {world_size}: '
                'images and their augmentation go on as they would have, views, CutMix and dropout are drawn anew',
                'current',
                logging.WARNING,
            )
        self._loaded = None

    def before_train_epoch(self, runner: Runner) -> None:
        """Go on from them, now that everything is checked, which draws too."""
        if self._resumed is not None:
            set_generator_states(self._resumed)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: dict | None = None) -> None:
        """Take back what the data loader drew when it was started anew."""
        if self._resumed is not None:
            set_torch_states(self._resumed)
            self._resumed = None

    def before_val(self, runner: Runner) -> None:
        """Remember the states: a checkpoint that is written during a validation needs them, as it is then repeated."""
        self._before_validation = generator_states()

    def after_val(self, runner: Runner) -> None:
        """Take back what it drew: a loader that starts its workers draws once, one that kept them does not."""
        if self._before_validation is not None:
            set_generator_states(self._before_validation)
            self._before_validation = None

    def before_checkpoint(self, runner: Runner) -> None:
        """Collect the states of all processes; on each of them, before one writes."""
        self._gathered = all_gather_object(self._before_validation or generator_states())

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Put them into the checkpoint."""
        states, self._gathered = self._gathered, None
        if states is None and get_dist_info()[1] == 1:  # whoever saves without CheckpointHook
            states = [self._before_validation or generator_states()]
        if states is not None:
            checkpoint[STATES] = states


def seed_samples(runner: Runner) -> None:
    """Let the training's data loader give each sample random numbers of its own, in place."""
    loop = runner.train_loop
    loader, dataset = loop.dataloader, loop.dataloader.dataset
    batches = loader.batch_sampler
    if not hasattr(batches, 'sampler') or isinstance(batches.sampler, PositionedSampler):
        return
    iterator = getattr(loop, 'dataloader_iterator', None)
    skips = hasattr(iterator, 'skip_iter') and hasattr(loader.sampler, 'skip')  # else they are drawn and thrown away
    start = runner.iter * batches.batch_size if skips else 0
    batches.sampler = PositionedSampler(batches.sampler, start, *get_dist_info())
    dataset.__getitems__ = SeededItems(dataset, runner.seed)
    if iterator is not None:  # some versions of mmengine have started the workers already, which have drawn ahead
        if hasattr(loader.sampler, 'skip'):
            loader.sampler.skip(0)
        loader._iterator = None  # persistent workers, which have the data set as it was, would be taken again
        loop.dataloader_iterator = type(iterator)(loader)
