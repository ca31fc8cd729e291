"""Decoded images and masks in one memory-mapped file that all processes of a machine share."""

import hashlib
import os
import shutil
import tempfile
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from mmcv.transforms import LoadImageFromFile
from mmengine.logging import print_log
from mmseg.datasets.transforms import LoadAnnotations
from numpy.typing import NDArray
from torch.utils.data import Dataset

from ..utils import UserError
from ..utils.dataset_tree import leaf_datasets, walk_transforms
from ..utils.images import IMAGE_ERRORS
from .listing.shared import made_once
from .transforms.loading import LoadImageAsUint8

try:
    import fcntl
except ImportError:  # Windows: what a killed training leaves stays there
    fcntl = None  # type: ignore[assignment]

KEY = 'train_dataloader.dataset.cache_bytes'
IMAGES, MASKS = (LoadImageFromFile, LoadImageAsUint8), (LoadAnnotations,)  # themselves; subclasses may do anything
IN_MEMORY = Path('/dev/shm')
PREFIX = 'simeps_images_'
OWNER = 'owner'  # locked as long as one of the processes lives
READERS = 4096  # processes that may read at a time


class ArrayStore:
    """Arrays by name, in an LMDB of at most so many bytes; what does not fit is not kept. Processes may come by fork or spawn.

    Args:
        folder: Where the file is.
        limit: Bytes that it takes at most.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self.folder = folder
        self.limit = limit
        self._is_full = False

    def __deepcopy__(self, memo: dict) -> 'ArrayStore':
        return self  # it is common to whoever has it

    def get(self, name: str) -> NDArray | None:
        """A copy of an array; None where it is not there."""
        with self._environment().begin(buffers=True) as transaction:
            found = transaction.get(_digest(name))
            if found is None:
                return None
            size = int.from_bytes(found[:1], 'little')
            dtype, *shape = bytes(found[1:size]).decode().split()
            return np.frombuffer(found[size:], dtype).reshape([int(side) for side in shape]).copy()

    def put(self, name: str, array: NDArray) -> None:
        """Keep an array, if there is room."""
        import lmdb

        if self._is_full:
            return
        head = ' '.join([array.dtype.str, *map(str, array.shape)]).encode()
        value = bytes([len(head) + 1]) + head + array.tobytes()
        try:
            with self._environment().begin(write=True) as transaction:
                transaction.put(_digest(name), value, overwrite=False)
        except lmdb.Error:  # the limit is reached, or the disk is full
            self._is_full = True

    def _environment(self) -> Any:
        """LMDB as this process has it open: it may be opened once in a process."""
        import lmdb

        folder = str(self.folder)
        if folder not in _environments:
            _environments[folder] = lmdb.open(
                folder, map_size=self.limit, max_readers=READERS, sync=False, meminit=False, readahead=False
            )
        return _environments[folder]


_environments: dict[str, Any] = {}


def _close_all() -> None:
    """LMDB must not be used on the other side of a fork; who needs it opens it again."""
    for environment in _environments.values():
        environment.close()
    _environments.clear()


if hasattr(os, 'register_at_fork'):
    os.register_at_fork(before=_close_all)


def _digest(name: str) -> bytes:
    return hashlib.blake2b(name.encode('utf-8', 'surrogateescape'), digest_size=16).digest()


class KeptTransform:
    """Stands for ``transform`` of a step that loads images or masks: decodes each file once.

    Args:
        step: The step.
        store: Where decoded files are kept.
    """

    def __init__(self, step: Any, store: ArrayStore) -> None:
        self.step = step
        self.store = store

    def __call__(self, results: dict) -> dict | None:
        if type(self.step) in MASKS:
            meaning = results.get('reduce_zero_label'), results.get('label_map')
            name = f'{self.step.imdecode_backend} {meaning} {results["seg_map_path"]}'
            mask = self.store.get(name)
            if mask is None:
                return self._loaded(results, 'gt_seg_map', name)
            results['gt_seg_map'] = mask
            results['seg_fields'].append('gt_seg_map')
            return results
        name = f'{self.step!r} {results["img_path"]}'
        image = self.store.get(name)
        if image is None:
            return self._loaded(results, 'img', name)
        results['img'] = image
        results['img_shape'] = results['ori_shape'] = image.shape[:2]
        return results

    def _loaded(self, results: dict, key: str, name: str) -> dict | None:
        loaded = type(self.step).transform(self.step, results)
        if loaded is not None:
            self.store.put(name, loaded[key])
        return loaded


def keep_decoded(dataset: Dataset, limit: int) -> ArrayStore | None:
    """Let a data set, wrapped or not, decode each file once, in place. Every process of a training has to call this.

    Args:
        dataset: What is loaded from it stays what it is.
        limit: Bytes that decoded files may take, on each machine.

    Returns:
        Where they are kept; None where they would not fit, or no folder has room: the log says so.

    Raises:
        UserError: If the limit is no number of bytes, or lmdb is not installed.
    """
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
        raise UserError(f'{KEY} must be a number of bytes, such as 4 * 2**30, or 0 for no cache; got {limit!r}')
    try:
        import lmdb  # noqa: F401
    except ImportError as error:
        raise UserError(f'{KEY}={limit} needs lmdb: pip install lmdb, or set it to 0') from error
    needed = decoded_bytes(dataset)
    if needed > limit:
        _say(f'decoded images take some {_mib(needed)}, more than {_mib(limit)}: they are not kept')
        return None
    name, is_first = made_once(lambda: _make_folder(limit))
    if not name:
        _say(f'no folder for temporary files has {_mib(limit)} left: decoded images are not kept')
        return None
    store = ArrayStore(Path(name), limit)
    if is_first:
        weakref.finalize(store, _remove, Path(name), os.getpid())
        _say(f'decoded images, some {_mib(needed)}, are kept in {name}')
    for step in _loading_steps(dataset):
        step.transform = KeptTransform(step, store)
    return store


def decoded_bytes(dataset: Dataset) -> int:
    """What all images and masks of a data set take, if they are all as large as the first of their source."""
    total = 0
    leaf: Any
    for leaf in leaf_datasets(dataset):
        if not len(leaf):
            continue
        sample = leaf.get_data_info(0)
        try:
            for step in _loading_steps(leaf):
                type(step).transform(step, sample)
        except IMAGE_ERRORS:  # the training will name it
            continue
        arrays = [sample[key] for key in ('img', 'gt_seg_map') if isinstance(sample.get(key), np.ndarray)]
        # LMDB keeps whole pages of 4 KiB.
        total += len(leaf) * sum(-(-(array.nbytes + 64) // 4096) * 4096 for array in arrays)
    return total


def _loading_steps(dataset: Dataset) -> Iterator[Any]:
    leaf: Any
    for leaf in leaf_datasets(dataset):
        yield from (step for step in walk_transforms(leaf.pipeline) if type(step) in (*IMAGES, *MASKS))


def _make_folder(limit: int) -> str:
    """A new folder where there is room for so many bytes, in memory if possible; empty where there is none."""
    for place in (IN_MEMORY, Path(tempfile.gettempdir())):
        if not os.access(place, os.W_OK):
            continue
        _remove_abandoned(place)
        if shutil.disk_usage(place).free < limit:
            continue
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=place))
        if fcntl is not None:
            _owners.append(os.open(folder / OWNER, os.O_CREAT | os.O_RDWR))
            fcntl.flock(_owners[-1], fcntl.LOCK_SH)  # the system takes it back, whatever ends the processes
        return str(folder)
    return ''


_owners: list[int] = []  # file descriptors; processes that are forked have them too


def _remove_abandoned(place: Path) -> None:
    """Remove what killed trainings left."""
    for owner in place.glob(f'{PREFIX}*/{OWNER}') if fcntl is not None else ():
        try:
            with owner.open() as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(owner.parent, ignore_errors=True)
        except OSError:  # in use, or of another user
            continue


def _remove(folder: Path, process: int) -> None:
    if os.getpid() == process:
        if str(folder) in _environments:
            _environments.pop(str(folder)).close()
        shutil.rmtree(folder, ignore_errors=True)


def _mib(size: int) -> str:
    return f'{size / 2**20:,.0f} MiB'


def _say(text: str) -> None:
    print_log(f'{KEY}: {text}', 'current')
