"""Textured surfaces with scratches, patches and pits, drawn from a seed."""

import io

import cv2
import numpy as np
from PIL import Image

from ..synthetic import SyntheticDefectDataset
from .reader import DatasetReader, Item

SCRATCH, PATCH, PIT = 1, 2, 3


class SyntheticReader(DatasetReader):
    """Makes images instead of reading them.

    Args:
        num_train: Number of training images.
        num_test: Number of test images.
        size: Height and width in pixels.
        seed: Image i depends on (seed, i) alone.
    """

    folder = 'synthetic'
    classes = SyntheticDefectDataset.METAINFO['classes']
    suffix = '.png'
    download = 'nothing'

    def __init__(self, num_train: int = 640, num_test: int = 160, size: int = 96, seed: int = 0) -> None:
        for name, value, least in (('num_train', num_train, 2), ('num_test', num_test, 1), ('size', size, 32)):
            if value < least:
                raise ValueError(f'synthetic: {name} must be {least} or more, got {value}')
        self.num_train, self.num_test, self.size, self.seed = num_train, num_test, size, seed

    @property
    def made_with(self) -> dict[str, int]:
        return dict(size=self.size, seed=self.seed)

    def find(self) -> tuple[list[Item], list[str]]:
        subsets = [('training', self.num_train), ('test', self.num_test)]
        names = [f'{subset}/{index:05d}' for subset, number in subsets for index in range(number)]
        return [Item(name, name.startswith('test'), str(index), None) for index, name in enumerate(names)], []

    def load(self, item: Item) -> tuple[bytes, np.ndarray]:
        image, mask = render(int(item.image), self.seed, self.size)
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, format='PNG')
        return buffer.getvalue(), mask


def render(index: int, seed: int = 0, size: int = 128) -> tuple[np.ndarray, np.ndarray]:
    """One surface with its defects.

    Texture, lighting, number, place, size and contrast of the defects vary; every tenth surface has no defect.

    Args:
        index: Which one.
        seed: Of the whole set.
        size: Height and width in pixels.

    Returns:
        Grey image, shape (size, size), uint8, and label map of the same shape: 0 background, 1 scratch, 2 patch, 3 pit.
    """
    rng = np.random.default_rng([seed, index])
    surface = _texture(rng, size) + _lighting(rng, size)
    mask = np.zeros((size, size), np.uint8)
    if rng.random() >= 0.1:
        draw = {PATCH: _patch, SCRATCH: _scratch, PIT: _pits}
        present = [kind for kind in draw if rng.random() < 0.55] or [int(rng.integers(1, 4))]
        for kind in present:
            for _ in range(int(rng.integers(1, 3))):
                draw[kind](rng, surface, mask)
    surface += rng.normal(0, rng.uniform(1, 5), surface.shape)
    return np.clip(surface, 0, 255).astype(np.uint8), mask


def _noise(rng: np.random.Generator, size: int, cell: float | tuple[float, float]) -> np.ndarray:
    """Smooth noise of unit spread; ``cell`` is the size of its features in pixels, (vertical, horizontal)."""
    vertical, horizontal = cell if isinstance(cell, tuple) else (cell, cell)
    field = cv2.GaussianBlur(
        rng.normal(size=(size, size)), (0, 0), sigmaX=horizontal, sigmaY=vertical, borderType=cv2.BORDER_REFLECT
    )
    return field / (field.std() + 1e-9)


