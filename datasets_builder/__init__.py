"""Tables with gaps, read as one multi-task data set."""

from .builder import MultiTaskBuilder
from .errors import DataError
from .settings import MultiTaskBuilderConfig
from .sources import LabelColumn, Source

__all__ = ["DataError", "LabelColumn", "MultiTaskBuilder", "MultiTaskBuilderConfig", "Source"]
