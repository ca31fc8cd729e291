"""Slips of the pen, and the words that were meant."""

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(word: str, known: Iterable[str], likeness: float = 0.6) -> str:
    """The end of a sentence on an unknown word: a question after the known one that is nearest to it, or nothing.

    Args:
        word: That is not known.
        known: Words that are.
        likeness: How alike the two have to be, by ``difflib``, in [0, 1].

    Example:
        >>> did_you_mean('exclud', ['exclude', 'split']), did_you_mean('colour', ['exclude', 'split'])
        ('; did you mean exclude?', '')
    """
    return ''.join(f'; did you mean {one}?' for one in get_close_matches(word, list(known), 1, likeness))
