"""Which of many images to take, without taking the same thing twice."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

# Cosine similarity of features above which images count as near-duplicates, where nothing else is asked for.
NEAR_DUPLICATE = 0.999
# Principal directions in which neighbours are looked for. A tree in more of them prunes no better.
DIRECTIONS = 12
SAMPLE = 512  # images that the directions are found from
BLOCK = 256  # images that are compared with each other one by one
SLACK = 1e-5  # by which a cosine in float32 may be off
BYTES = 2**26  # of neighbours' features at a time


def thin_out(features: NDArray[np.floating], order: Sequence[int], threshold: float) -> NDArray[np.int64]:
    """Find near-duplicates, greedily: in order, an image is kept unless it resembles one that was kept before.

    Args:
        features: One row per image, shape (n, d).
        order: Indices of the images, the best first.
        threshold: Cosine similarity above which two images are near-duplicates; 1 or more keeps all.

    Returns:
        For each image the index of the kept one that it repeats (the most similar), or -1 for those that are kept; int64.

    Raises:
        ValueError: If the order is none of the rows.

    Example:
        >>> features = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.1]])
        >>> thin_out(features, order=[2, 0, 1], threshold=0.9).tolist()
        [2, -1, -1]
    """
    if features.ndim != 2 or sorted(order) != list(range(len(features))):
        raise ValueError(
            f'order must name each row of features (n, d) once, got features {features.shape} and {len(order)} indices'
        )
    return Thinning(features, threshold).thin(order)


class Thinning:
    """:func:`thin_out` in time that grows with n log n, where the images that are kept differ.

    A projection onto orthonormal directions shortens distances, so whatever resembles an image lies within the radius of the
    threshold of it in a few principal directions, too. There a k-d tree finds the kept images that may, and the whole features
    say which do: none is missed. (Indices of approximate neighbours, as faiss and hnswlib have them, would miss some.)

    Args:
        features: One row per image, shape (n, d).
        threshold: Cosine similarity above which two images are near-duplicates.

    Attributes:
        comparisons: Pairs of images whose whole features were compared.
    """

    def __init__(self, features: NDArray[np.floating], threshold: float) -> None:
        self.features = features
        self.threshold = threshold
        self.comparisons = 0
        # |a - b|^2 = 2 - 2 cos for unit vectors; that of a zero vector is less than its cosine of 0 makes it
        self.radius = float(np.sqrt(max(2 - 2 * (threshold - SLACK), 0)))
        self.places = projected(features)
        self.repeats = np.full(len(features), -1, np.int64)
        self._forest = Forest(self.places)

    def thin(self, order: Sequence[int]) -> NDArray[np.int64]:
        """The kept image that each image repeats, or -1."""
        rows = np.asarray(order, np.int64)
        for start in range(0, len(rows), BLOCK):
            block = rows[start : start + BLOCK]
            similarity, nearest = self._among_kept(block)
            self._thin_block(block, similarity, nearest)
            self._forest.add(block[self.repeats[block] < 0])
        return self.repeats

    def _among_kept(self, block: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """For each image of a block the highest cosine to one kept before it, and which that is, the first of equal ones."""
        similarity = np.full(len(block), -np.inf, np.float32)
        nearest = np.full(len(block), -1, np.int64)
        at_a_time = max(BYTES // (4 * self.features.shape[1] or 1), 1)
        for place, candidates in enumerate(self._forest.near(block, self.radius)):
            own = unit_rows(self.features[block[place]][None])[0]
            for start in range(0, len(candidates), at_a_time):
                some = candidates[start : start + at_a_time]
                found = np.minimum(unit_rows(self.features[some]) @ own, 1)  # rounding goes beyond 1
                best = int(found.argmax())
                if found[best] > similarity[place]:
                    similarity[place], nearest[place] = found[best], some[best]
            self.comparisons += len(candidates)
        return similarity, nearest

    def _thin_block(
        self, block: NDArray[np.int64], similarity: NDArray[np.float32], nearest: NDArray[np.int64]
    ) -> None:
        """Decide over the images of a block, one after the other."""
        units = unit_rows(self.features[block])
        among = np.minimum(units @ units.T, 1)
        self.comparisons += len(block) * (len(block) - 1) // 2
        kept: list[int] = []
        for place, row in enumerate(block):
            best, which = similarity[place], nearest[place]
            if kept:
                closest = int(among[place, kept].argmax())
                if among[place, kept[closest]] > best:
                    best, which = among[place, kept[closest]], block[kept[closest]]
            if best > self.threshold:
                self.repeats[row] = which
            else:
                kept.append(place)


class Forest:
    """A set of points that grows: k-d trees, each at least twice as large as the next, so that a point moves log n times.

    Args:
        places: Of all points that may come in, shape (n, k).
    """

    def __init__(self, places: NDArray[np.float64]) -> None:
        self.places = places
        self._trees: list[tuple[NDArray[np.int64], KDTree]] = []

    def add(self, rows: NDArray[np.int64]) -> None:
        """Add points to those that are kept."""
        while self._trees and len(self._trees[-1][0]) < 2 * len(rows):
            rows = np.concatenate([self._trees.pop()[0], rows])
        if len(rows):
            self._trees.append((rows, KDTree(self.places[rows])))

    def near(self, rows: NDArray[np.int64], radius: float) -> list[NDArray[np.int64]]:
        """For each of some points, those of the set within a radius, in the order in which they came in."""
        found: list[list[NDArray[np.int64]]] = [[] for _ in rows]
        for known, tree in self._trees:
            for own, near in zip(found, tree.query_ball_point(self.places[rows], radius, return_sorted=True)):
                own.append(known[near])
        return [np.concatenate(own) if own else np.empty(0, np.int64) for own in found]


def unit_rows(features: NDArray[np.floating]) -> NDArray[np.float32]:
    """Rows of length 1, of zeros where they were zeros; shape (n, d)."""
    rows: NDArray[np.float32] = features.astype(np.float32)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    rows /= np.where(lengths > 0, lengths, 1)
    return rows


def projected(features: NDArray[np.floating]) -> NDArray[np.float64]:
    """Unit rows in their :data:`DIRECTIONS` principal directions, as a sample shows them; shape (n, at most DIRECTIONS)."""
    count, width = features.shape
    if not count:
        return np.empty((0, 0))
    sample = unit_rows(features[np.linspace(0, count - 1, min(count, SAMPLE)).astype(int)])
    _, _, directions = np.linalg.svd(sample - sample.mean(axis=0), full_matrices=False)
    basis = np.linalg.qr(directions[:DIRECTIONS].T.astype(np.float64))[0]  # orthonormal beyond the digits of float32
    at_a_time = max(BYTES // (4 * width or 1), 1)
    blocks = (features[start : start + at_a_time] for start in range(0, count, at_a_time))
    return np.concatenate([unit_rows(block) @ basis for block in blocks])
