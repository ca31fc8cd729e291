"""A training that is asked to end saves where it is and says that it can go on."""

import signal
import threading

import torch
from mmengine.device import get_device
from mmengine.dist import all_reduce, is_distributed
from mmengine.hooks import CheckpointHook, Hook
from mmengine.logging import print_log
from mmengine.runner import Runner
from mmseg.registry import HOOKS

RESUMABLE = 75  # EX_TEMPFAIL of sysexits.h: try again later
AGREE_EVERY = 10  # iterations
SIGNALS = tuple(getattr(signal, name) for name in ('SIGTERM', 'SIGHUP') if hasattr(signal, name))


@HOOKS.register_module()
class StopSignalHook(Hook):
    """Ends a training at the end of the step in which SIGTERM or SIGHUP arrives, with a checkpoint of that step.

    Schedulers send SIGTERM before they take a machine away, terminals SIGHUP when they are closed (under ``nohup`` it stays
    ignored). The process then ends with exit code 75, by which a script knows that ``--resume`` goes on. A validation under
    way is given up, and repeated on resume.
    """

    priority = 'LOWEST'  # after the checkpoint of the step, if it has one anyway

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._before: dict = {}

    def before_train(self, runner: Runner) -> None:
        """Listen."""
        if threading.current_thread() is not threading.main_thread():
            return  # only the main thread may
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._receive)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None, outputs: dict | None = None
    ) -> None:
        """End here, if asked to. Several processes agree on it every few steps, as that makes each wait for the device."""
        if (not is_distributed() or (runner.iter + 1) % AGREE_EVERY == 0) and self._asked():
            self._stop(runner, runner.iter + 1)

    def after_val_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None, outputs: object = None
    ) -> None:
        """End within a validation. Processes have different numbers of images to validate, so several wait for its end."""
        if self._before and not is_distributed() and self._asked():
            self._stop(runner, runner.iter)

    def after_train(self, runner: Runner) -> None:
        """Listen no more."""
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

    def _asked(self) -> bool:
        """Whether any process was."""
        if not is_distributed():
            return self.received is not None
        flag = torch.tensor(int(self.received is not None), device=get_device())
        all_reduce(flag, 'max')
        return bool(flag.item())

    def _stop(self, runner: Runner, step: int) -> None:
        saved = step > 0 and save_step(runner, step)
        name = self.received.name if self.received else 'a signal to another process'
        where = f'saved at iteration {step}; continue with --resume' if saved else 'nothing was trained or saved yet'
        print_log(f'{name}: {where}', 'current')
        self.after_train(runner)
        raise SystemExit(RESUMABLE)


def save_step(runner: Runner, step: int) -> bool:
    """Save the state after a step unless the training's ``CheckpointHook`` just has.

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

    The state is then that after the last step. Does nothing where no signal has arrived.

    Raises:
        SystemExit: With the exit code that says "resumable".
    """
    for hook in runner.hooks:
        if isinstance(hook, StopSignalHook) and hook.received is not None and not is_distributed():
            hook._stop(runner, runner.iter)
