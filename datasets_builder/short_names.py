"""Short names of files for people, which do not tell the folders of a machine."""

from collections import Counter
from pathlib import PurePath

from datasets_builder.addresses import is_address


def short_names(paths: list[str]) -> list[str]:
    """Return the last parts of each path, as few as no other path ends in, so that folders of a machine stay unknown.

    Args:
        paths: Different paths, or other names of tables.
    """
    parts = [PurePath(path).parts for path in paths]
    short: dict[str, str] = {}
    for length in range(1, max(map(len, parts), default=0) + 1):
        counts = Counter(each[-length:] for each in parts)
        ends = {path: each[-length:] for path, each in zip(paths, parts, strict=True)}
        short = {path: PurePath(*end).as_posix() for path, end in ends.items() if counts[end] == 1} | short
    whole = {PurePath(path).as_posix(): path for path in paths if is_address(path)}  # `https:/` is not `https://`
    return [whole.get(short.get(path, path), short.get(path, path)) for path in paths]
