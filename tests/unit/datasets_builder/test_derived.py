"""Columns that are made of others: joined texts and labels, levels, cells of several columns, names of files."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from datasets_builder import DataError, LabelColumn, MultiTaskBuilder, Source
from datasets_builder.derived import (
    CellsOfColumns,
    Constant,
    Derived,
    LabelOfColumns,
    Level,
    NameOfFile,
    TextOfColumns,
    VotesOfColumns,
)
from datasets_builder.findings import Findings
from datasets_builder.places import Place
from datasets_builder.sources import open_tables


def cells(made: Derived, **columns: list[Any]) -> list[Any]:
    (table,) = open_tables(Source(data=columns))
    made.sources(table)
    return made.cells(pa.table(columns), table, Place(table.name, Findings())).to_pylist()


def test_empty_parts_are_left_out_with_their_separator_and_no_row_is() -> None:
    # P139
    made = TextOfColumns(("a", "b"), " / ", ())

    joined = cells(made, a=["one", None, "", "three", " "], b=["two", None, "2", "", "\t"])

    assert joined == ["one / two", "", "2", "three", ""]


def test_a_part_that_is_a_missing_text_is_empty() -> None:
    assert cells(TextOfColumns(("a", "b"), "\n", ("n/a",)), a=["one", "n/a"], b=["n/a", "n/a "]) == ["one", ""]


def test_a_tag_cell_of_white_space_adds_nothing() -> None:
    assert cells(CellsOfColumns(("a", "b")), a=["x", " ", "\t"], b=[" ", "y", ""]) == [["x"], ["y"], None]


def test_a_label_is_missing_if_a_part_is() -> None:
    made = LabelOfColumns(("a", "b"), "/", ("?",))

    assert cells(made, a=["x", "x", None, "?"], b=[1.0, None, 2.0, 3.0]) == ["x/1", None, None, None]


def test_levels_are_counted_from_1_and_one_that_a_row_lacks_is_missing() -> None:
    paths = ["A > B > C", "A>B", " > A >> B > ", "", None]

    assert cells(Level("path", " > ", 1), path=paths) == ["A", "A", "A", None, None]
    assert cells(Level("path", " > ", 2), path=paths) == ["B", "B", "B", None, None]
    assert cells(Level("path", " > ", 3), path=paths) == ["C", None, None, None, None]


def test_cells_of_columns_are_lists_and_a_row_of_empty_cells_is_null() -> None:
    made = CellsOfColumns(("b", "a"))

    assert cells(made, a=["x", "", None], b=["y", "z", ""]) == [["y", "x"], ["z"], None]


def test_a_pattern_matches_whole_names_in_the_order_of_the_table() -> None:
    made = CellsOfColumns("tag_*")

    assert cells(made, tag_2=["x"], tagger=["no"], a_tag_1=["no"], tag_=["y"]) == [["x", "y"]]


def test_only_the_star_of_a_pattern_is_special() -> None:
    assert cells(CellsOfColumns("tag[*]"), **{"tag[1]": ["x"], "tag1": ["no"]}) == [["x"]]


def test_a_pattern_that_matches_no_column_is_an_error() -> None:
    with pytest.raises(DataError, match=r"no column matches 'tags_\*'; its columns are 'tag_1', 'tag_2'"):
        cells(CellsOfColumns("tags_*"), tag_1=["a"], tag_2=["b"])


def test_missing_votes_do_not_count_and_a_tie_has_no_majority() -> None:
    columns = {"a": ["yes", "no", "", "yes", None], "b": ["no", "?", "y", "no", ""], "c": ["yes", "?", "yes", "", ""]}
    label = LabelColumn(votes=list(columns), aliases={"y": "yes"}, missing=["?"])

    votes = cells(VotesOfColumns(tuple(columns), label), **columns)

    assert votes == [["yes", "no", "yes"], ["no"], ["yes", "yes"], ["yes", "no"], []]
    task = {"name": "t", "problem_type": "binary_classification"}
    builder = MultiTaskBuilder(
        tasks=[task], train=[Source(data={"text": list("abcde"), **columns}, labels={"t": label})]
    )
    builder.download_and_prepare()
    assert builder.as_dataset()["train"]["t"][:] == [1, 0, 1, None, None]


def test_aliases_are_replaced_before_votes_are_counted() -> None:
    swapped = LabelColumn(votes=["a", "b"], aliases={"yes": "no", "no": "yes"})
    task = {"name": "t", "problem_type": "binary_classification", "labels": ["no", "yes"]}
    source = Source(data={"text": ["x"], "a": ["yes"], "b": [""]}, labels={"t": swapped})

    builder = MultiTaskBuilder(tasks=[task], train=[source])
    builder.download_and_prepare()

    assert builder.as_dataset()["train"]["t"][:] == [0]


def test_a_constant_is_the_label_of_all_rows() -> None:
    assert cells(Constant("web", listed=False), a=[1, 2]) == ["web", "web"]
    assert cells(Constant("web", listed=True), a=[1, 2]) == [["web"], ["web"]]


@pytest.mark.parametrize(
    ("path", "name"), [("pos/web.csv", "web"), ("pos/v1.2 of us.CSV", "v1.2 of us"), ("pos/web.csv.gz", "web")]
)
def test_the_name_of_a_file_has_no_endings(path: str, name: str, tmp_path: Path) -> None:
    (tmp_path / "pos").mkdir()
    (tmp_path / path).write_text("text\na\n", encoding="utf-8")
    (table,) = open_tables(Source(str(tmp_path / path)))
    place, chunk = Place(table.name, Findings()), pa.table({"text": ["a"]})

    assert NameOfFile("file_name", listed=False).cells(chunk, table, place).to_pylist() == [name]
    assert NameOfFile("folder_name", listed=False).cells(chunk, table, place).to_pylist() == ["pos"]


def test_a_table_in_memory_has_no_file() -> None:
    with pytest.raises(DataError, match="`from: file_name` is only for files; use `constant`"):
        cells(NameOfFile("file_name", listed=False), a=[1])
