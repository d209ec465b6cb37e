"""Damaged tables and things that are no files end in one error."""

import os
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from datasets_builder import Source
from datasets_builder.sources import open_tables
from modeling_multitask.errors import DataError

OFFSETS = b"".join(end.to_bytes(4, "little") for end in (0, 112, 4))
TOO_FAR = pa.Array.from_buffers(
    pa.list_(pa.int8()), 2, [None, pa.py_buffer(OFFSETS)], children=[pa.array([1] * 4, pa.int8())]
)
NO_SUCH_LABEL = pa.DictionaryArray.from_arrays(pa.array([0, 7]), pa.array(["a", "b"]), safe=False)


def write_arrow(table: pa.Table, path: Path) -> None:
    with pa.ipc.new_file(path, table.schema) as file:
        file.write_table(table)


@pytest.mark.parametrize("column", [TOO_FAR, NO_SUCH_LABEL], ids=["list", "dictionary"])
def test_an_arrow_file_with_an_invalid_column_is_damaged(tmp_path: Path, column: pa.Array) -> None:
    write_arrow(pa.table({"text": ["x", "y"], "topic": column}), tmp_path / "rows.arrow")

    with pytest.raises(DataError, match=r"rows\.arrow, column 'topic': the file is damaged \("):
        read(tmp_path / "rows.arrow")


@pytest.mark.parametrize("place", [lambda folder: folder / "rows.csv", lambda folder: folder])
def test_a_named_pipe_is_no_table(tmp_path: Path, place: Callable[[Path], Path]) -> None:
    os.mkfifo(tmp_path / "rows.csv")

    with pytest.raises(DataError, match=r"rows\.csv: is a named pipe or a device, not a file"):
        read(place(tmp_path))


def test_a_table_of_many_columns_is_read_soon(tmp_path: Path) -> None:
    names = [f"c{i}" for i in range(20_000)]
    (tmp_path / "rows.csv").write_text("\n".join(",".join(["text", *names]) + end for end in ("", "1", "2")))

    assert read(tmp_path / "rows.csv") == 2


def read(path: Path) -> int:
    return sum(len(chunk) for table in open_tables(Source(str(path))) for chunk in table.read(["text"]))
