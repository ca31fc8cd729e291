"""Classes that die out of the pseudo-labels: one rule for the training and for its report."""

import logging
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from torch import nn

from ..datasets.class_weights import class_weights
from .pseudo_label_health import by_class

# Share of its labelled share below which a class starves. Labelled images are a sample, so even perfect pseudo-labels would be
# below some limits (benchmarks/starving_limit.py): with 10 % of the labels of Magnetic Tile, Fray is below a half in 23 % of
# random splits, below a quarter in 4.5 %. A class that dies ends near zero, so the lower limit is passed only a little later.
STARVING = 0.25
STARVING_AFTER_SHARE = 0.1  # of max_iters, from the beginning of the ramp on: until then hardly any class is known


def is_starving(
    pseudo: float | np.ndarray, labeled: float | np.ndarray, fraction: float = STARVING
) -> bool | np.ndarray:
    """Whether a class gets less of the pseudo-labels than a fraction of what it gets of the labels.

    Args:
        pseudo: Its share of the pseudo-labelled pixels, or several, shape (n,).
        labeled: Its share of the labelled pixels, or several.
        fraction: Of the labelled share; 0 finds nothing.
    """
    return pseudo < fraction * labeled


def judged_after(ramp_begin: int, max_iters: int, share: float = STARVING_AFTER_SHARE) -> int:
    """The iteration after which classes are said to starve: a share of the schedule after the ramp began."""
    return ramp_begin + round(share * max_iters)


def starving_classes(shares: Mapping[str, float], fraction: float = STARVING) -> dict[str, tuple[float, float]]:
    """Classes for which :func:`is_starving` holds.

    Args:
        shares: ``pseudo_share.<class>`` and ``label_share.<class>``, as :meth:`PseudoLabelHealth.compute` gives them.
        fraction: Of the labelled share; 0 finds nothing.

    Returns:
        Pseudo-labelled and labelled share by class. Classes that the labels do not show are left out.

    Example:
        >>> shares = {'label_share.pit': 0.02, 'pseudo_share.pit': 0.001, 'label_share.ok': 0.98, 'pseudo_share.ok': 0.999}
        >>> starving_classes(shares, fraction=0.25)
        {'pit': (0.001, 0.02)}
    """
    pseudo = by_class(shares, 'pseudo_share')
    return {
        name: (pseudo[name], labeled)
        for name, labeled in by_class(shares, 'label_share').items()
        if name in pseudo and is_starving(pseudo[name], labeled, fraction)
    }


def absent_classes(shares: Mapping[str, float]) -> list[str]:
    """Classes that the labels do not show."""
    return [name for name, share in by_class(shares, 'label_share').items() if not share]


def weighs_classes(networks: nn.Module) -> bool:
    """Whether a loss inside networks has class weights."""
    return any(getattr(part, 'class_weight', None) is not None for part in networks.modules())


def remedies_on_labels(has_class_weights: bool, weights: Sequence[float] = ()) -> str:
    """What helps a class that labels alone do not teach, in the order in which to try it.

    Args:
        has_class_weights: Whether the loss on the labels weighs classes already.
        weights: Class weights that would fit, if they are known.
    """
    if has_class_weights:
        return 'the loss on the labels has class weights already, so more labels that show it, more iterations on labels alone'
    such_as = f' (of these labels CrossEntropyLoss.class_weight={list(weights)})' if len(weights) else ''
    return f'class weights in the loss on the labels{such_as}, more iterations'


def remedies(has_class_weights: bool, weights: Sequence[float] = ()) -> str:
    """What helps a class that starves, in the order in which to try it: first :func:`remedies_on_labels`.

    Args:
        has_class_weights: Whether the loss on the labels weighs classes already.
        weights: Class weights that would fit, if they are known.
    """
    part = 'cross_pseudo' if has_class_weights else 'similarity'
    return f'{remedies_on_labels(has_class_weights, weights)}, a lower model.{part}.loss_weight'


class StarvationWatch:
    """Tells once when a class begins to starve, and once when it is back.

    Args:
        fraction: See :func:`is_starving`.
        has_class_weights: Whether the loss on the labels weighs classes.

    Attributes:
        known: Classes that were told of and are not back.
    """

    def __init__(self, fraction: float = STARVING, has_class_weights: bool = False) -> None:
        self.fraction = fraction
        self.has_class_weights = has_class_weights
        self.known: set[str] = set()

    def news(self, shares: Mapping[str, float]) -> Iterator[tuple[int, str]]:
        """Level (of :mod:`logging`) and text of each change since the last call.

        A class is back once it has a share of the pseudo-labels and does not starve; images that happen not to show it do not
        bring it back.

        Args:
            shares: As for :func:`starving_classes`.
        """
        found = starving_classes(shares, self.fraction)
        for name in sorted(found.keys() - self.known):
            pseudo, labeled = found[name]
            weights = class_weights(list(by_class(shares, 'label_share').values()))
            yield (
                logging.WARNING,
                f'{name} is {pseudo:.2%} of the pseudo-labels but {labeled:.2%} of the labels. The branches may be '
                f'unlearning it. In this order: {remedies(self.has_class_weights, weights)}',
            )
        back = {name for name in self.known - found.keys() if shares.get(f'pseudo_share.{name}')}
        for name in sorted(back):
            yield logging.INFO, f'{name} is back among the pseudo-labels'
        self.known = self.known - back | found.keys()