def _texture(rng: np.random.Generator, size: int) -> np.ndarray:
    rows, columns = np.mgrid[:size, :size]
    kind = rng.integers(4)
    if kind == 0:  # brushed metal
        grain = _noise(rng, size, (0.6, 12))
    elif kind == 1:  # cast or sprayed
        grain = _noise(rng, size, rng.uniform(0.8, 2.5))
    elif kind == 2:  # weave
        period, angle = rng.uniform(5, 10), rng.uniform(0, np.pi / 2)
        along = columns * np.cos(angle) + rows * np.sin(angle)
        across = rows * np.cos(angle) - columns * np.sin(angle)
        grain = np.sin(2 * np.pi * along / period) * np.sin(2 * np.pi * across / period) * 1.4
        grain = grain + 0.4 * _noise(rng, size, 1)
    else:  # cloudy
        grain = 0.6 * _noise(rng, size, 1) + 0.8 * _noise(rng, size, rng.uniform(6, 14))
    return rng.uniform(80, 175) + rng.uniform(5, 13) * grain


def _lighting(rng: np.random.Generator, size: int) -> np.ndarray:
    rows, columns = np.mgrid[:size, :size] / size - 0.5
    angle = rng.uniform(0, 2 * np.pi)
    return rng.uniform(0, 35) * (columns * np.cos(angle) + rows * np.sin(angle))


def _contrast(rng: np.random.Generator, low: float, high: float) -> float:
    return rng.uniform(low, high) * rng.choice([-1, 1])


def _scratch(rng: np.random.Generator, surface: np.ndarray, mask: np.ndarray) -> None:
    """A long thin curve, brighter or darker, fading along its way."""
    size = len(mask)
    start = rng.uniform(0.1, 0.9, 2) * size
    angle, length = rng.uniform(0, 2 * np.pi), rng.uniform(0.35, 0.95) * size
    steps = np.linspace(0, 1, 40)
    bend = rng.normal(0, 0.12) * length * np.sin(np.pi * steps)
    direction, normal = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
    points = start + np.outer(steps * length, direction) + np.outer(bend, normal)
    line = np.zeros_like(mask)
    width = int(rng.integers(2, 5))
    cv2.polylines(line, [np.round(points).astype(np.int32)], False, 1, thickness=width)
    fade = 0.75 + 0.25 * _noise(rng, size, 10).clip(-1, 1)
    surface += cv2.GaussianBlur(line.astype(float), (0, 0), 0.5) * fade * _contrast(rng, 40, 85)
    mask[line > 0] = SCRATCH


def _patch(rng: np.random.Generator, surface: np.ndarray, mask: np.ndarray) -> None:
    """A blotch with a ragged outline, of slightly other brightness and a texture of its own."""
    size = len(mask)
    rows, columns = np.mgrid[:size, :size]
    centre, radius = rng.uniform(0.15, 0.85, 2) * size, rng.uniform(0.1, 0.24, 2) * size
    distance = np.hypot((rows - centre[0]) / radius[0], (columns - centre[1]) / radius[1])
    blotch = distance + 0.28 * _noise(rng, size, 0.05 * size) < 1
    soft = cv2.GaussianBlur(blotch.astype(float), (0, 0), rng.uniform(0.6, 1.6))
    surface += soft * (_contrast(rng, 30, 65) + rng.uniform(4, 12) * _noise(rng, size, rng.uniform(1, 3)))
    mask[blotch] = PATCH


def _pits(rng: np.random.Generator, surface: np.ndarray, mask: np.ndarray) -> None:
    """A few small round holes with a dark floor and a bright edge on one side."""
    size = len(mask)
    for _ in range(int(rng.integers(1, 5))):
        centre = tuple(int(c) for c in rng.uniform(0.06, 0.94, 2) * size)
        axes = tuple(int(a) for a in rng.integers(3, max(5, size // 12), 2))
        hole = np.zeros_like(mask)
        cv2.ellipse(hole, centre, axes, float(rng.uniform(0, 180)), 0, 360, 1, thickness=-1)
        depth = cv2.GaussianBlur(hole.astype(float), (0, 0), 0.8)
        rim = np.clip(np.roll(depth, (1, 2), axis=(0, 1)) - depth, 0, None)
        surface += -rng.uniform(40, 85) * depth + rng.uniform(25, 60) * rim
        mask[hole > 0] = PIT
