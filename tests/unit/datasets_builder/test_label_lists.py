"""Lists of numbers in multi-label columns: ids of labels, or zeros and ones, decided by the whole column."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from datasets import ClassLabel, Dataset, Features, List, Value

from datasets_builder import DataError, LabelColumn, MultiTaskBuilder, Source
from datasets_builder.label_lists import list_form

LABELS = ["money", "question", "praise"]
TWO = LABELS[:2]


def built(data: Any, labels: list[str] | None = LABELS, **settings: Any) -> list[Any]:
    """The labels of each row: a list of their positions, or `None`."""
    tasks = [{"name": "tags", "problem_type": "multi_label_classification", "labels": labels, **settings}]
    builder = MultiTaskBuilder(tasks=tasks, train=data)
    builder.download_and_prepare()
    rows = builder.as_dataset()["train"]["tags"]
    return [row if row is None else list(row.values()) for row in rows]


def rows(cells: Any) -> dict[str, Any]:
    return {"text": [f"t{i}" for i in range(len(cells))], "tags": cells}


@pytest.mark.parametrize(
    ("cells", "labels", "form"),
    [
        ([[0, 1], [0]], TWO, "ids"),
        ([[], [0, 1], [0, 0]], TWO, "multi_hot"),
        ([[]], TWO, None),
        ([None, [2], [0, 1, 2]], LABELS, "ids"),
        ([[0, 1, 2]], LABELS, "ids"),
        ([[0, 1], [0, 0]], TWO, "multi_hot"),
        ([[0, 1, 1]], LABELS, "multi_hot"),
        ([[0, 1], [1, None]], TWO, "multi_hot"),
        ([[0, 1], [1, -100]], TWO, "multi_hot"),
        ([[0.0, 1.0]], TWO, "multi_hot"),
        ([[True, False]], TWO, "multi_hot"),
        ([["money"], None, "money", {"money": 1}], TWO, None),
        ([], TWO, None),
        ([[0], [2]], ["money"], "ids"),
        ([[0], [1]], ["money"], "multi_hot"),
    ],
)
def test_the_first_list_that_can_be_only_one_of_both_decides(
    cells: list[Any], labels: list[str], form: str | None
) -> None:
    assert list_form(cells, labels) == form


@pytest.mark.parametrize(
    ("cells", "labels"), [([[0, 1], None, [1, 0]], TWO), ([[0, 1], []], TWO), ([[0], None], ["money"])]
)
def test_a_column_that_can_be_both_is_refused(cells: list[Any], labels: list[str]) -> None:
    with pytest.raises(ValueError, match=r"may be ids of labels, or zeros and ones; write names of labels, such as"):
        list_form(cells, labels)


@pytest.mark.parametrize(
    "cells",
    [
        [["money", "praise"], ["question"], None, []],
        [[0, 2], [1], None, []],
        [[1, 0, 1], [0, 1, 0], None, [0, 0, 0]],
        [[1.0, 0.0, 1.0], [0.0, 1.0, 0.0], None, [0.0, 0.0, 0.0]],
        [[True, False, True], [False, True, False], None, [False, False, False]],
    ],
    ids=["names", "ids", "zeros and ones", "floats", "truth values"],
)
@pytest.mark.parametrize("table", [dict, pd.DataFrame, Dataset.from_dict], ids=["dict", "pandas", "datasets"])
def test_lists_in_memory_are_read_in_each_way(table: Any, cells: list[Any]) -> None:
    assert built(table(rows(cells))) == [[1, 0, 1], [0, 1, 0], None, [0, 0, 0]]


@pytest.mark.parametrize("first", [[1, 0, 1], [1.0, 0.0, 1.0], [True, False, True], [0, 2], ["money", "praise"]])
def test_an_empty_list_has_no_label(first: list[Any]) -> None:
    assert built(rows([[], first])) == [[0, 0, 0], [1, 0, 1]]
    assert built(rows([[], None])) == [[0, 0, 0], None]


def test_lists_of_polars_are_read() -> None:
    polars = pytest.importorskip("polars")

    assert built(polars.DataFrame(rows([[0, 2], [1], None]))) == [[1, 0, 1], [0, 1, 0], None]


def test_lists_in_a_file_are_read(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(json.dumps({"text": f"t{i}", "tags": tags}) for i, tags in enumerate([[0, 2], [1]])))

    assert built(str(path)) == [[1, 0, 1], [0, 1, 0]]


@pytest.mark.parametrize("kind", [pa.list_(pa.int8()), pa.large_list(pa.int64()), pa.list_(pa.float32())])
def test_zeros_and_ones_of_every_type_are_read(kind: pa.DataType) -> None:
    table = pa.table({"text": ["a", "b", "c"], "tags": pa.array([[1, 0, 1], None, [0, None, 0]], kind)})

    assert built(Dataset(table)) == [[1, 0, 1], None, [0, None, 0]]


def test_lists_of_a_fixed_length_are_read() -> None:
    features = Features({"text": Value("string"), "tags": List(Value("int64"), length=3)})

    assert built(Dataset.from_dict(rows([[1, 0, 1], [0, 1, 0]]), features=features)) == [[1, 0, 1], [0, 1, 0]]


def test_the_names_of_classes_are_used() -> None:
    features = Features({"text": Value("string"), "tags": List(ClassLabel(names=["praise", "money", "question"]))})

    assert built(Dataset.from_dict(rows([[0, 1], [2]]), features=features)) == [[1, 0, 1], [0, 1, 0]]


def test_separated_text_is_read_with_its_separator() -> None:
    source = Source(rows(["money; praise", "question"]), labels={"tags": LabelColumn("tags", separator=";")})

    assert built(source) == [[1, 0, 1], [0, 1, 0]]


def test_a_later_chunk_decides_for_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datasets_builder.arrow_tables.CHUNK_ROWS", 2)

    assert built(rows([[0, 1], [1, 0], [1]]), TWO) == [[1, 1], [1, 1], [0, 1]]
    assert built(rows([[0, 1], [1, 0], [1, 1]]), TWO) == [[0, 1], [1, 0], [1, 1]]


def test_a_column_that_can_be_both_is_refused_by_the_builder() -> None:
    with pytest.raises(DataError, match=r"the given dict, column 'tags': \[0, 1\] may be ids of labels, or zeros"):
        built(rows([[0, 1], [1, 0]]), TWO)


def test_numbers_that_are_names_are_names() -> None:
    # As for a single label: 3 is the label '3', not the fourth one.
    assert built(rows([[1, 3], [2]]), ["1", "2", "3"]) == [[1, 0, 1], [0, 1, 0]]
    assert built(rows([[1.0, 3.0], [2.0]]), ["1", "2", "3"]) == [[1, 0, 1], [0, 1, 0]]
    assert built(rows([[1, 3], [2]]), None) == [[1, 0, 1], [0, 1, 0]]


def test_a_number_of_labels_is_named_by_its_id() -> None:
    assert built(rows([[0, 2], [1]]), None, num_labels=3) == [[1, 0, 1], [0, 1, 0]]


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ([[0, 2], [7]], r"row 2, column 'tags': '7' is not one of 'money', 'question', 'praise'"),
        ([[0, 2], [-1, 0]], r"row 2, column 'tags': '-1' is not one of"),
        ([[2], [0, 0, 1]], r"row 2, column 'tags': \[0, 0, 1\] is a list with a number twice, but others are ids"),
        ([[0, 0, 1], [2]], r"row 2, column 'tags': \[2\] is not a list of zeros and ones for 3 labels"),
        ([[0.5, 0.0, 0.0]], r"row 1, column 'money': '0.5' is neither '0' nor '1'"),
    ],
)
def test_lists_that_cannot_be_are_refused_with_their_row(cells: list[Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        built(rows(cells))


@pytest.mark.parametrize("cells", [[[1.0, 0.0], [0.0, 1.0]], [[True, False], [False, True]], [[0, 0, 1], [1, 0, 0]]])
def test_zeros_and_ones_without_names_are_refused(cells: list[Any]) -> None:
    with pytest.raises(DataError, match=r"which name no label; list the labels of the task in their order"):
        built(rows(cells), None)


@pytest.mark.parametrize(
    "cells",
    [
        ["[1, 0, 1]", "[0, 1, 0]", "", "[]"],
        ["[1.0, 0.0, 1.0]", "[0.0, 1.0, 0.0]", "?", "-"],
        ["[True, False, True]", "[false, true, false]", "", "[0,0,0]"],
        ["[0, 2]", "[1]", "?", "[]"],
        ["['money', 'praise']", '["question"]', "?", "-"],
    ],
    ids=["zeros and ones", "floats", "truth values", "ids", "names"],
)
def test_lists_that_are_written_as_text_mean_what_lists_mean(cells: list[str], tmp_path: Path) -> None:
    pd.DataFrame(rows(cells)).to_csv(tmp_path / "rows.csv", index=False)

    assert built(str(tmp_path / "rows.csv"), missing=["?"], none=["-"]) == [[1, 0, 1], [0, 1, 0], None, [0, 0, 0]]


def test_numbers_in_quotes_are_names() -> None:
    assert built(rows(['["1", "0"]', '["0"]']), ["0", "1"]) == [[1, 1], [1, 0]]


def test_a_list_as_text_that_can_be_both_is_refused() -> None:
    with pytest.raises(
        DataError, match=r"column 'tags': \[0, 1\] may be ids of labels, or zeros and ones; write names"
    ):
        built(rows(["[0, 1]", "[1, 0]"]), TWO)


@pytest.mark.parametrize("other", ["[1, 0]", "['money']"])
def test_another_list_among_zeros_and_ones_is_an_error_with_its_row(other: str) -> None:
    with pytest.raises(DataError, match=r"row 2, column 'tags': \[.*\] is not a list of zeros and ones for 3 labels"):
        built(rows(["[1, 0, 1]", other]))
