"""The weights of rows: their cells, and their place in the data set."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from datasets_builder import DataError, MultiTaskBuilder, Source
from datasets_builder.findings import Findings
from datasets_builder.places import Place
from datasets_builder.weights import row_weights
from modeling_multitask.recipes.loading import load_recipe
from modeling_multitask.runs.data import write_rows

TOPIC = {"name": "topic", "problem_type": "single_label_classification", "labels": ["x", "y"]}
ONE = Source(data={"text": ["a", "", "b"], "topic": ["x", "x", "y"], "w": ["0", "7", "2.5"]}, weight="w")
OTHER = Source(data={"text": ["b", "c"], "topic": ["y", "x"]})


def weights(*cells: Any) -> list[float]:
    return row_weights(
        pa.table({"w": list(cells)}), "w", Place("t.csv", Findings(), np.arange(11, 11 + len(cells)))
    ).tolist()


def build(**words: Any) -> MultiTaskBuilder:
    builder = MultiTaskBuilder(tasks=[TOPIC], train=[ONE, OTHER], **words)
    builder.download_and_prepare()
    return builder


def test_weights_are_numbers_from_0() -> None:
    assert weights("0.9", "1", " 2e1 ", "0") == [0.9, 1, 20, 0]
    assert weights(0.1, 3.0) == [0.1, 3]


@pytest.mark.parametrize("cell", ["-0.5", "", "nan", "high", "1e999", "1e39"])
def test_another_weight_is_an_error_with_its_row_and_column(cell: str) -> None:
    with pytest.raises(DataError, match=f"t.csv, row 12, column 'w': '{cell}' is not a weight; .* number, at least 0"):
        weights("1", cell)


def test_a_merged_row_has_the_weight_of_its_first_row_and_other_sources_have_none() -> None:
    rows = build(with_source=True).as_dataset()["train"]

    assert [(row["text"], row["weight"]) for row in rows] == [("a", 0.0), ("b", 2.5), ("c", None)]


@pytest.mark.parametrize("rule", ["error", "first", "majority"])
def test_a_row_without_a_label_gives_no_weight_to_the_labels_of_other_sources(rule: Any) -> None:
    pool = Source(data={"text": ["a", "b", "c", "d"], "topic": [None, "x", None, None], "w": [0, 0, 0, 7]}, weight="w")
    other = Source(data={"text": ["c", "a", "b"], "topic": ["y", "x", "x"], "w": [3, 2, 5]}, weight="w")
    first = Source(data={"text": list("klmnopq"), "topic": ["x"] * 7})  # whose texts have the first numbers
    builder = MultiTaskBuilder(tasks=[TOPIC], train=[pool, other], validation=[first], contradictions=rule)
    builder.download_and_prepare()

    rows = [(row["text"], row["topic"], row["weight"]) for row in builder.as_dataset()["train"]]

    assert rows == [("a", 0, 2), ("b", 0, 0), ("c", 1, 3), ("d", None, 7)]


def test_without_row_weights_there_is_no_such_column() -> None:
    builder = MultiTaskBuilder(tasks=[TOPIC], train=[OTHER])
    builder.download_and_prepare()

    assert builder.as_dataset()["train"].column_names == ["text", "topic"]


def test_streamed_rows_have_their_weights() -> None:
    rows = MultiTaskBuilder(tasks=[TOPIC], train=[ONE], streaming=True).as_streaming_dataset()

    assert [(row["text"], row["weight"]) for row in rows] == [("a", 0.0), ("b", 2.5)]


def test_rows_of_weight_0_are_noted_once_and_not_as_unlabelled_ones() -> None:
    given = Source(data={"text": ["a", "b", "c"], "topic": ["x", None, "y"], "w": [0, 0, 1]}, weight="w")
    builder = MultiTaskBuilder(tasks=[TOPIC], train=[given])
    builder.download_and_prepare()

    assert builder.notes == ["train: 1 rows without any label and 1 rows of weight 0 are skipped in training"]


def test_rows_are_written_with_their_weights(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,topic,w\na,x,0.1\nb,y,2\n", encoding="utf-8")
    source = {"path": str(tmp_path / "a.csv"), "weight": "w", "labels": {"topic": "topic"}}
    recipe = load_recipe({"backbone": "some/encoder", "tasks": [TOPIC], "data": {"train": [source]}})

    write_rows(recipe, tmp_path / "rows.jsonl")

    assert [json.loads(line)["weight"] for line in (tmp_path / "rows.jsonl").read_text().splitlines()] == [0.1, 2]


def test_a_split_does_not_depend_on_weights() -> None:
    data = {"text": [f"text {i}" for i in range(40)], "topic": ["x", "y"] * 20, "w": [i % 7 for i in range(40)]}
    splits = []
    for weight in (None, "w"):
        source = Source(data=data, weight=weight, labels={"topic": "topic"})
        builder = MultiTaskBuilder(tasks=[TOPIC], train=[source], split={"test": 0.25, "seed": 0})
        builder.download_and_prepare()
        splits.append(builder.as_dataset()["test"]["text"][:])

    assert splits[0] == splits[1]


@pytest.mark.parametrize("labels", [None, {"topic": "topic"}])
def test_a_weight_has_the_decimal_mark_of_its_source(tmp_path: Path, labels: dict[str, str] | None) -> None:
    (tmp_path / "a.csv").write_text("text;topic;w\na;x;0,25\nb;y;2\n", encoding="utf-8")
    source = Source(str(tmp_path / "a.csv"), delimiter=";", decimal=",", weight="w", labels=labels)
    builder = MultiTaskBuilder(tasks=[TOPIC], train=[source])
    builder.download_and_prepare()

    assert builder.as_dataset()["train"]["weight"][:] == [0.25, 2]


def test_a_weight_with_a_comma_names_the_word_to_add() -> None:
    with pytest.raises(
        DataError, match=r"row 12, column 'w': '0,5' is not a weight; .* add `decimal: \",\"` to its source"
    ):
        weights("1", "0,5")
