"""Cells of a multi-label task: separators, lists in text, and words and blank cells that mean no label."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from datasets_builder import DataError, LabelColumn, MultiTaskBuilder, Source
from datasets_builder.findings import Findings
from datasets_builder.labels import read_labels
from datasets_builder.places import Place
from modeling_multitask import TaskConfig
from modeling_multitask.inference.tables import write_table

TAGS = TaskConfig("tags", "multi_label_classification", labels=["long", "loud"])
BOTH, LONG, LOUD, NEITHER = ({"long": i, "loud": j} for i, j in ((1, 1), (1, 0), (0, 1), (0, 0)))
OPEN = {"name": "tags", "problem_type": "multi_label_classification"}


def sets(cells: Any, **settings: Any) -> list[Any]:
    """The labels of a column of cells, or of a table of several."""
    chunk = cells if isinstance(cells, pa.Table) else pa.table({"tags": cells})
    findings = Findings()
    column = LabelColumn(**{"column": chunk.column_names if len(chunk.column_names) > 1 else "tags", **settings})
    read = read_labels(chunk, column, TAGS, Place("t.csv", findings))
    findings.check()
    return read.to_pylist()


def labels(*cells: Any, **settings: Any) -> list[str] | None:
    """The labels that are inferred from cells."""
    data = {"text": [f"t{i}" for i in range(len(cells))], "tags": list(cells)}
    source = Source(data=data, labels={"tags": LabelColumn("tags", **settings)})
    return MultiTaskBuilder(tasks=[OPEN], train=[source]).tasks[0].labels


@pytest.mark.parametrize("separator", [";", "; ", " ; "])
@pytest.mark.parametrize("cell", ["long;loud", " long ; loud ", ";long;;loud;"])
def test_white_space_around_separators_and_empty_parts_do_not_count(cell: str, separator: str) -> None:
    assert sets([cell], separator=separator) == [BOTH]


def test_a_separator_of_spaces_is_any_white_space() -> None:
    assert sets([" long   loud", "loud\tlong ", "long"], separator=" ") == [BOTH, BOTH, LONG]


def test_a_tab_between_labels_leaves_spaces_within_them() -> None:
    assert labels("very long\t loud", separator="\t") == ["loud", "very long"]


@pytest.mark.parametrize(
    "cells", [["1.0; 2", "2.00"], ["[1.0, '2']", "['2.0']"], [[1.0, 2.0], [2.0]], [["1.0", "2"], ["2"]]]
)
def test_numbers_are_one_word_within_cells_too(cells: list[Any]) -> None:
    # P136
    assert labels(*cells, separator=";") == ["1", "2"]


@pytest.mark.parametrize(("blank", "expected"), [("missing", None), ("none", NEITHER), (None, None)])
def test_a_blank_cell_is_missing_or_the_empty_set(blank: str | None, expected: Any) -> None:
    assert sets(["", None, ";", "long"], separator=";", blank=blank) == [expected, expected, expected, LONG]
    assert sets([None, ["long"]], blank=blank) == [expected, LONG]
    assert sets(pa.nulls(1), blank=blank) == [expected]
    assert sets(pa.array([None], pa.struct({"long": "int8", "loud": "int8"})), blank=blank) == [expected]


@pytest.mark.parametrize("blank", ["missing", "none"])
def test_an_empty_list_is_the_empty_set_whatever_a_blank_cell_means(blank: str) -> None:
    assert sets([[], ["long"]], blank=blank) == [NEITHER, LONG]
    assert sets(["[]", " [ ] "], blank=blank) == [NEITHER, NEITHER]


def test_a_blank_cell_of_a_label_is_0_if_blank_is_none_and_a_missing_one_stays_missing() -> None:
    table = pa.table({"long": ["1", "", None, "?"], "loud": ["", "1.0", "", "0"]})

    assert sets(table, blank="none", missing=["?"]) == [LONG, LOUD, NEITHER, {"long": None, "loud": 0}]


def test_words_for_no_label_are_the_empty_set() -> None:
    assert sets(["none", "0.0", "", "long"], separator=";", none=["none", 0]) == [NEITHER, NEITHER, None, LONG]
    assert sets([["none"], ["long"]], none=["none"]) == [NEITHER, LONG]
    assert sets(pa.table({"long": ["none", "1"], "loud": ["0", "none"]}), none=["none"]) == [NEITHER, LONG]


def test_a_word_for_no_label_beside_a_label_is_an_error() -> None:
    with pytest.raises(DataError, match="row 1, column 'tags': 'none' is not one of 'long', 'loud'"):
        sets(["none;long"], separator=";", none=["none"])


def test_a_word_for_a_missing_set_may_hold_the_separator_and_may_be_in_a_list_of_one() -> None:
    assert sets(["n/a", "long/loud"], separator="/", missing=["n/a"]) == [None, BOTH]
    assert sets([["n/a"], ["long"]], missing=["n/a"]) == [None, LONG]


def test_lists_in_text_are_lists_with_and_without_a_separator() -> None:
    assert sets(["['long', 'loud']", '["lg"]'], aliases={"lg": "long"}) == [BOTH, LONG]
    assert sets(["['long', 'loud']", "loud"], separator=";") == [BOTH, LOUD]


def test_a_list_that_cannot_be_read_is_an_error_with_its_row() -> None:
    # P137
    message = r"row 2, column 'tags': '\[long, loud\]' is not a list \(long is not in quotes\), and no label begins"
    with pytest.raises(DataError, match=message):
        sets(["long", "[long, loud]"], separator=",")


def test_text_without_a_separator_is_an_error_with_its_row() -> None:
    with pytest.raises(DataError, match=r"or a separator: \{column: .*\} \(row 2 is 'long, loud'\)"):
        sets(["['long']", "long, loud"])


def test_a_label_with_brackets_is_a_label_if_it_is_listed() -> None:
    task = TaskConfig("tags", "multi_label_classification", labels=["[PAD]", "loud"])

    read = read_labels(
        pa.table({"tags": ["[PAD];loud"]}), LabelColumn("tags", separator=";"), task, Place("t", Findings())
    )

    assert read.to_pylist() == [{"[PAD]": 1, "loud": 1}]


def test_a_part_in_quotes_is_no_label() -> None:
    # P137
    with pytest.raises(DataError, match="row 1, column 'tags': \"'long'\" is not a label: it begins or ends with"):
        labels("'long', 'loud'", separator=",")


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_the_answers_of_predict_are_read_back(tmp_path: Path, ending: str) -> None:
    answers = [["long", "it's, loud"], [], None, ["long"]]
    path = tmp_path / f"answers{ending}"
    write_table(pa.table({"text": ["a", "b", "c", "d"], "tags": answers}), path)

    builder = MultiTaskBuilder(tasks=[OPEN], train=[str(path)])
    builder.download_and_prepare()

    found = [tags and [name for name, there in tags.items() if there] for tags in builder.as_dataset()["train"]["tags"]]
    assert found == [["it's, loud", "long"], [], None, ["long"]]


def test_other_words_in_one_hot_columns_suggest_aliases_and_missing() -> None:
    table = pa.table({"long": ["yes", "no", "?"], "loud": ["no", "no", "yes"]})

    with pytest.raises(DataError, match="if these words mean 0, 1 or a missing label, add to the task: aliases"):
        sets(table)

    words = {"aliases": {"yes": "1", "no": "0"}, "missing": ["?"]}
    assert sets(table, **words) == [LONG, NEITHER, {"long": None, "loud": 1}]


def test_a_word_of_a_source_goes_before_the_same_word_of_the_task() -> None:
    task = {"name": "tags", "problem_type": "multi_label_classification", "labels": ["x", "y"], "missing": ["?", 0]}
    data = {"text": ["a", "b", "c"], "tags": ["x", "?", "0.0"]}
    column = LabelColumn("tags", separator=";", none=["?"], aliases={0: "y"})
    builder = MultiTaskBuilder(tasks=[task], train=[Source(data=data, labels={"tags": column})])
    builder.download_and_prepare()

    assert builder.as_dataset()["train"]["tags"][:] == [{"x": 1, "y": 0}, {"x": 0, "y": 0}, {"x": 0, "y": 1}]


def test_a_word_that_means_missing_and_the_empty_set_is_an_error() -> None:
    with pytest.raises(DataError, match=r"column 'tags': '1' is in missing and in none; leave it out of one"):
        LabelColumn("tags", missing=["?", 1], none=["1.0"])
