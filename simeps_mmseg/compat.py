"""What today's MMSegmentation stacks need on today's PyTorch.

Each cure says what is wrong, does nothing where nothing is wrong, and can go when its condition is met. They run, in the
order of :func:`apply`, when the package is imported.
"""

import functools
import importlib
import sys
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any
from unittest import mock

REQUIRED = ('mmengine', 'mmcv', 'mmseg')
INSTALL_HELP = """\
simeps_mmseg needs an MMSegmentation stack, and {missing} cannot be found. Install one of, in a clone of the repository:
  pip install -c constraints.txt -e ".[onedl]"       # maintained forks, nothing to compile
  pip install -c constraints.txt -e ".[openmmlab]"   # stock OpenMMLab; mmcv has to be compiled first, see docs/stacks.md"""
# What the stack says of parts that nothing here needs, and that reads like a broken installation.
NOT_LOGGED = 'Could not import OneDL'
NOT_WARNED = 'Fail to import ``MultiScaleDeformableAttention``'


def apply() -> None:
    """Check that there is a stack, then run every cure.

    Raises:
        ImportError: If mmengine, mmcv or mmseg is missing; names the two commands that install them.
    """
    missing = [name for name in REQUIRED if find_spec(name) is None]
    if missing:
        raise ImportError(INSTALL_HELP.format(missing=', '.join(missing)))
    declare_torchvision_schemas()
    map_mmseg_to_its_module()
    make_history_buffers_loadable()
    import_mmseg_quietly()
    let_launchers_run_without_gpu()


def declare_torchvision_schemas() -> bool:
    """Let torchvision be imported beside a CPU-only torch.

    On Linux the package index has only CUDA builds of torchvision. With a CPU-only torch its compiled part does not load,
    and its Python part then fails with ``operator torchvision::nms does not exist``. mmpretrain and mmengine's
    environment report import it. Two declared schemas are all that the Python part asks for; the operators stay without an
    implementation and say so when called.

    Can go when the index carries a CPU build.

    Returns:
        Whether anything was done.
    """
    import torch

    if 'torchvision' in sys.modules or find_spec('torchvision') is None:
        return False
    try:
        importlib.import_module('torchvision')
        return False
    except RuntimeError as error:
        if 'torchvision::nms' not in str(error):
            raise
    for name in [name for name in sys.modules if name.split('.')[0] == 'torchvision']:
        del sys.modules[name]
    library = torch.library.Library('torchvision', 'FRAGMENT')
    for name in ('nms', 'qnms'):
        library.define(f'{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor')
    _kept_alive.append(library)  # the schemas vanish with it
    importlib.import_module('torchvision')
    return True


_kept_alive: list[object] = []


def map_mmseg_to_its_module() -> bool:
    """Let ``_base_ = 'mmseg::...'`` find MMSegmentation when its distribution has another name.

    mmengine looks for a distribution called ``mmsegmentation``; that of OneDL is ``onedl-mmsegmentation``. Looking for the
    module instead works for both.

    Can go when mmengine's table knows the name, or looks for the module.

    Returns:
        Whether anything was done.
    """
    from mmengine.config import utils
    from mmengine.utils import is_installed

    if is_installed(utils.MODULE2PACKAGE['mmseg']):
        return False
    utils.MODULE2PACKAGE['mmseg'] = 'mmseg'
    return True


def make_history_buffers_loadable() -> bool:
    """Let checkpoints load while ``torch.load`` stays protected.

    mmengine keeps its log history in the checkpoint. The objects pickle their statistics *methods* too, so since
    torch 2.6 ``weights_only`` refuses the file, and allowing what it asks for (``getattr``) would undo the protection.
    Here they pickle their arrays only, and just the classes needed for arrays are allowed. A checkpoint written without
    this package still needs mmengine's own way of loading.

    Can go when mmengine writes plain arrays.

    Returns:
        Whether anything was done.
    """
    import torch
    from mmengine.logging import HistoryBuffer

    if not hasattr(torch.serialization, 'add_safe_globals') or '_simeps_arrays_only' in HistoryBuffer.__dict__:
        return False

    def get_state(buffer: HistoryBuffer) -> dict:
        return {name: getattr(buffer, name) for name in ('max_length', '_log_history', '_count_history')}

    def set_state(buffer: HistoryBuffer, state: dict) -> None:
        buffer._set_default_statistics()
        buffer.__dict__.update({name: value for name, value in state.items() if name != 'statistics_methods'})

    HistoryBuffer.__getstate__ = get_state
    HistoryBuffer.__setstate__ = set_state
    HistoryBuffer._simeps_arrays_only = True
    allow_history_classes()
    return True


