"""Mixed precision that needs no loss scaling."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.device import get_device
from mmengine.optim import OptimWrapper
from mmseg.registry import OPTIM_WRAPPERS
from torch import nn


@OPTIM_WRAPPERS.register_module()
class BFloat16OptimWrapper(OptimWrapper):
    """Run the forward pass in bfloat16 where autocast finds it safe, on the GPU *or* the CPU.

    bfloat16 has the range of float32, so there is no loss scaler. (mmengine's ``AmpOptimWrapper`` refuses the CPU.) The
    losses of this package stay in float32. Worth it on a CPU with AVX-512-BF16 or AMX only; without, it is slower.

    Args:
        **kwargs: See ``mmengine.optim.OptimWrapper``.
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """The context in which the model computes its losses."""
        device_type = torch.device(get_device()).type
        with super().optim_context(model), torch.autocast(device_type=device_type, dtype=torch.bfloat16):
            yield
