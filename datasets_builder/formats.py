"""The supported table formats by file ending, for training, prediction, similarity and reports."""

from pathlib import PurePath

READABLE = (".csv", ".tsv", ".jsonl", ".json", ".parquet", ".arrow", ".xlsx", ".ods", ".sqlite", ".db")
WRITABLE = (".csv", ".jsonl", ".parquet")
LINES = ".txt"  # one text in each line
COMPRESSED = (".gz", ".zip", ".bz2", ".xz", ".zst")


def endings(path: str | PurePath) -> tuple[str, str]:
    """Return the ending of the format and that of the compression, such as `.csv` and `.gz`. Both may be empty."""
    path = PurePath(path)
    packed = path.suffix.lower() if path.suffix.lower() in COMPRESSED else ""
    return (path.with_suffix("") if packed else path).suffix.lower(), packed


def names_table(path: str | PurePath) -> bool:
    """Return whether the path ends like a file that a source can be."""
    ending, packed = endings(path)
    return bool(packed) or ending in (*READABLE, LINES)
