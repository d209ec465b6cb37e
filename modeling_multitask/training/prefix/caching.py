"""The folder and the maximum size of the cache of frozen layers."""

from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import constants

from ...words_multitask import check_bounds, word


@dataclass(frozen=True)
class PrefixCaching:
    """The folder and the maximum size of the cache of frozen layers."""

    folder: str | None = word(
        None,
        description="The folder, which runs can share; by default `HF_HOME/multitask_prefixes`.",
        example="/scratch/prefixes",
    )
    gigabytes: float = word(
        8.0, description="The maximum size of the whole cache. The least recently used part is removed first.", gt=0
    )

    def __post_init__(self) -> None:
        check_bounds(self)

    @property
    def root(self) -> Path:
        """The folder of the cache."""
        return Path(self.folder or Path(constants.HF_HOME) / "multitask_prefixes")

    @property
    def limit(self) -> int:
        """The maximum size in bytes."""
        return int(self.gigabytes * 2**30)
