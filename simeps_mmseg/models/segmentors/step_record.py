"""What a training step leaves for hooks to look at."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from torch import Tensor

from ...utils.class_maps import likeliest_class


@dataclass
class StepRecord:
    """Label maps of the last training step, for hooks that watch the pseudo-labels. All detached.

    Attributes:
        labels: Ground truth of the labelled images, int64 (b_l, h, w), or None without any.
        pseudo_labels: One int64 (b_u, h, w) map per branch, or an empty list without unlabelled images; ``ignore_index``
            where a pixel got none.
        outputs: What the branches say of the unlabelled images: logits (b_u, C, h, w), or classes (b_u, h, w).
        ignore_index: The value that does not count.
        padding: For each of ``outputs`` where it shows no image, bool (b_u, h, w); empty where all show one everywhere.
    """

    labels: Tensor | None
    pseudo_labels: list[Tensor]
    outputs: Sequence[Tensor]
    ignore_index: int
    padding: list[Tensor] = field(default_factory=list)

    @property
    def predictions(self) -> list[Tensor]:
        """Classes (b_u, h, w) of ``outputs``, ``ignore_index`` in padding. A look at whole maps: most steps are spared it."""
        found = [likeliest_class(output, dim=1) if output.ndim == 4 else output for output in self.outputs]
        hidden = [one.masked_fill(padded, self.ignore_index) for one, padded in zip(found, self.padding)]
        return hidden or found
