"""The path of a local copy of a file on a server."""

import os
from pathlib import Path, PosixPath
from typing import Any, Self

from .addresses import shown_path


def as_given(path: Path) -> str:
    """Return a path as the user gave it: the address, with its query, if it is a local copy."""
    return path.address if isinstance(path, LocalCopy) else str(path)


class LocalCopy(PosixPath):
    """The local copy of a file on a server. It is opened like any path; as text, in messages, it is its address.

    Attributes:
        address: The address of the file, with its query.

    Example:
        >>> import os
        >>> from datasets_builder.local_path import LocalCopy
        >>> copy = LocalCopy.of("https://example.org/tickets.csv?v=2", "cache/data.csv")
        >>> print(copy)
        https://example.org/tickets.csv
        >>> os.fspath(copy)
        'cache/data.csv'
    """

    address: str = ""

    @classmethod
    def of(cls, address: str, path: str | os.PathLike[str]) -> Self:
        """Return the path as the copy of the file at an address."""
        copy = cls(os.fspath(path))
        copy.address = address
        return copy

    def __fspath__(self) -> str:
        """Return the local path."""
        return super().__str__()

    def __str__(self) -> str:
        """Return the address as in messages."""
        return shown_path(self.address) or super().__str__()

    def __reduce__(self) -> tuple[Any, ...]:
        """Return how another process makes the same path."""
        return LocalCopy.of, (self.address, os.fspath(self))

    def with_segments(self, *parts: str | os.PathLike[str]) -> Path:
        """Return a path that is made of this one, such as its parent, from Python 3.12 on."""
        return Path(*(os.fspath(each) for each in parts))
