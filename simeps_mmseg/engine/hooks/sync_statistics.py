"""All processes validate, and save, the same running statistics of batch norm."""

from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS

from ...models.utils import average_statistics
from .access import learned_networks


@HOOKS.register_module()
class SyncStatisticsHook(Hook):
    """Averages the running statistics of batch norm over the processes, before each validation and each checkpoint.

    Between these each process moves its own, of the branches and, through them, of the teachers. So the score of a validation
    is that of the file that is saved, whichever process writes it, and a resumed training goes on from what each process had.
    mmengine's ``SyncBuffersHook`` passes over checkpoints, and sends all buffers, counters in host memory among them. With
    ``EMAHook`` the average is validated, so its statistics are averaged, too. Does nothing in a single process.
    """

    priority = 'NORMAL'

    def before_val_epoch(self, runner: Runner) -> None:
        """Validate one network, not one per process."""
        average_statistics(learned_networks(runner).values())

    def before_checkpoint(self, runner: Runner) -> None:
        """Save what all processes go on with. ``WholeCheckpointHook`` calls this on every process; mmengine's does not."""
        average_statistics(learned_networks(runner).values())
