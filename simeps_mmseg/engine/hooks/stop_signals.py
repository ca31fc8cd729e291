"""A training that is asked to end saves where it is and says that it can go on."""

import signal
import threading

import torch
from mmengine.device import get_device
from mmengine.dist import all_reduce, is_distributed
from mmengine.hooks import CheckpointHook, EMAHook, Hook
from mmengine.logging import print_log
from mmengine.runner import Runner
from mmseg.registry import HOOKS

from ...utils import counted
from .access import find_hook, newest_checkpoint, optim_wrappers

RESUMABLE = 75  # EX_TEMPFAIL of sysexits.h: try again later
AGREE_EVERY = 10  # iterations
SIGNALS = tuple(getattr(signal, name) for name in ('SIGTERM', 'SIGHUP') if hasattr(signal, name))


@HOOKS.register_module()
class StopSignalHook(Hook):
    """Ends a training at the end of the update in which SIGTERM or SIGHUP arrives, with a checkpoint of that step.

    Schedulers send SIGTERM before they take a machine away, terminals SIGHUP when they are closed (under ``nohup`` it stays
    ignored). The process then ends with exit code 75, by which a script knows that ``--resume`` goes on. A validation under
    way is given up, and repeated on resume.

    Checkpoints by epochs are those of whole epochs: the steps since the last one are lost. Where steps were trained and there
    is no checkpoint at all, the exit code is that of a process that the signal ends: 128 and its number.
    """

    priority = 'LOWEST'  # after the checkpoint of the step, if it has one anyway

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._agreed: signal.Signals | None = None
        self._before: dict = {}
        self._validates = False

    def before_train(self, runner: Runner) -> None:
        """Install the handlers of the signals."""
        if threading.current_thread() is not threading.main_thread():
            return  # only the main thread may
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._receive)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None, outputs: dict | None = None
    ) -> None:
        """End here, if asked to, but not within a sum of gradients (``accumulative_counts``), which no checkpoint holds.

        Several processes agree on it every few steps, as that makes each wait for the device.
        """
        if not is_distributed() or (runner.iter + 1) % AGREE_EVERY == 0:
            self._agreed = self._agree()
        if self._agreed and between_updates(runner):
            self._stop(runner, runner.iter + 1, self._agreed)

    def after_val_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None, outputs: object = None
    ) -> None:
        """End within a validation. Processes have different numbers of images to validate, so several wait for its end."""
        if self._before and not is_distributed() and between_updates(runner) and (received := self._agree()):
            self._stop(runner, runner.iter, received)

    def before_val_epoch(self, runner: Runner) -> None:
        """Remember that ``EMAHook``, which goes before, has exchanged the weights for their average."""
        self._validates = True

    def after_val_epoch(self, runner: Runner, metrics: dict | None = None) -> None:
        """Remember that it has put them back."""
        self._validates = False

    def after_train(self, runner: Runner) -> None:
        """Put back the handlers that were there before."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def _receive(self, number: int, frame: object) -> None:
        self.received = signal.Signals(number)
        if hasattr(
            signal, 'SIGCHLD'
        ):  # PyTorch's handler raises in the middle of a step when a worker dies of the signal
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        if self._before.get(number) is not None:  # a second one ends the process at once, should the step never end
            signal.signal(number, self._before[number])

    def _agree(self) -> signal.Signals | None:
        """The signal that any process received; from here on each has."""
        if is_distributed():
            number = torch.tensor(int(self.received or 0), device=get_device())
            all_reduce(number, 'max')
            self.received = signal.Signals(int(number.item())) if number.item() else None
        return self.received

    def _stop(self, runner: Runner, step: int, received: signal.Signals) -> None:
        words, code = 'nothing was trained yet', RESUMABLE
        if self._validates and (average := find_hook(runner, EMAHook)):
            average.after_val_epoch(runner)  # the weights, and not their average
        if step > 0 and save_step(runner, step):
            words = f'saved at iteration {step}; continue with --resume'
        elif step > 0 and (last := newest_checkpoint(runner)):
            words = (
                f'no checkpoint of iteration {step}; what was trained after {last.name} is lost; continue with --resume'
            )
        elif step > 0:
            words = f'{counted(step, "iteration")} trained and no checkpoint written yet: they are lost'
            code = 128 + received
        print_log(f'{received.name}: {words}', 'current')
        self.after_train(runner)
        raise SystemExit(int(code))


def between_updates(runner: Runner) -> bool:
    """Whether no gradients wait for more: always, but with ``accumulative_counts``."""
    return all(wrapper.should_update() for wrapper in optim_wrappers(runner))


def save_step(runner: Runner, step: int) -> bool:
    """Save the state after a step unless the training's ``CheckpointHook`` just has, or saves by epochs.

    Returns:
        Whether there is a checkpoint of that step.
    """
    hook = next((hook for hook in runner.hooks if isinstance(hook, CheckpointHook)), None)
    if hook is None or hook.by_epoch:
        return False
    if hook.last_ckpt is None or not str(hook.last_ckpt).endswith(hook.filename_tmpl.format(step)):
        hook._save_checkpoint_with_step(runner, step, meta=dict(epoch=runner.epoch, iter=step))
    return True


def end_if_asked(runner: Runner) -> None:
    """Save and end where a signal went to the workers too, which died of it and so broke the fetch of a batch.

    The state is then that after the last step; within a sum of gradients (``accumulative_counts``) what was summed is lost, so
    a resumed training does not end with the same bits. Does nothing where no signal has arrived.

    Raises:
        SystemExit: With the exit code that says "resumable".
    """
    for hook in runner.hooks:
        if isinstance(hook, StopSignalHook) and hook.received is not None and not is_distributed():
            hook._stop(runner, runner.iter, hook.received)
