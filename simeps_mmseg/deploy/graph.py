"""One module from the pixels of an image to its logits, and its way into ONNX and TorchScript."""

import json
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, TypeVar, cast
from unittest.mock import patch

import numpy as np
import torch
from mmseg.models import BaseSegmentor, SegDataPreProcessor
from torch import Tensor, nn
from torch.nn import functional as F

from ..models.utils import mean_logits
from ..utils import UserError
from ..utils.errors import disk_full

INPUT, OUTPUT = 'images', 'logits'
# The exporter of PyTorch that traces. It follows slide inference and Python arithmetic on sizes, which torch.export does
# not, needs no onnxscript, and folds batch norm into the convolutions.
ONNX_OPSET = 17
TRACED_BATCH = 2
Traced = TypeVar('Traced')


class DeployedNetworks(nn.Module):
    """Images as ``cv2.imread`` gives them to the mean of the networks' logits; normalisation and padding are inside.

    Args:
        networks: Segmentors of MMSeg, in evaluation mode.
        preprocessor: A ``SegDataPreProcessor``.
        size: Height and width of the images.

    Raises:
        UserError: If the preprocessor is of another kind.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, networks: Sequence[BaseSegmentor], preprocessor: nn.Module, size: tuple[int, int]) -> None:
        super().__init__()
        if not isinstance(preprocessor, SegDataPreProcessor):
            raise UserError(
                f'data_preprocessor.type={type(preprocessor).__name__} cannot be put into a graph, expected '
                'SegDataPreProcessor; --format pth keeps it as it is'
            )
        self.networks = nn.ModuleList(networks)
        height, width = size
        self.size = int(height), int(width)
        self.swap_channels = swaps_channels(preprocessor)
        self.pad_value = float(preprocessor.pad_val)
        self.padding = _padding(self.size, preprocessor.test_cfg or {})
        self.normalize = bool(preprocessor._enable_normalize)
        if self.normalize:
            self.register_buffer('mean', preprocessor.mean[None].clone())
            self.register_buffer('std', preprocessor.std[None].clone())

    def forward(self, images: Tensor) -> Tensor:
        """Logits of images.

        Args:
            images: Values 0 to 255 of any type, shape (b, 3, h, w), channels blue, green, red (for a preprocessor with
                ``bgr_to_rgb``), of the size given on construction.

        Returns:
            Shape (b, C, h, w), float32.
        """
        inputs = images[:, [2, 1, 0]] if self.swap_channels and images.shape[1] == 3 else images
        inputs = inputs.float()
        if self.normalize:
            inputs = (inputs - self.mean) / self.std
        right, bottom = self.padding
        if right or bottom:
            inputs = F.pad(inputs, (0, right, 0, bottom), value=self.pad_value)
        height, width = self.size
        shape = (height + bottom, width + right)
        # One dict per image, as MMSeg has it, would tie the graph to a batch size; the networks read the first one.
        metas = [dict(ori_shape=shape, img_shape=shape, pad_shape=shape)]
        networks = cast(Sequence[BaseSegmentor], self.networks)
        logits = [network.inference(inputs, [dict(meta) for meta in metas]) for network in networks]
        return mean_logits(networks, logits)[:, :, :height, :width]


class SizeGuard(nn.Module):
    """A module whose graph holds the size of the images as constants; it refuses images of another size."""

    def __init__(self, module: nn.Module, shape: Sequence[int]) -> None:
        super().__init__()
        self.module = module
        self.channels, self.height, self.width = (int(length) for length in shape)

    def forward(self, images: Tensor) -> Tensor:
        """Logits of images (b, channels, height, width); ``ValueError`` for any other shape."""
        wrong_size = images.size(2) != self.height or images.size(3) != self.width
        if images.size(1) != self.channels or wrong_size:
            raise ValueError(
                f'expected images of shape (batch, {self.channels}, {self.height}, {self.width}), got {images.size()}'
            )
        return self.module(images)


def swaps_channels(preprocessor: nn.Module) -> bool:
    """Whether a preprocessor turns blue, green, red around. OneDL and stock MMSeg name the attribute differently."""
    return bool(getattr(preprocessor, '_channel_conversion', getattr(preprocessor, 'channel_conversion', False)))


def _padding(size: tuple[int, int], test_cfg: Mapping) -> tuple[int, int]:
    """Columns and rows that the preprocessor adds, on the right and at the bottom, when it tests."""
    height, width = size
    if test_cfg.get('size') is not None:
        height, width = (max(has, wants) for has, wants in zip(size, test_cfg['size'][-2:]))
    elif (test_cfg.get('size_divisor') or 1) > 1:
        height, width = (-(-length // test_cfg['size_divisor']) * test_cfg['size_divisor'] for length in size)
    return width - size[1], height - size[0]


def deployed(networks: Sequence[BaseSegmentor], preprocessor: nn.Module, size: tuple[int, int]) -> DeployedNetworks:
    """:class:`DeployedNetworks` in evaluation mode, without gradients."""
    return DeployedNetworks(networks, preprocessor, size).eval().requires_grad_(False)


def example(channels: int, size: tuple[int, int], dtype: torch.dtype) -> Tensor:
    """Seeded images (TRACED_BATCH, channels, h, w) to trace with."""
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (TRACED_BATCH, channels, *size), generator=generator).to(dtype)


def write_torchscript(module: DeployedNetworks, images: Tensor, path: Path, info: Mapping) -> None:
    """Trace, freeze (which folds batch norm) and save; ``info`` goes into the file as ``info.json``.

    Images of another size than the traced ones raise an error in the file, too; ONNX knows the size by itself.

    Raises:
        UserError: If the network cannot be traced.
    """
    with _quiet(), torch.no_grad():
        traced = _traced(lambda: torch.jit.trace(module, images, check_trace=False), 'TorchScript')
        guarded = torch.jit.script(SizeGuard(traced, images.shape[1:]))
        frozen = torch.jit.freeze(guarded.eval())
        buffer = BytesIO()  # PyTorch's own writer of files ends the process where the disk is full
        torch.jit.save(frozen, buffer, _extra_files={'info.json': json.dumps(info)})
    path.write_bytes(buffer.getbuffer())


def write_onnx(module: DeployedNetworks, images: Tensor, path: Path, info: Mapping) -> None:
    """Export with a dynamic batch; ``info`` goes into the file as metadata, one entry for each key.

    Raises:
        UserError: If onnx is not installed, or the exporter cannot follow the network.
    """
    onnx = require('onnx')
    with _quiet(), pooling_by_products(), torch.no_grad():
        _traced(
            lambda: torch.onnx.export(
                module,
                (images,),
                str(path),
                dynamo=False,
                input_names=[INPUT],
                output_names=[OUTPUT],
                dynamic_axes={INPUT: {0: 'batch'}, OUTPUT: {0: 'batch'}},
                opset_version=ONNX_OPSET,
            ),
            'ONNX',
        )
    model = onnx.load(str(path))
    onnx.checker.check_model(model)
    for key, value in info.items():
        model.metadata_props.add(key=key, value=value if isinstance(value, str) else json.dumps(value))
    onnx.save(model, str(path))


def adaptive_average(inputs: Tensor, output_size: int | Sequence[int | None]) -> Tensor:
    """``F.adaptive_avg_pool2d`` as two matrix products.

    Args:
        inputs: Shape (..., h, w).
        output_size: Rows and columns of the result, or one number for both; None keeps those of the input.
    """
    wanted = (output_size, output_size) if isinstance(output_size, int) else output_size
    height, width = (int(length) for length in inputs.shape[-2:])
    rows, columns = (_cells(has, wants or has).to(inputs) for has, wants in zip((height, width), wanted))
    return rows @ inputs @ columns.T


def _cells(length: int, count: int) -> Tensor:
    """Row i averages the i-th of ``count`` overlapping cells of ``length`` values, shape (count, length)."""
    cells = torch.zeros(count, length)
    for index in range(count):
        start, end = index * length // count, -(-(index + 1) * length // count)
        cells[index, start:end] = 1 / (end - start)
    return cells


@contextmanager
def pooling_by_products() -> Iterator[None]:
    """Let adaptive pooling be exported whose cells overlap, as in the pyramids of PSPNet and UPerNet.

    The exporter has no operator for it. The size of the images is fixed, so that of the cells is too.
    """
    own = F.adaptive_avg_pool2d

    def pool(inputs: Tensor, output_size: int | tuple[int | None, int | None]) -> Tensor:
        wanted = (output_size, output_size) if isinstance(output_size, int) else output_size
        fits = all(wants is None or int(has) % wants == 0 for has, wants in zip(inputs.shape[-2:], wanted))
        return own(inputs, output_size) if fits else adaptive_average(inputs, output_size)

    with patch.object(F, 'adaptive_avg_pool2d', pool):
        yield


def run_torchscript(path: Path) -> Callable[[Tensor], Tensor]:
    """A function from images to logits that runs the file."""
    module = torch.jit.load(str(path), map_location='cpu')

    @torch.no_grad()
    def run(images: Tensor) -> Tensor:
        return module(images)

    return run


def run_onnx(path: Path) -> Callable[[Tensor], Tensor]:
    """A function from images to logits that runs the file in onnxruntime, on the CPU.

    Raises:
        UserError: If onnxruntime is not installed.
    """
    runtime = require('onnxruntime')
    options = runtime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = runtime.InferenceSession(str(path), options, providers=['CPUExecutionProvider'])
    return lambda images: torch.from_numpy(session.run(None, {INPUT: np.ascontiguousarray(images.numpy())})[0])


def require(name: str) -> Any:
    """A module of the extra ``export``.

    Raises:
        UserError: If it is not installed.
    """
    try:
        return __import__(name)
    except ImportError as error:
        raise UserError(
            f'--format onnx needs {name}: pip install onnx onnxruntime, or in a clone pip install -e ".[export]"'
        ) from error


def _traced(export: Callable[[], Traced], name: str) -> Traced:
    # Whatever a network's own code raises under a tracer ends here: all of it means the same to the user.
    try:
        return export()
    except UserError:
        raise
    except Exception as error:
        if disk_full(error):
            raise
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        other = 'torchscript' if name == 'ONNX' else 'onnx'
        raise UserError(
            f'PyTorch cannot trace this network into {name}: {reason}\nPossible are --format pth, perhaps --format {other}, '
            'and perhaps another --size.'
        ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Tracing warns of every Python number that becomes a constant; what matters is compared afterwards."""
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        yield
