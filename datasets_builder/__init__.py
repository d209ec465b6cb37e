"""Tables with gaps, read as one multi-task data set."""

from .builder import MultiTaskBuilder, MultiTaskBuilderConfig
from .errors import DataError
from .sources import LabelColumn, Source

__all__ = ["DataError", "LabelColumn", "MultiTaskBuilder", "MultiTaskBuilderConfig", "Source"]
