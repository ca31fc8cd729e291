"""Forward passes whose activations are computed twice, so that they need not be kept."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any

from mmengine.model import BaseModule
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from .batch_norm import batch_norms, kept_statistics
from .batch_renorm import is_renormalising, renormalising
from .branch import BranchOutput
from .gradient_checkpoints import Switch, rerun, run_once


def recomputed(forward: Callable[..., BranchOutput], branch: BaseModule, *args: Any) -> BranchOutput:
    """``forward(branch, *args)``, which the backward pass runs again in place of keeping its activations.

    The second run draws the same random numbers from PyTorch's generators and leaves the statistics of batch norm alone, so
    values, gradients and statistics are those of one run, bit for bit.

    Args:
        forward: What computes the output.
        branch: A segmentor. Of what its layers change while they run, batch norm alone is known here.
        *args: What else ``forward`` takes.
    """
    return checkpoint(forward, branch, *args, use_reentrant=False, context_fn=partial(_contexts, branch))


def _contexts(branch: BaseModule) -> tuple:
    norms = batch_norms(branch)
    renormalised = [norm for norm in norms if is_renormalising(norm)]
    return nullcontext(), _second_run(branch, [norm.training for norm in norms], renormalised, rerun(branch))


@contextmanager
def _second_run(
    branch: BaseModule, modes: Sequence[bool], renormalised: Sequence[_BatchNorm], switches: Sequence[Switch]
) -> Iterator[None]:
    norms = batch_norms(branch)
    now = [norm.training for norm in norms]
    for norm, training in zip(norms, modes):
        norm.training = training
    try:
        others = (switch for switch in rerun(branch) if switch not in switches)
        with kept_statistics([branch]), renormalising(renormalised), run_once(others):
            yield
    finally:
        for norm, training in zip(norms, now):
            norm.training = training
