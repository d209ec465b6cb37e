"""Where the output of frozen layers is cached on disk, and how much of it."""

from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import constants


@dataclass(frozen=True)
class PrefixCaching:
    """Where the states of frozen encoders are kept, and how much of them.

    Args:
        folder: Shared by all runs; `HF_HOME/multitask_prefixes` if left out.
        gigabytes: What all of it may take; what was used longest ago makes room.

    Raises:
        ValueError: If there is to be no room at all.
    """

    folder: str | None = None
    gigabytes: float = 8.0

    def __post_init__(self) -> None:
        if self.gigabytes <= 0:
            raise ValueError(f"prefix_cache.gigabytes is {self.gigabytes}; it must be above 0, or prefix_cache false")

    @property
    def root(self) -> Path:
        """The folder."""
        return Path(self.folder or Path(constants.HF_HOME) / "multitask_prefixes")

    @property
    def limit(self) -> int:
        """Bytes."""
        return int(self.gigabytes * 2**30)
