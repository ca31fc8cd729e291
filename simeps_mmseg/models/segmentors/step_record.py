"""What a training step leaves for hooks to look at."""

from dataclasses import dataclass

from torch import Tensor


@dataclass
class StepRecord:
    """Label maps of the last training step, for hooks that watch the pseudo-labels. All detached int64.

    Attributes:
        labels: Ground truth of the labelled images, (b_l, h, w), or None without any.
        pseudo_labels: One (b_u, h, w) map per branch, or an empty list without unlabelled images; ``ignore_index`` where a
            pixel got none.
        predictions: The branches' own classes on the unlabelled images, likewise.
        ignore_index: The value that does not count.
    """

    labels: Tensor | None
    pseudo_labels: list[Tensor]
    predictions: list[Tensor]
    ignore_index: int
