"""Checkpoints that are whole or not there."""

from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.fileio import LocalBackend, register_backend
from mmengine.hooks import CheckpointHook
from mmengine.logging import HistoryBuffer
from mmengine.runner import Runner
from mmseg.registry import HOOKS

from ...utils.files import sync_to_disk, whole_file
from ...utils.weights import check_finite
from ..resume import POINTER, own_file

WHOLE_FILES = 'whole_files'  # name of the backend below


class WholeFileBackend(LocalBackend):
    """mmengine's backend for local files, which are written whole or not at all."""

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write bytes to a file."""
        with whole_file(filepath) as partial:
            partial.write_bytes(obj)
            sync_to_disk(partial)
        sync_to_disk(Path(filepath).parent)


register_backend(WHOLE_FILES, WholeFileBackend, force=True)


@HOOKS.register_module()
class WholeCheckpointHook(CheckpointHook):
    """``CheckpointHook`` after which a work folder has a good checkpoint at every moment.

    A file is written beside its place, brought to the disk and renamed; ``last_checkpoint`` follows, and only then are older
    files removed. A file that is there is never written again: mmengine's hook writes the newest checkpoint a second time
    after a new best one. What follows from a validation is therefore not in the checkpoint of its step;
    ``MissedValidationHook`` repeats that validation on resume. Only files of its own kinds in its own folder are removed,
    whatever paths a resumed checkpoint names. Weights that are NaN or infinite are not written.

    Args:
        log_history: Number of last values of each logged scalar that go into a checkpoint. None: all, some 20 MB after
            48,000 steps.
        **kwargs: Of mmengine's ``CheckpointHook``.
    """

    backend_args: dict | None

    def __init__(self, log_history: int | None = 1000, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.log_history = log_history

    # -- what a resumed checkpoint brings ----------------------------------------------------------------------------

    def before_train(self, runner: Runner) -> None:
        """Take names of files out of a resumed checkpoint, and no paths."""
        info = runner.message_hub.runtime_info
        steps = info.get('keep_ckpt_ids')
        if steps is not None:
            info['keep_ckpt_ids'] = [step for step in steps if type(step) is int] if isinstance(steps, list) else []
        for key in [key for key in info if key == 'best_ckpt' or key.startswith('best_ckpt_')]:
            file = own_file(self._folder(runner), info[key], r'best_.+\.pth')
            info[key] = str(file) if file else None
        super().before_train(runner)
        if self.file_client_args is None and not self.backend_args and isinstance(self.file_backend, LocalBackend):
            self.backend_args = dict(backend=WHOLE_FILES)

    def _folder(self, runner: Runner) -> str:
        """Where ``CheckpointHook`` writes; it settles that in its own ``before_train``."""
        if self.out_dir is None or self.out_dir == runner.work_dir:
            return runner.work_dir
        return str(Path(self.out_dir) / Path(runner.work_dir).name)

    # -- writing -----------------------------------------------------------------------------------------------------

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        outdated = []
        if self.max_keep_ckpts > 0 and step not in self.keep_ckpt_ids:
            while len(self.keep_ckpt_ids) >= self.max_keep_ckpts:
                outdated.append(self.keep_ckpt_ids.popleft())
            self.keep_ckpt_ids.append(step)
            runner.message_hub.update_info('keep_ckpt_ids', list(self.keep_ckpt_ids))
        name = self.filename_tmpl.format(step)
        self.last_ckpt = self.file_backend.join_path(self.out_dir, name)
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        options = dict(save_optimizer=self.save_optimizer, save_param_scheduler=self.save_param_scheduler)
        runner.call_hook('before_checkpoint')  # on every process; the next line saves on the first alone
        runner.save_checkpoint(
            self.out_dir,
            name,
            self.file_client_args,
            meta=meta,
            by_epoch=self.by_epoch,
            backend_args=self.backend_args,
            **options,
            **self.args,
        )
        if is_main_process():
            with whole_file(Path(runner.work_dir) / POINTER) as pointer:
                pointer.write_text(self.last_ckpt)
                sync_to_disk(pointer)
            for old in outdated:
                self._remove(self.filename_tmpl.format(old))

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Refuse weights that are no numbers; leave out what is old in the log."""
        check_finite(checkpoint['state_dict'], f'iteration {checkpoint["meta"]["iter"]}: the network')
        if self.log_history is not None:
            logs = checkpoint['message_hub']['log_scalars']
            checkpoint['message_hub']['log_scalars'] = {
                key: shortened(buffer, self.log_history) for key, buffer in logs.items()
            }

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        if not self.save_best:
            return
        last, self.last_ckpt = self.last_ckpt, None  # mmengine's hook would write the newest checkpoint once more
        before, has_one = self._best(), hasattr(self, 'best_ckpt_path')
        if has_one:  # it would also remove the old best one before the new one is there
            self.best_ckpt_path = None
        else:
            self.best_ckpt_path_dict = dict.fromkeys(before)
        super()._save_best_checkpoint(runner, metrics)
        self.last_ckpt = last
        for key, old in before.items():
            new = self._best().get(key)
            if new is None and has_one:
                self.best_ckpt_path = old
            elif new is None:
                self.best_ckpt_path_dict[key] = old
            elif old and old != new and is_main_process():
                self._remove(Path(old).name)

    def _best(self) -> dict[str, str | None]:
        """The best checkpoint by score."""
        return {'': self.best_ckpt_path} if hasattr(self, 'best_ckpt_path') else dict(self.best_ckpt_path_dict)

    def _remove(self, name: str) -> None:
        """Remove a file of the folder of checkpoints."""
        path = self.file_backend.join_path(self.out_dir, name)
        if self.file_backend.isfile(path):
            self.file_backend.remove(path)


def shortened(buffer: HistoryBuffer, length: int) -> HistoryBuffer:
    """The last values of a log."""
    values, counts = buffer.data
    return HistoryBuffer(values[-length:], counts[-length:], buffer.max_length)
