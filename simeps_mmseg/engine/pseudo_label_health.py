"""Whether the pseudo-labels are alive: agreement of the branches, and each class against its labelled share."""

from collections.abc import Mapping, Sequence

import torch
from mmengine.device import get_device
from mmengine.dist import all_gather_object, is_distributed
from torch import Tensor

from ..models.segmentors import StepRecord


def class_counts(labels: Tensor, num_classes: int) -> Tensor:
    """(C,) int64 pixels of each class in a map of any shape; values that are no class do not count.

    No value leaves the device: ``torch.bincount`` and masks would wait for the GPU in every step.
    """
    bins = torch.where((labels >= 0) & (labels < num_classes), labels, num_classes).flatten()
    return bins.new_zeros(num_classes + 1).scatter_add_(0, bins, torch.ones_like(bins))[:num_classes]


def agreement(predictions: Sequence[Tensor], ignore_index: int) -> Tensor:
    """Share of the pixels on which all maps, each of the same shape, hold the same class: a float scalar.

    Of those that count in all maps; 1 without any.
    """
    first, *others = predictions
    counted = first != ignore_index
    same = counted.clone()
    for other in others:
        counted &= other != ignore_index
        same &= first == other
    return torch.where(counted.any(), (same & counted).sum() / counted.sum(), 1.0)


def by_class(statistics: Mapping[str, float], kind: str) -> dict[str, float]:
    """``kind.<class>`` of :meth:`PseudoLabelHealth.compute` by class, in the order of the classes."""
    prefix = f'{kind}.'
    return {key.removeprefix(prefix): value for key, value in statistics.items() if key.startswith(prefix)}


def added_up(states: Sequence[dict]) -> dict:
    """The sums of several processes as one, each as :meth:`PseudoLabelHealth.state_dict` gives them."""
    names = dict.fromkeys(name for state in states for name in state['counts'])
    counts = {name: sum(state['counts'][name] for state in states if name in state['counts']) for name in names}
    return dict(counts=counts, agreements=[value for state in states for value in state['agreements']])


class PseudoLabelHealth:
    """Averages over training steps, kept on the device until asked for.

    Args:
        classes: Names of the classes.
    """

    def __init__(self, classes: Sequence[str]) -> None:
        self.classes = list(classes)
        self.reset()

    def reset(self) -> None:
        """Forget all steps."""
        self._labels: Tensor | int = 0
        self._pseudo_labels: Tensor | int = 0
        self._agreements: list[Tensor] = []

    def state_dict(self) -> dict:
        """The sums so far, on the CPU."""
        counts = {name: getattr(self, name) for name in ('_labels', '_pseudo_labels')}
        kept = {name: value.cpu() for name, value in counts.items() if isinstance(value, Tensor)}
        return dict(counts=kept, agreements=[value.item() for value in self._agreements])

    def load_state_dict(self, state: dict, device: torch.device) -> None:
        """Go on from the sums that :meth:`state_dict` gave."""
        self.reset()
        for name, value in state['counts'].items():
            setattr(self, name, value.to(device))
        self._agreements = [torch.tensor(value, device=device) for value in state['agreements']]

    def add_up(self) -> None:
        """Add what the other processes have seen: all hold the sums of all then. A single process has them anyway."""
        if is_distributed():
            self.load_state_dict(added_up(all_gather_object(self.state_dict())), get_device())

    def update(self, step: StepRecord) -> None:
        """Add one training step."""
        self.update_labels(step)
        for labels in step.pseudo_labels:
            self._pseudo_labels = self._pseudo_labels + class_counts(labels, len(self.classes))
        if step.outputs:
            self._agreements.append(agreement(step.predictions, step.ignore_index))

    def update_labels(self, step: StepRecord) -> None:
        """Add the labels of one training step alone."""
        if step.labels is not None:
            self._labels = self._labels + class_counts(step.labels, len(self.classes))

    def compute(self) -> dict[str, float]:
        """``agreement``, ``pseudo_share.<class>`` and ``label_share.<class>``, as fractions; what was not seen is left out."""
        result = {}
        if self._agreements:
            result['agreement'] = torch.stack(self._agreements).mean().item()
        for name, counts in (('pseudo_share', self._pseudo_labels), ('label_share', self._labels)):
            if isinstance(counts, Tensor) and counts.any():
                shares = (counts / counts.sum()).tolist()
                result.update({f'{name}.{label}': share for label, share in zip(self.classes, shares)})
        return result
