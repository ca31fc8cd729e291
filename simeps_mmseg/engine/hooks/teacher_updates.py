"""Teachers follow the updates of the weights, not the batches."""

from mmengine.hooks import Hook
from mmengine.optim import OptimWrapperDict
from mmengine.runner import Runner

from .access import unwrapped


class TeacherUpdateHook(Hook):
    """Lets the teachers move once per update of the weights.

    With ``optim_wrapper.accumulative_counts`` an update takes several batches. Without this hook the teachers move before each
    of them, towards weights that have not changed since, as if their momentum were larger.
    """

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: dict | None = None) -> None:
        """Tell the segmentor whether the last batch has completed an update."""
        wrapper = runner.optim_wrapper
        if not isinstance(wrapper, OptimWrapperDict):  # whose step is the model's own
            unwrapped(runner.model).teachers_are_due = wrapper.should_update()
