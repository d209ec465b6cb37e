"""Secrets in the files of a folder, looked for before anything is uploaded."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ..secret import find_secret

NOT_TEXT = (".safetensors", ".onnx", ".data", ".bin", ".png", ".jpg", ".pdf", ".model")
VOCABULARIES = ("tokenizer.json", "vocab.txt", "vocab.json", "merges.txt", "added_tokens.json")


def check_secrets(folder: Path) -> None:
    """Raise a `ValueError` if a text file, or a text in a Parquet file, seems to contain a token or a password."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and (found := secret_in(path)):
            name = path.relative_to(folder).as_posix()
            raise ValueError(f"{name} seems to contain a secret ({found}); remove it, and revoke it if it is one")


def secret_in(path: Path) -> str | None:
    """Return the start of the first secret in a file and its line or row, such as `hf_AbC... in line 3`."""
    if path.suffix.lower() in NOT_TEXT or path.name in VOCABULARIES:
        return None
    unit, texts = ("row", _rows(path)) if path.suffix == ".parquet" else ("line", _lines(path))
    found = ((find_secret(text), i) for i, text in enumerate(texts, start=1))
    return next((f"{secret} in {unit} {i}" for secret, i in found if secret), None)


def _lines(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8", errors="replace") as lines:
        yield from lines


def _rows(path: Path) -> Iterator[str]:
    file = pq.ParquetFile(path)
    names = [field.name for field in file.schema_arrow if pa.types.is_string(field.type)]
    for batch in file.iter_batches(columns=names):
        for row in batch.to_pylist():
            yield "\n".join(filter(None, row.values()))
