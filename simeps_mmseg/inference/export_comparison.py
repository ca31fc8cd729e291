"""Whether what was exported computes what the model does, on images."""

import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from mmengine.config import Config
from mmseg.models import BaseSegmentor
from mmseg.registry import DATASETS
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from ..models.utils import mean_logits
from ..utils import UserError
from ..utils.class_maps import likeliest_class
from ..utils.config_tree import type_name, without_pipelines
from ..utils.configs import test_pipeline
from ..utils.images import UnreadableImage, list_images
from .preparation import Preparation, preprocessed

COMPARED_IMAGES = 8
COMPARED_BATCH = 3  # another one than was traced
# Grey levels between loaders: LoadImageAsUint8 rounds 16 bits to the nearest, LoadImageFromFile keeps the upper byte; and one
# more where a resized pixel is rounded again.
LOADERS_APART = 2


def comparison_images(cfg: Config, folder: str | None, count: int = COMPARED_IMAGES) -> list[Path]:
    """A seeded choice of images of a folder or of the config's validation set; empty where that is not there.

    Raises:
        UserError: If a folder is named and holds no images.
    """
    if folder is not None:
        files = [Path(folder) / name for name in list_images(folder)]
        if not files:
            raise UserError(f'--images {folder} is no folder with images')
    else:
        files = _validation_images(cfg)
    return sorted(random.Random(0).sample(files, min(count, len(files))))


def _validation_images(cfg: Config) -> list[Path]:
    for loader in ('val_dataloader', 'test_dataloader'):
        config = (cfg.get(loader) or {}).get('dataset')
        if not config:
            continue
        try:
            dataset = DATASETS.build(without_pipelines(config))
            files = [Path(dataset.get_data_info(index)['img_path']) for index in range(len(dataset))]
        except Exception:  # the data is not on this machine, whatever a data set class raises then
            continue
        found = [file for file in files if file.is_file()]
        if found:
            return found
    return []


def prepared(
    cfg: Config, files: Sequence[Path], size: Sequence[int] | None, channels: int = 3
) -> tuple[list[Tensor], tuple[int, int]]:
    """Images as the test pipeline leaves them, all of the size that a graph is made for.

    Args:
        cfg: The whole config.
        files: Images; without any, noise is made.
        size: Height and width; None: as the pipeline leaves the images.
        channels: Of the noise.

    Returns:
        Images (c, h, w), blue, green, red, and (h, w).

    Raises:
        UserError: Without a size where the pipeline does not settle it, or leaves images of several.
    """
    pipeline = Preparation(cfg)
    images = [loaded(pipeline, file)['inputs'] for file in files]
    fixed = next(
        (
            step.get('scale')
            for step in test_pipeline(cfg)
            if step.get('type') == 'Resize' and not step.get('keep_ratio')
        ),
        None,
    )
    sizes = {tuple(image.shape[1:]) for image in images}
    if size is None and len(sizes) > 1:
        found = ', '.join(f'{height} x {width}' for height, width in sorted(sizes))
        raise UserError(
            f'the test pipeline leaves images of several sizes ({found}): give --size HEIGHT WIDTH for the graph'
        )
    if size is None and images:
        size = images[0].shape[1:]
    elif size is None and isinstance(fixed, (list, tuple)):
        size = fixed[::-1]
    if size is None:
        raise UserError(
            'the test pipeline leaves images of any size: give --size HEIGHT WIDTH for the graph, or --images'
        )
    height, width = (int(length) for length in size)
    if not images:
        images = [torch.from_numpy(one).permute(2, 0, 1) for one in noise(height, width, channels)]
    return [_resized(image, (height, width)) for image in images], (height, width)


def loaded(pipeline: Preparation, source: Path | np.ndarray) -> dict:
    """``inputs`` and ``data_samples`` of an image file or array.

    Raises:
        UserError: If it cannot be read.
    """
    try:
        return pipeline(source if isinstance(source, np.ndarray) else str(source))[1]
    except UnreadableImage as error:
        raise UserError(
            f'{source}, an image to compare on, cannot be read: {error}; name others with --images'
        ) from error


