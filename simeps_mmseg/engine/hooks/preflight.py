"""What is looked at before the first iteration of a training."""

import logging

from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner
from mmseg.registry import HOOKS

from ...datasets.samplers import LabeledUnlabeledSampler
from ...utils import UserError
from ...utils.errors import refuse
from ..checks import check_class_weights, check_experiment, check_resumed_schedule, check_start
from ..checks.accumulation import accumulation_warning
from ..checks.colors import color_problems
from ..checks.module_names import module_name_problems
from .access import find_hook, unwrapped


class ExperimentCheckHook(Hook):
    """Checks loop, sampler, sources, classes and validation set together."""

    def before_train(self, runner: Runner) -> None:
        """Refuse an experiment that cannot train as intended."""
        look_at_experiment(runner)


@HOOKS.register_module()
class PreflightHook(Hook):
    """Checks weights to start from, the schedule of a resumed training, and what no ``SemiSupervisedHook`` checks.

    ``simeps train`` adds it to any training.
    """

    def before_run(self, runner: Runner) -> None:
        """Refuse modules that are not there, and weights of another model: mmengine loads what fits, be it nothing."""
        refuse('the config does not fit the model', module_name_problems(runner.cfg, unwrapped(runner.model)))
        if runner._load_from and not runner._resume and '://' not in runner._load_from:
            check_start(runner._load_from, unwrapped(runner.model))

    def before_train(self, runner: Runner) -> None:
        """Refuse what would train for nothing.

        Raises:
            UserError: With what was found.
        """
        is_semi = isinstance(runner.train_loop.dataloader.sampler, LabeledUnlabeledSampler)
        if is_semi and find_hook(runner, ExperimentCheckHook) is None:
            look_at_experiment(runner)
        if not is_semi and (problems := list(color_problems(runner.train_loop.dataloader.dataset))):
            raise UserError('\n'.join(problems))
        check_class_weights(unwrapped(runner.model))
        if runner.iter:
            check_resumed_schedule(runner)


def look_at_experiment(runner: Runner) -> None:
    """Refuse what cannot train as intended; warn of what may be meant otherwise."""
    model = unwrapped(runner.model)
    check_experiment(runner.train_loop, model, runner.val_loop)
    warning = accumulation_warning(runner.optim_wrapper, model)
    if warning:
        print_log(warning, 'current', logging.WARNING)
