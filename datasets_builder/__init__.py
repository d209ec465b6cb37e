"""Read tables with missing labels as one multi-task data set."""

from typing import TYPE_CHECKING

from modeling_multitask.errors import DataError
from modeling_multitask.lazy import lazy_names

from .join import Join
from .long_votes import LongVotes
from .source import JoinedText, LabelColumn, Source

if TYPE_CHECKING:
    from .builder import MultiTaskBuilder
    from .settings import MultiTaskBuilderConfig

__all__ = [
    "DataError",
    "Join",
    "JoinedText",
    "LabelColumn",
    "LongVotes",
    "MultiTaskBuilder",
    "MultiTaskBuilderConfig",
    "Source",
]

__getattr__ = lazy_names(__name__, {"builder": ["MultiTaskBuilder"], "settings": ["MultiTaskBuilderConfig"]})
