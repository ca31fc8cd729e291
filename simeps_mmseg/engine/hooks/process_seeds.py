"""Processes draw different random numbers."""

from mmengine.hooks import Hook
from mmengine.runner import Runner

from ..randomness import seed_by_process


class ProcessSeedHook(Hook):
    """Lets each of several processes draw views, CutMix boxes and dropout of its own."""

    def before_train(self, runner: Runner) -> None:
        """Seed the generators by process, once the networks have their weights."""
        seed_by_process(runner)
