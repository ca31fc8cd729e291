"""The log files of a runner."""

import logging
import sys
from collections.abc import Callable
from functools import partial

from .errors import disk_full
from .streams import write_any_name


def prepare_log_files(logger: logging.Logger) -> None:
    """Have a logger's files take any name, and be silent where the disk is full.

    ``logging`` prints a traceback for each line that it has no room for. What has to be saved next says so once.
    """
    for handler in logger.handlers:
        if isinstance(handler, logging.FileHandler):
            write_any_name([handler.stream])
            silent = partial(_tell_of_other_errors, handler.handleError)
            handler.handleError = silent  # type: ignore[method-assign]


def _tell_of_other_errors(tell: Callable[[logging.LogRecord], None], record: logging.LogRecord) -> None:
    error = sys.exc_info()[1]
    if error is None or disk_full(error) is None:
        tell(record)
