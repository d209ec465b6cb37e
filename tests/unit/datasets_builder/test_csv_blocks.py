"""The fast reader of CSV gives the rows, lines and errors of Python's parser, or leaves the content to it."""

import csv
import io
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datasets_builder import DataError, byte_blocks
from datasets_builder.byte_blocks import IrregularError
from datasets_builder.csv_blocks import block_cells, csv_blocks
from datasets_builder.csv_tables import CsvTable
from datasets_builder.layout import Layout

MARKS = ['"', '""', ",", ",,", ";", "\n", "\n\n", "\r\n", "\r", " ", "\u2028", "\x85", "\ufeff", "\0"]
PIECES = [*MARKS, "a", "film", "é", "text,topic\n", '"x\n,y"', '"5"" pipe",film\n', "text,topic\r\n", "a,film\n"]
LAYOUTS: list[dict[str, Any]] = [
    {},
    {"quoting": "none"},
    {"quoting": "minimal"},
    {"skip_rows": 1},
    {"header": False, "columns": ["text", "topic"]},
    {"delimiter": ";", "header": False, "columns": ["text"]},
    {"keep_empty": False},
    {"numbers": ("topic",), "decimal": ","},
    {"encoding": "utf-16"},
]

Read = tuple[list[tuple[int, ...]], str | None]


def rows_of(table: CsvTable, columns: list[str]) -> Read:
    """Return the rows with their lines, and the message of the error that ends them."""
    rows: list[tuple[Any, ...]] = []
    try:
        for chunk, _, lines, _ in table.read_rows(columns):
            rows += zip(*chunk.to_pydict().values(), lines.tolist(), strict=True)
    except DataError as error:
        return rows, str(error)
    return rows, None


def read_by_python(table: CsvTable, columns: list[str], patch: pytest.MonkeyPatch) -> Read:
    def irregular(*_: Any, **__: Any) -> Iterator[Any]:
        raise IrregularError

    with patch.context() as context:
        context.setattr("datasets_builder.csv_tables.csv_blocks", irregular)
        return rows_of(table, columns)


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    start=st.sampled_from(["text,topic\n", "\ufefftext,topic\r\n", ""]),
    pieces=st.lists(st.sampled_from(PIECES), max_size=25),
    layout=st.sampled_from(LAYOUTS),
    block=st.integers(1, 40),
    columns=st.sampled_from([["text"], ["topic", "text"], ["topic"]]),
)
def test_any_content_is_read_as_by_pythons_parser(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    start: str,
    pieces: list[str],
    layout: dict[str, Any],
    block: int,
    columns: list[str],
) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes((start + "".join(pieces)).encode(layout.get("encoding", "utf-8")))
    monkeypatch.setattr(byte_blocks, "BLOCK_BYTES", block)
    table = CsvTable(path, Layout(**layout))
    names = [name for name in columns if name in (layout.get("columns") or columns)] or ["text"]

    expected = read_by_python(table, names, monkeypatch)
    rows, error = rows_of(CsvTable(path, Layout(**layout)), names)

    assert error == expected[1]
    assert error is not None or rows == expected[0]


@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_a_written_table_needs_no_python_parser(monkeypatch: pytest.MonkeyPatch, quoting: Any, line_end: str) -> None:
    rows = [["a, b", "film"], ['5" pipe', "food"], ["two\nlines", ""], ["", ""], ['"', "é"]] * 20
    written = io.StringIO()
    csv.writer(written, quoting=quoting, lineterminator=line_end).writerows(rows)
    monkeypatch.setattr(byte_blocks, "BLOCK_BYTES", 64)

    blocks = list(csv_blocks(io.BytesIO(written.getvalue().encode()), ",", quoted=True))

    cells = pa.concat_tables([block_cells(block, 2, [0, 1], ",", quoted=True) for block in blocks])
    assert list(zip(*cells.to_pydict().values(), strict=True)) == [tuple(row) for row in rows]
    assert len(blocks) > 5


def test_a_block_that_begins_with_a_byte_order_mark_keeps_it(tmp_path: Path) -> None:
    """PITFALLS P160: pyarrow drops the mark of any block that it reads."""
    (tmp_path / "t.csv").write_text("text,topic\n\ufeffa,film\n", encoding="utf-8")

    assert rows_of(CsvTable(tmp_path / "t.csv"), ["text"]) == ([("\ufeffa", 2)], None)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "utf-32-be"])
@pytest.mark.parametrize("cut", [1, 3])
def test_a_file_that_ends_within_a_character_is_damaged(tmp_path: Path, encoding: str, cut: int) -> None:
    """PITFALLS P162: `codecs.EncodedFile` drops the bytes of a character that is not complete."""
    (tmp_path / "t.csv").write_bytes("text,topic\na,film\n".encode(encoding)[:-cut])

    rows, error = rows_of(CsvTable(tmp_path / "t.csv", Layout(encoding=encoding)), ["text"])

    assert not rows
    assert "truncated data" in str(error)


@pytest.mark.parametrize("order", ["le", "be"])
def test_a_mark_at_the_beginning_is_no_part_of_a_name(tmp_path: Path, order: str) -> None:
    encoding = f"utf-16-{order}"
    (tmp_path / "t.csv").write_bytes("\ufefftext,topic\na,film\n".encode(encoding))

    assert rows_of(CsvTable(tmp_path / "t.csv", Layout(encoding=encoding)), ["text"]) == ([("a", 2)], None)


def test_a_quote_that_is_not_closed_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(byte_blocks, "MOST_BYTES", 2**10)
    file = io.BytesIO(b'"a' + b",x\n" * 10**6)
    monkeypatch.setattr(byte_blocks, "BLOCK_BYTES", 2**8)

    with pytest.raises(IrregularError):
        list(csv_blocks(file, ",", quoted=True))
    assert file.tell() < 2**12


@pytest.mark.slow
def test_a_million_rows_are_those_of_pythons_csv_module(tmp_path: Path) -> None:
    random.seed(0)
    words = ["the", "of, and", 'a "quoted" word', "two\nlines", "", "é", " ", '5" pipe', "\r\n", "'", "\\"]
    path = tmp_path / "rows.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "topic"])
        for i in range(1_000_000):
            writer.writerow([f"{i} {' '.join(random.choices(words, k=random.randint(0, 4)))}", random.choice("ab")])

    table = CsvTable(path, Layout(quoting="minimal"))
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file, strict=True)
        next(reader)
        line = reader.line_num + 1
        count = 0
        for chunk, _, lines, _ in table.read_rows(["text", "topic"]):
            for *cells, own in zip(*chunk.to_pydict().values(), lines.tolist(), strict=True):
                assert (next(reader), line) == (cells, own)
                line = reader.line_num + 1
                count += 1
        assert next(reader, None) is None
    assert count == 1_000_000
