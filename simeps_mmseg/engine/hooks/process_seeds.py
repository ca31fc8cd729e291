"""Processes draw different random numbers."""

from mmengine.hooks import Hook
from mmengine.runner import Runner

from ..randomness import draw_apart


class DrawApartHook(Hook):
    """Lets each of several processes draw views, CutMix boxes and dropout of its own."""

    def before_train(self, runner: Runner) -> None:
        """Seed the generators by process, once the networks have their weights."""
        draw_apart(runner)
