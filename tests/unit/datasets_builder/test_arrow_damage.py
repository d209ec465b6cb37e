"""Damaged tables and things that are no files end in one error."""

import os
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
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
        read(tmp_path / "rows.arrow", "text")


@pytest.mark.parametrize("stream", [False, True])
def test_the_name_of_a_column_that_is_not_utf_8_is_damage(tmp_path: Path, stream: bool) -> None:
    table, path = pa.table({"text": ["x"], "topic": ["a"]}), tmp_path / "rows.arrow"
    with (pa.ipc.new_stream if stream else pa.ipc.new_file)(path, table.schema) as file:
        file.write_table(table)
    path.write_bytes(path.read_bytes().replace(b"topic", b"top\xffc"))

    with pytest.raises(DataError, match=r"rows\.arrow: the file is damaged: the name of a column is not UTF-8 \("):
        read(path, "text", "topic")


def test_a_page_of_parquet_that_differs_from_its_checksum_is_damage(tmp_path: Path) -> None:
    # P145: the labels would be those of the next rows.
    table, path = pa.table({"text": ["x", "y", "z"], "topic": ["film", "food", "film"]}), tmp_path / "rows.parquet"
    pq.write_table(table, path, compression="none", use_dictionary=False, write_page_checksum=True)
    path.write_bytes(path.read_bytes().replace(b"film\4\0\0\0food", b"food\4\0\0\0film"))

    with pytest.raises(DataError, match=r"rows\.parquet: cannot be read \(.*CRC|rows\.parquet: not a complete .*CRC"):
        read(path, "text", "topic")


@pytest.mark.parametrize("place", [lambda folder: folder / "rows.csv", lambda folder: folder])
def test_a_named_pipe_is_no_table(tmp_path: Path, place: Callable[[Path], Path]) -> None:
    os.mkfifo(tmp_path / "rows.csv")

    with pytest.raises(DataError, match=r"rows\.csv: is a named pipe or a device, not a file"):
        read(place(tmp_path), "text")


def test_a_table_of_many_columns_is_read_soon(tmp_path: Path) -> None:
    names = [f"c{i}" for i in range(20_000)]
    (tmp_path / "rows.csv").write_text("\n".join(",".join(["text", *names]) + end for end in ("", "1", "2")))

    assert read(tmp_path / "rows.csv", "text") == 2


def read(path: Path, *columns: str) -> int:
    return sum(len(chunk) for table in open_tables(Source(str(path))) for chunk in table.read(list(columns)))
