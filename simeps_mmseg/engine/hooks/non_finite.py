"""A training that meets NaN or infinity passes over the step, or stops and says where it came from."""

import logging
from collections.abc import Sequence
from typing import Any

import torch
import torch.distributed as dist
from mmengine.dist import all_gather_object, is_distributed
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from mmseg.registry import HOOKS
from torch import Tensor, nn

from ...models.utils.batch_norm import running_statistics
from ...models.utils.copying import copy_all
from ...utils import UserError, counted
from ...utils.weights import check_finite
from ..finite import all_finite, bad_gradients, bad_terms, describe, image_names, usable
from ..resume import last_proven, name_template
from .access import optim_wrappers, unwrapped

# Keys in the message hub, and so in the checkpoints: the number of steps that were passed over, the last that was finite.
SKIPPED, FINITE = 'skipped_steps', 'last_finite_step'


@HOOKS.register_module()
class NonFiniteHook(Hook):
    """Looks at the losses and the gradients of each step before the weights change.

    Where one is not finite, no weight changes in that step, and it is said why. After too many such steps the training stops.
    Costs one reading of a scalar from the device per iteration, the only one that is left in a step of this package: an
    optimiser that is to leave the weights alone must not be called, and whether it is called is the host's decision. To look
    one step late would let that step into the weights, and to call it and put everything back would cost a copy of weights
    and moments in each step. Also refuses checkpoints whose weights are not finite.

    Where gradients are summed over iterations (``accumulative_counts``), a loss that is not finite takes all of that sum
    along. Batch norm is set back at once: the next iteration, the moving averages and a checkpoint look at it.

    With float16 (``AmpOptimWrapper``) gradients overflow as a matter of course, and the loss scaler passes over such steps
    itself; here they count only where a loss is not finite, or where no step is taken any more.

    Args:
        max_skips: Steps that may be passed over in the whole training. 0: stop at the first.
        max_in_a_row: Likewise, one after another.
        scaler_patience: Updates in a row that a loss scaler may pass over.

    Raises:
        UserError: On a negative number.
    """

    priority = 'VERY_HIGH'

    def __init__(self, max_skips: int = 100, max_in_a_row: int = 5, scaler_patience: int = 50) -> None:
        for name, value in dict(
            max_skips=max_skips, max_in_a_row=max_in_a_row, scaler_patience=scaler_patience
        ).items():
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                raise UserError(f'NonFiniteHook.{name} must be an integer of 0 or more, got {value!r}')
        self.max_skips = max_skips
        self.max_in_a_row = max_in_a_row
        self.scaler_patience = scaler_patience
        self._runner: Runner  # from before_train on
        self._wrappers: list[OptimWrapper] = []
        self._handles: list = []
        self._losses: list[dict[str, Tensor]] = []  # of this step, one per batch
        self._batches: list[dict | None] = []
        self._stepped = self._skipped = False
        self._spoiled = False  # whether a sum of gradients holds one of a step that was passed over
        self._in_a_row = self._without_step = 0
        self._statistics: list[Tensor] = []  # of batch norm
        self._before: list[Tensor] = []  # what they were before the step

    # -- what the runner calls ---------------------------------------------------------------------------------------

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Refuse weights that are not finite."""
        check_finite(checkpoint.get('state_dict', checkpoint), 'the checkpoint to load')

    def before_train(self, runner: Runner) -> None:
        """Watch the losses of the model and each step of the optimisers."""
        self.after_train(runner)
        self._runner = runner
        self._wrappers = optim_wrappers(runner)
        self._handles = [unwrapped(runner.model).register_forward_hook(self._keep_losses)]
        self._handles += [wrapper.optimizer.register_step_pre_hook(self._before_step) for wrapper in self._wrappers]

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: dict | None = None) -> None:
        """Remember the images, and the statistics of batch norm, which one forward pass can spoil for good."""
        if not self._batches:
            self._keep_statistics(runner.model)
        self._batches.append(data_batch)
        self._losses.append({})

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None, outputs: dict | None = None
    ) -> None:
        """Count what was passed over."""
        summed = all(wrapper.should_update() for wrapper in self._wrappers)  # all gradients of a step
        if not self._stepped and not self._skipped:  # a loss scaler passed over the step, or more gradients are to come
            self._without_step += summed
            if self._losses and not on_all_processes(all_finite(self._losses[-1].values())):
                self._skip()
                self._spoiled = True
            elif self._without_step > self.scaler_patience:
                _, names = self._of_all_processes()
                raise UserError(self._diagnosis(f'no step for {counted(self._without_step, "update")}', names))
        if summed:
            self._spoiled = False
        if self._stepped:
            self._in_a_row = self._without_step = 0
            runner.message_hub.update_info(FINITE, runner.iter)
        if self._stepped or self._skipped:
            self._losses, self._batches = [], []
        self._stepped = self._skipped = False

    def after_train(self, runner: Runner) -> None:
        """Remove what was hung into the model and the optimizer wrapper."""
        for handle in self._handles:
            handle.remove()
        self._handles = []

    # -- what it does ------------------------------------------------------------------------------------------------

    def _keep_statistics(self, model: nn.Module) -> None:
        """Copy the statistics of batch norm into memory that stays: as clones they would be a launch for each."""
        self._statistics = running_statistics(model)
        kept = [(one.shape, one.dtype, one.device) for one in self._before]
        if kept != [(one.shape, one.dtype, one.device) for one in self._statistics]:
            self._before = [torch.empty_like(one) for one in self._statistics]
        copy_all(self._before, self._statistics)

    def _keep_losses(self, module: nn.Module, inputs: tuple, output: object) -> None:
        if module.training and isinstance(output, dict) and self._losses:
            self._losses[-1].update((name, value) for name, value in _scalars(output) if 'loss' in name)

    def _before_step(self, optimizer: torch.optim.Optimizer, *args: Any) -> None:
        """Take the gradients away where a number is not finite: without them an optimiser changes nothing."""
        parameters = [p for group in optimizer.param_groups for p in group['params'] if p.grad is not None]
        if self._spoiled:
            self._skipped = True  # was counted
            for parameter in parameters:
                parameter.grad = None
            return
        losses = [value for one in self._losses for value in one.values()]
        overflows = getattr(optimizer, 'found_inf', None)  # a fused optimiser looks at scaled gradients itself
        finite = usable([*losses, *((p.grad for p in parameters) if overflows is None else [])])
        device = parameters[0].device if parameters else None
        steps = finite if overflows is None else finite & (overflows == 0).all()
        if on_all_processes(steps, device) and not self._skipped:
            self._stepped = True
            return
        if overflows is not None and not self._skipped and on_all_processes(finite, device):
            return  # it leaves the weights alone, as the scaler tells it
        if not self._skipped:
            self._skip()
        for parameter in parameters:
            parameter.grad = None

    def _skip(self) -> None:
        self._skipped, self._stepped = True, False
        copy_all(self._statistics, self._before)
        self._in_a_row += 1
        hub = self._runner.message_hub
        total = hub.get_info(SKIPPED, 0) + 1
        hub.update_info(SKIPPED, total)
        terms, names = self._of_all_processes()
        gradients = [] if terms else bad_gradients(unwrapped(self._runner.model))
        found = describe(terms, gradients, any(clips_by_norm(wrapper) for wrapper in self._wrappers))
        if total > self.max_skips or self._in_a_row > self.max_in_a_row:
            passed = f'{total - 1} passed over, {self._in_a_row - 1} of them just before'
            raise UserError(self._diagnosis(f'{found} ({passed})', names))
        print_log(
            f'iteration {self._runner.iter + 1}: {found}. No weight changes in this step ({total} of at most '
            f'{self.max_skips} in the whole training, NonFiniteHook.max_skips)',
            'current',
            logging.WARNING,
        )

    def _of_all_processes(self) -> tuple[list[str], list[str]]:
        """The losses that are not finite, and the images of the processes that have such; of all, where none has."""
        terms = [term for losses in self._losses for term in bad_terms(losses)]
        own = (terms, [name for batch in self._batches for name in image_names(batch)])
        found = all_gather_object(own)
        found = [one for one in found if one[0]] or found
        return list(dict.fromkeys(term for bad, _ in found for term in bad)), [
            name for _, names in found for name in names
        ]

    def _diagnosis(self, found: str, names: Sequence[str]) -> str:
        return (
            f'training stops at iteration {self._runner.iter + 1}, as a number is not finite: {found}.\n'
            f'Images of the batch: {", ".join(names) or "not known"}.\n'
            f'{self._way_on()} with a lower rate (optim_wrapper.optimizer.lr), clipped gradients (optim_wrapper.clip_grad='
            'dict(max_norm=...)), or more steps to pass over (default_hooks.non_finite.max_skips)'
        )

    def _way_on(self) -> str:
        """Which checkpoint can be gone on from, and how: the beginning of a sentence."""
        runner = self._runner
        # A single step may be the fault of its images; after several it is that of the weights.
        several = max(self._in_a_row, self._without_step) > 1
        last_finite = runner.message_hub.get_info(FINITE, -1) if several else runner.iter
        good, unproven = last_proven(runner.work_dir, last_finite, name_template(runner.cfg))
        bad = f'no step from {", ".join(unproven)} was finite' if unproven else ''
        if good is None:
            return (
                f'Last good checkpoint: none{" yet" if not bad else f", as {bad}"}. Look at these images (simeps '
                'check_dataset); then begin anew'
            )
        chosen = f' --cfg-options load_from={good}' if bad else ''
        return (
            f'Last good checkpoint: {good}{f"; {bad}" if bad else ""}. Look at these images (simeps check_dataset); then go '
            f'on with --resume{chosen},'
        )


def clips_by_norm(wrapper: OptimWrapper) -> bool:
    """Whether one gradient that is not a number makes all of them so before they are looked at."""
    return bool(wrapper.clip_grad_kwargs) and wrapper.clip_func is nn.utils.clip_grad_norm_


def on_all_processes(holds: Tensor, device: torch.device | None = None) -> bool:
    """Whether a bool scalar is true on every process: all of them step, or none.

    Args:
        holds: The scalar of this process.
        device: Where processes exchange it; where it is, by default.
    """
    if is_distributed():
        holds = holds.to(device or holds.device, torch.int32)
        dist.all_reduce(holds, op=dist.ReduceOp.MIN)
    return bool(holds.item())


def _scalars(output: dict) -> list[tuple[str, Tensor]]:
    """The losses of a model by name; MMSeg allows lists of them."""
    found = []
    for name, value in output.items():
        for one in value if isinstance(value, (list, tuple)) else [value]:
            if isinstance(one, Tensor) and one.is_floating_point():
                found.append((name, one.detach()))
    return found
