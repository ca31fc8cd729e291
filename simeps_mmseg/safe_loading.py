"""Files from elsewhere run no code: what mmengine opens without protection is opened with it.

Runs when the package is imported. Each part can go when mmengine does the same by itself.
"""

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn
from unittest.mock import patch

from .utils import UserError
from .utils.checkpoint import history_readable, not_loaded


def apply() -> None:
    """Protect every way that leads into mmengine's loaders."""
    protect_checkpoints()
    protect_pickles()
    protect_yaml()


def protect_checkpoints() -> bool:
    """Let ``CheckpointLoader`` (resume, ``load_from``, ``init_cfg``; files, addresses) unpickle weights and plain values only.

    OneDL's mmengine loads a file without protection where the protected way refuses it, and what is downloaded is loaded
    without in both families: whoever wrote the file may run anything.

    Returns:
        Whether anything was done.
    """
    from mmengine.runner.checkpoint import CheckpointLoader

    original = CheckpointLoader.load_checkpoint.__func__
    if hasattr(original, '_simeps_protected'):
        return False

    @functools.wraps(original)
    def load_checkpoint(cls: type, filename: str, *args: Any, **kwargs: Any) -> object:
        with weights_only(filename):
            return original(cls, filename, *args, **kwargs)

    load_checkpoint._simeps_protected = True  # type: ignore[attr-defined]
    CheckpointLoader.load_checkpoint = classmethod(load_checkpoint)
    return True


@contextmanager
def weights_only(named: str) -> Iterator[None]:
    """Within this block ``torch.load`` is protected whatever its caller asks for.

    Args:
        named: The file or address, for the message.

    Raises:
        UserError: If a file holds more than weights and plain values.
    """
    import pickle

    import torch

    original = torch.load

    def load(*args: Any, **kwargs: Any) -> object:
        try:
            with history_readable():
                return original(*args, **{**kwargs, 'weights_only': True})
        except pickle.UnpicklingError as error:
            raise UserError(not_loaded(named, error)) from error

    with patch.object(torch, 'load', load):
        yield


def protect_pickles() -> bool:
    """Let mmengine read no pickled files, such as annotations: whoever wrote one may run anything. It still writes them.

    Returns:
        Whether anything was done.
    """
    from mmengine.fileio.handlers import PickleHandler
    from mmengine.fileio.handlers.registry_utils import file_handlers

    if type(file_handlers['pkl']) is not PickleHandler:
        return False

    class ClosedPickleHandler(PickleHandler):
        """Writes pickled files, and refuses to read any."""

        def load_from_fileobj(self, file: object, **kwargs: Any) -> NoReturn:
            raise UserError(
                f'{getattr(file, "name", "a pickled file")} is not opened: what is pickled may run any code. If you trust '
                "it, write it as JSON, with json.dump(pickle.load(open('x.pkl', 'rb')), open('x.json', 'w')), and name that."
            )

    file_handlers.update(pickle=ClosedPickleHandler(), pkl=ClosedPickleHandler())
    return True


def protect_yaml() -> bool:
    """Let mmengine read YAML (configs, class weights) without the tags that make Python objects; tuples stay.

    libyaml parses where PyYAML has it: for a config that inherits from ``mmseg::`` mmengine reads some fifty files.

    Returns:
        Whether anything was done.
    """
    import yaml
    from mmengine.fileio.handlers import yaml_handler

    safe_loader = getattr(yaml, 'CSafeLoader', yaml.SafeLoader)
    if issubclass(yaml_handler.Loader, safe_loader):
        return False

    class PlainLoader(safe_loader):  # type: ignore[misc, valid-type]
        """Plain values, and tuples, which mmengine writes."""

    PlainLoader.add_constructor(
        'tag:yaml.org,2002:python/tuple', lambda loader, node: tuple(loader.construct_sequence(node, deep=True))
    )
    yaml_handler.Loader = PlainLoader
    return True
