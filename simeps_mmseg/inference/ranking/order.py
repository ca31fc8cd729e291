"""Images by the disagreement of the branches, those of each class taking turns, near-duplicates last."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ...datasets.selection import thin_out
from ...evaluation.uncertainty import ImageUncertainty


@dataclass
class RankedImage:
    """One line of the ranking.

    Attributes:
        name: Path below the folder that was given; with ``split_in`` the name in the split.
        uncertainty: What the branches do not agree on.
        repeats: Name of the better ranked image that this one resembles; empty for those that are to be labelled.
    """

    name: str
    uncertainty: ImageUncertainty
    repeats: str = ''


def rank(
    names: Sequence[str], uncertainties: Sequence[ImageUncertainty], features: np.ndarray, similarity: float
) -> list[RankedImage]:
    """Images by falling score, their likeliest classes taking turns; near-duplicates of better ones behind all others.

    By score alone the classes that the networks know least would take nearly all of the first places.

    Args:
        names: Of the images.
        uncertainties: One each.
        features: One row each, shape (n, d).
        similarity: Cosine above which images are near-duplicates.
    """
    if not names:
        return []
    order = sorted(range(len(names)), key=lambda index: (-uncertainties[index].score, names[index]))
    repeats = thin_out(features, order, similarity)
    turns = take_turns([index for index in order if repeats[index] < 0], lambda index: uncertainties[index].likeliest)
    kept = [RankedImage(names[index], uncertainties[index]) for index in turns]
    thinned = [
        RankedImage(names[index], uncertainties[index], names[repeats[index]]) for index in order if repeats[index] >= 0
    ]
    return kept + thinned


def take_turns(order: Sequence[int], group_of: Callable[[int], int]) -> list[int]:
    """The first of each group, then the second of each, and so on; within a round as in ``order``."""
    places: Counter[int] = Counter()
    rounds = []
    for index in order:
        rounds.append(places[group_of(index)])
        places[group_of(index)] += 1
    return [index for _, index in sorted(zip(rounds, order), key=lambda pair: pair[0])]
