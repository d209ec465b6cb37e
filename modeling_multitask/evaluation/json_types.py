"""The content of a report in JSON types."""

import math
from typing import Any

import numpy as np

from .intervals import Figure


def json_types(given: Any) -> Any:
    """Return the content in JSON types. NaN and infinite numbers become `None`."""
    if isinstance(given, Figure):
        given = given._asdict()
    if isinstance(given, dict):
        return {str(name): json_types(each) for name, each in given.items()}
    given = given.tolist() if isinstance(given, np.ndarray | np.generic) else given
    if isinstance(given, list | tuple):
        return [json_types(each) for each in given]
    return None if isinstance(given, float) and not math.isfinite(given) else given
