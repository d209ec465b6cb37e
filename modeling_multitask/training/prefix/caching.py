"""Where the output of frozen layers is cached on disk, and how much of it."""

from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import constants

from ...words_multitask import check_bounds, word


@dataclass(frozen=True)
class PrefixCaching:
    """Where the output of frozen layers is cached on disk, and how much of it."""

    folder: str | None = word(
        None,
        description="A folder, which all runs may share; by default `HF_HOME/multitask_prefixes`.",
        example="/scratch/prefixes",
    )
    gigabytes: float = word(
        8.0, description="The size of the whole cache; what was used longest ago is removed first.", gt=0
    )

    def __post_init__(self) -> None:
        check_bounds(self)

    @property
    def root(self) -> Path:
        """The folder."""
        return Path(self.folder or Path(constants.HF_HOME) / "multitask_prefixes")

    @property
    def limit(self) -> int:
        """Bytes."""
        return int(self.gigabytes * 2**30)
