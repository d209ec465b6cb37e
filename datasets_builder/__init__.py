"""Tables with gaps, read as one multi-task data set."""

from .builder import MultiTaskBuilder, MultiTaskBuilderConfig
from .sources import DataError, Source

__all__ = ["DataError", "MultiTaskBuilder", "MultiTaskBuilderConfig", "Source"]