def _resized(image: Tensor, size: tuple[int, int]) -> Tensor:
    if tuple(image.shape[1:]) == size:
        return image
    resized = cv2.resize(np.ascontiguousarray(image.permute(1, 2, 0).numpy()), size[::-1])
    return torch.from_numpy(np.atleast_3d(resized)).permute(2, 0, 1)


def described(files: Sequence[Path]) -> str:
    """Which images the networks are compared on, in words."""
    if not files:
        return f'{COMPARED_IMAGES} images of seeded noise (no validation images found; --images names a folder)'
    return f'{len(files)} images such as {files[0]}'


def check_difference(
    pairs: Sequence[tuple[Tensor, Tensor]], bound: float, compared_on: str, threshold: float = 0.0
) -> float:
    """Print the largest difference between logits, and how many pixels get the same class.

    Args:
        pairs: Expected and found logits, each (b, C, h, w) or (C, h, w).
        bound: That must not be exceeded.
        compared_on: The images, in words.
        threshold: Of a single channel (C = 1), above which a pixel is foreground.

    Returns:
        The largest difference.

    Raises:
        UserError: If it exceeds the bound, or the shapes differ.
    """
    shapes = [(tuple(a.shape), tuple(b.shape)) for a, b in pairs if a.shape != b.shape]
    if shapes:
        raise UserError(f'the exported network returns logits of shape {shapes[0][1]}, expected {shapes[0][0]}')
    largest = max(float((expected - found).abs().max()) for expected, found in pairs)
    classes = [_classes(expected, threshold) == _classes(found, threshold) for expected, found in pairs]
    same = sum(int(one.sum()) for one in classes) / sum(one.numel() for one in classes)
    magnitude = max(float(expected.abs().max()) for expected, _ in pairs)
    print(
        f'largest difference of the logits from PyTorch: {largest:.2e} (bound {bound:.0e}, largest logit {magnitude:.3g}); '
        f'same class on {100 * same:.4f} % of the pixels; {compared_on}',
        flush=True,
    )
    if not largest <= bound:  # NaN fails too
        raise UserError(
            f'the exported network differs by {largest:.2e}, more than --bound {bound:.0e}; nothing was written'
        )
    return largest


def _classes(logits: Tensor, threshold: float) -> Tensor:
    return likeliest_class(logits, dim=-3) if logits.shape[-3] > 1 else logits > threshold


@torch.no_grad()
def own_logits(network: BaseSegmentor, data: Mapping, model: BaseSegmentor) -> Tensor:
    """Logits (C, h, w) of a network at the size of the file; ``model`` has the preprocessor."""
    return network.predict(*preprocessed(model, [data]))[0].seg_logits.data


def compare_pair(
    network: BaseSegmentor,
    model: BaseSegmentor,
    reread: BaseSegmentor,
    pipelines: tuple[Preparation, Preparation],
    sources: Sequence[Path] | np.ndarray,
) -> list[tuple[Tensor, Tensor]]:
    """Logits of a network and of what MMSeg read back, of the same pixels; says so where its loader reads others.

    Args:
        network: The original.
        model: Has its preprocessor.
        reread: What MMSeg read.
        pipelines: Of the original and of what was exported.
        sources: Files or noise.

    Raises:
        UserError: If the exported pipeline gives images of another size, or pixels more than ``LOADERS_APART`` apart.
    """
    pairs, apart = [], {}
    for source in sources:
        data = loaded(pipelines[0], source)
        pairs.append((own_logits(network, data, model), own_logits(reread, data, reread)))
        if not isinstance(source, np.ndarray):
            apart[source] = pixels_apart(data, source, pipelines[1])
    other = {source: difference for source, difference in apart.items() if difference}
    if other:
        source, largest = max(other.items(), key=lambda item: item[1])
        found = f'up to {largest:.0f} of 255 grey levels apart' if largest < np.inf else 'none at all'
        print(
            f"note: of {len(other)} of {len(apart)} files, such as {source}, MMSegmentation's loader has other pixels than "
            f'the model was trained on, {found}; the networks were compared on the same pixels. Give it files of 8 bits',
            flush=True,
        )
    return pairs


