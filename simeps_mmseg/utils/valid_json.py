"""JSON that every reader takes: it knows neither NaN nor infinity."""

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np


def nulled(value: object) -> object:
    """A nested structure with None in place of NaN and infinity, and numbers of NumPy as Python's own.

    Example:
        >>> nulled({'mIoU': float('nan'), 'steps': [1, 2.5, float('inf')]})
        {'mIoU': None, 'steps': [1, 2.5, None]}
    """
    if isinstance(value, Mapping):
        return {key: nulled(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [nulled(item) for item in value]
    if isinstance(value, (np.ndarray, np.generic)):
        return nulled(value.tolist())
    return None if isinstance(value, float) and not math.isfinite(value) else value


def valid_json(value: object, **options: Any) -> str:
    """Text of a nested structure; what is not finite becomes ``null``.

    Args:
        value: What to write.
        **options: Of ``json.dumps``.
    """
    return json.dumps(nulled(value), allow_nan=False, **options)


def undefined_as_nan(record: Mapping[str, object]) -> dict[str, object]:
    """A record as it was before :func:`nulled`: NaN where a value is None.

    Example:
        >>> undefined_as_nan({'mIoU': None, 'step': 3})
        {'mIoU': nan, 'step': 3}
    """
    return {key: math.nan if value is None else value for key, value in record.items()}