def allow_history_classes() -> None:
    """Let ``torch.load`` take log histories and their arrays.

    OneDL's mmengine allows these classes while it loads a file and then takes them away from everybody, so whoever loads a
    checkpoint after that calls this again.
    """
    import numpy as np
    import torch
    from mmengine.logging import HistoryBuffer

    core = importlib.import_module('numpy._core.multiarray' if np.__version__ >= '2' else 'numpy.core.multiarray')
    dtypes = [value for value in vars(np.dtypes).values() if isinstance(value, type)]
    torch.serialization.add_safe_globals([HistoryBuffer, core._reconstruct, core.scalar, np.ndarray, np.dtype, *dtypes])


def import_mmseg_quietly() -> bool:
    """Import MMSegmentation without two messages, and nothing but these, that make a sound installation look broken.

    OneDL's mmseg tells at debug level, which without a logger is printed, that an annotation service of its makers is not
    installed. mmcv without compiled operators warns of one that is not used here.

    Can go when mmseg logs the first to a logger, and mmcv warns when the operator is used.

    Returns:
        Whether anything was kept back.
    """
    from mmengine import logging

    print_log = logging.print_log
    kept_back = []

    def print_all_but_one(message: object, *args: Any, **kwargs: Any) -> None:
        if message == NOT_LOGGED:
            kept_back.append(message)
        else:
            print_log(message, *args, **kwargs)

    logging.print_log = print_all_but_one
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings('ignore', NOT_WARNED, UserWarning)
            importlib.import_module('mmseg.datasets')
            importlib.import_module('mmseg.models')
    finally:
        logging.print_log = print_log
    return bool(kept_back)


def let_launchers_run_without_gpu() -> bool:
    """Let ``--launcher pytorch``, ``slurm`` and ``mpi`` train on CPUs.

    mmengine's launchers call ``torch.cuda.set_device``, which a CPU-only torch does not have (``module 'torch._C' has no
    attribute '_cuda_setDevice'``) and any other refuses without a GPU. They then ask for NCCL, which is for GPUs, and the
    runner names a GPU to ``DistributedDataParallel``. Where no GPU is found, the call is left out, gloo takes the place of
    NCCL, and no GPU is named. Whether there is one is asked when a launcher is used, not on import.

    Can go when mmengine's launchers ask for a GPU only where there is one.

    Returns:
        Whether anything was done.
    """
    from mmengine.dist import utils
    from mmengine.model import MMDistributedDataParallel
    from torch import nn

    if hasattr(utils._init_dist_pytorch, '__wrapped__'):
        return False
    for name in ('_init_dist_pytorch', '_init_dist_slurm', '_init_dist_mpi'):
        setattr(utils, name, _on_cpu_without_gpu(getattr(utils, name)))

    wrap_model = MMDistributedDataParallel.__init__

    @functools.wraps(wrap_model)
    def wrap_on_its_device(self: MMDistributedDataParallel, module: nn.Module, *args: Any, **kwargs: Any) -> None:
        if all(parameter.device.type == 'cpu' for parameter in module.parameters()):
            kwargs['device_ids'] = None
        wrap_model(self, module, *args, **kwargs)

    MMDistributedDataParallel.__init__ = wrap_on_its_device
    return True


def _on_cpu_without_gpu(init_processes: Callable) -> Callable:
    """A launcher of mmengine that joins processes on CPUs where there is no accelerator."""
    import torch

    @functools.wraps(init_processes)
    def init(backend: str, *args: Any, **kwargs: Any) -> None:
        if torch.accelerator.is_available():
            return init_processes(backend, *args, **kwargs)
        with mock.patch('torch.cuda.set_device'):
            return init_processes('gloo' if backend == 'nccl' else backend, *args, **kwargs)

    return init