def pixels_apart(data: Mapping, source: Path, pipeline: Preparation) -> float:
    """Largest difference of an image from what another pipeline makes of the file; infinite where it cannot read it.

    Raises:
        UserError: If it is no matter of how a file with more than 8 bits is rounded.
    """
    try:
        found = pipeline(str(source))[1]['inputs']
    except UnreadableImage:
        return np.inf
    expected = data['inputs']
    difference = float((expected.float() - found.float()).abs().max()) if expected.shape == found.shape else np.nan
    if not difference <= LOADERS_APART:
        raise UserError(
            f'{source}: the exported pipeline makes {tuple(found.shape)} of it, the original {tuple(expected.shape)}, with '
            f'pixels {difference:.0f} grey levels apart; nothing was written. Use --format onnx or torchscript'
        )
    return difference


def channels_of(network: BaseSegmentor) -> int:
    """How many channels the images of a network have: as many as its first convolution takes."""
    return next((layer.in_channels for layer in network.modules() if isinstance(layer, nn.Conv2d)), 3)


def noise(height: int, width: int, channels: int = 3) -> np.ndarray:
    """Seeded random images, where there are no others: shape (n, height, width, channels)."""
    shape = (COMPARED_IMAGES, height, width, channels)
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def noise_for(cfg: Config, channels: int = 3) -> np.ndarray:
    """:func:`noise` of the size of the test pipeline."""
    scales = [step.get('scale') for step in test_pipeline(cfg) if type_name(step['type']) == 'Resize']
    width, height = scales[0] if scales and isinstance(scales[0], (list, tuple)) else (256, 256)
    return noise(height, width, channels)


def compare_graph(
    run: Callable[[Tensor], Tensor],
    networks: Sequence[BaseSegmentor],
    model: BaseSegmentor,
    images: Sequence[Tensor],
    dtype: torch.dtype,
) -> list[tuple[Tensor, Tensor]]:
    """Logits of the model and of the graph: of the first image alone, then of all in batches of ``COMPARED_BATCH``.

    Raises:
        UserError: If the graph does not take such batches.
    """
    rounded = -(-len(images) // COMPARED_BATCH) * COMPARED_BATCH
    cycled = [images[index % len(images)] for index in range(rounded)]
    batches = [cycled[:1], *(cycled[i : i + COMPARED_BATCH] for i in range(0, rounded, COMPARED_BATCH))]
    pairs = []
    for batch in batches:
        stacked = torch.stack(batch)
        try:
            found = run(stacked.to(dtype))
        except Exception as error:  # each runtime has its own
            reason = str(error).strip().splitlines()[0]
            raise UserError(f'the graph does not run with a batch of {len(batch)}: {reason}') from error
        pairs.append((expected_logits(networks, model, batch), found))
    return pairs


@torch.no_grad()
def expected_logits(networks: Sequence[BaseSegmentor], model: BaseSegmentor, batch: Sequence[Tensor]) -> Tensor:
    """Mean logits (b, C, h, w) of networks by way of MMSeg: preprocessor, ``inference``, padding taken off."""
    height, width = batch[0].shape[1:]
    samples = [SegDataSample(metainfo=dict(ori_shape=(height, width), img_shape=(height, width))) for _ in batch]
    inputs, samples = preprocessed(model, [dict(inputs=i, data_samples=s) for i, s in zip(batch, samples)])
    shape = tuple(inputs.shape[2:])
    metas = [{**sample.metainfo, 'ori_shape': shape, 'img_shape': shape, 'pad_shape': shape} for sample in samples]
    logits = [network.inference(inputs, [dict(meta) for meta in metas]) for network in networks]
    return mean_logits(networks, logits)[:, :, :height, :width]
