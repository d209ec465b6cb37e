"""Each built row keeps the table and the line that it comes from."""

import gzip
import json
import sqlite3
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from datasets import Dataset

from datasets_builder import DataError, JoinedText, MultiTaskBuilder, Source
from datasets_builder.row_places import RowPlace, row_places
from datasets_builder.short_names import short_names
from tests.workbooks import write_workbook

TOPIC = {"name": "topic", "problem_type": "single_label_classification", "labels": ["film", "food"]}
RATING = {"name": "rating", "problem_type": "regression"}


def build(train: Any, tasks: tuple[dict[str, Any], ...] = (TOPIC,), **settings: Any) -> dict[str, Dataset]:
    builder = MultiTaskBuilder(tasks=list(tasks), train=train, with_place=True, **settings)
    builder.download_and_prepare()
    return dict(builder.as_dataset())


def places(rows: Any) -> dict[str, str]:
    """Return `file:line` by text."""
    names = rows.features["table"].names
    return {row["text"]: f"{Path(names[row['table']]).name}:{row['line']}" for row in rows}


def write(folder: Path, name: str, content: str) -> str:
    (folder / name).write_text(content, encoding="utf-8")
    return str(folder / name)


def test_rows_have_no_place_by_default() -> None:
    builder = MultiTaskBuilder(tasks=[TOPIC], train={"text": ["a"], "topic": ["film"]})
    builder.download_and_prepare()

    assert builder.as_dataset()["train"].column_names == ["text", "topic"]


def test_the_place_comes_after_the_weight_and_the_source() -> None:
    source = Source(data={"text": ["a"], "topic": ["film"], "sure": [1]}, labels={"topic": "topic"}, weight="sure")

    rows = build(source, with_source=True)["train"]

    assert rows.column_names == ["text", "topic", "weight", "source", "table", "line"]
    assert rows[0] == {"text": "a", "topic": 0, "weight": 1.0, "source": 0, "table": 0, "line": 1}


def test_a_merged_row_has_the_place_of_its_first_row(tmp_path: Path) -> None:
    first = write(tmp_path, "a.csv", "text,topic\na,film\nb,food\n")
    second = write(tmp_path, "b.csv", "text,rating\nc,1\nb,2\nd,3\n")

    rows = build([first, second], (TOPIC, RATING))["train"]

    assert places(rows) == {"a": "a.csv:2", "b": "a.csv:3", "c": "b.csv:2", "d": "b.csv:4"}
    assert rows["rating"][1] == 2


@pytest.mark.parametrize("rule", ["first", "majority"])
def test_a_text_that_is_merged_within_its_table_has_the_place_of_its_first_row(tmp_path: Path, rule: str) -> None:
    path = write(tmp_path, "a.csv", "text,topic\na,film\nb,food\na,food\nc,film\n")

    assert places(build(path, contradictions=rule)["train"]) == {"a": "a.csv:2", "b": "a.csv:3", "c": "a.csv:5"}


def test_a_broken_csv_row_has_the_line_where_it_begins_and_empty_and_skipped_lines_count(tmp_path: Path) -> None:
    content = '# exported\n\ntext;topic\n"a\n\n1";film\n\nb;food\n;film\n"c";food\n'
    source = Source(write(tmp_path, "a.csv", content), skip_rows=2, delimiter=";")

    assert places(build(source)["train"]) == {"a\n\n1": "a.csv:4", "b": "a.csv:8", "c": "a.csv:10"}


def test_without_a_header_the_first_row_has_line_1(tmp_path: Path) -> None:
    source = Source(write(tmp_path, "a.tsv", "a\tfilm\nb\tfood\n"), header=False, columns=["text", "topic"])

    assert places(build(source)["train"]) == {"a": "a.tsv:1", "b": "a.tsv:2"}


def test_every_table_of_a_folder_has_its_own_name_and_lines(tmp_path: Path) -> None:
    for name in "ab":
        write(tmp_path, f"{name}.csv", f"text,topic\n{name}1,film\n{name}2,food\n")

    assert places(build(str(tmp_path))["train"]) == {
        "a1": "a.csv:2",
        "a2": "a.csv:3",
        "b1": "b.csv:2",
        "b2": "b.csv:3",
    }


def test_rows_of_a_sheet_have_the_rows_that_a_spreadsheet_shows(tmp_path: Path) -> None:
    rows = [["exported"], [], ["text", "topic"], ["a", "film"], [], ["b", "food"]]
    write_workbook(tmp_path / "a.xlsx", Notes=[["nothing"]], Tickets=rows)

    source = Source(str(tmp_path / "a.xlsx"), sheet="Tickets", skip_rows=2)

    assert places(build(source)["train"]) == {"a": "a.xlsx:4", "b": "a.xlsx:6"}


def test_empty_lines_of_json_lines_count(tmp_path: Path) -> None:
    lines = [json.dumps({"text": text, "topic": topic}) for text, topic in (("a", "film"), ("b", "food"))]

    path = write(tmp_path, "a.jsonl", f"\n{lines[0]}\n\n\n{lines[1]}\n")

    assert places(build(path)["train"]) == {"a": "a.jsonl:2", "b": "a.jsonl:5"}


def test_a_text_per_line_has_its_line(tmp_path: Path) -> None:
    source = Source(write(tmp_path, "a.txt", "a\n\nb\n"), labels={"topic": {"constant": "film"}})

    assert places(build(source)["train"]) == {"a": "a.txt:1", "b": "a.txt:3"}


def test_lines_of_a_compressed_file_are_those_of_its_content(tmp_path: Path) -> None:
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b'text,topic\n"a\nb",film\nc,food\n'))

    assert places(build(str(tmp_path / "a.csv.gz"))["train"]) == {"a\nb": "a.csv.gz:2", "c": "a.csv.gz:4"}


def test_a_row_of_a_json_array_has_the_line_where_it_begins(tmp_path: Path) -> None:
    rows = [{"text": text, "topic": topic} for text, topic in (("a", "film"), ("", "film"), ("b", "food"))]

    path = write(tmp_path, "a.json", json.dumps(rows, indent=2))  # a row has four lines

    assert places(build(path)["train"]) == {"a": "a.json:2", "b": "a.json:10"}


@pytest.mark.parametrize("ending", ["parquet", "sqlite"])
def test_in_formats_without_lines_they_are_the_numbers_of_the_rows(tmp_path: Path, ending: str) -> None:
    frame = pd.DataFrame({"text": ["a", "", "b"], "topic": ["film", "film", "food"]})
    path = tmp_path / f"a.{ending}"
    if ending == "parquet":
        frame.to_parquet(path)
    else:
        with sqlite3.connect(path) as connection:
            frame.to_sql("tickets", connection, index=False)
        connection.close()

    assert places(build(str(path))["train"]) == {"a": f"a.{ending}:1", "b": f"a.{ending}:3"}


def test_data_in_memory_has_its_name_and_row_numbers() -> None:
    data = {"text": ["a", None, "b"], "topic": ["film", "film", "food"]}
    rows = build([data, Source(data={"text": ["c"], "topic": ["film"]}, called="more")])["train"]

    assert places(rows) == {"a": "the given dict (train[0]):1", "b": "the given dict (train[0]):3", "c": "more:1"}


def test_rows_that_where_leaves_out_count(tmp_path: Path) -> None:
    content = "head,body,topic,lang\na,,film,de\nb,1,film,en\nc,2,food,de\nd,3,food,en\n"
    path = write(tmp_path, "a.csv", content)
    source = Source(path, text=JoinedText(["head", "body"], " "), labels={"topic": "topic"}, where={"lang": "en"})

    assert places(build(source)["train"]) == {"b 1": "a.csv:3", "d 3": "a.csv:5"}


def test_the_lines_of_many_chunks_go_on(tmp_path: Path) -> None:
    count = 25_000
    path = write(tmp_path, "a.csv", "text,topic\n" + "".join(f'"t\n{i}",film\n' for i in range(count)))

    rows = build(path)["train"]

    assert rows["line"][:] == list(range(2, 2 + 2 * count, 2))


def test_rows_keep_their_place_when_they_are_split_and_labels_are_hidden(tmp_path: Path) -> None:
    content = "".join(f"t{i},{'food' if i % 2 else 'film'}\n" for i in range(40))
    path = write(tmp_path, "a.csv", f"text,topic\n{content}")

    split = build(path, split={"validation": 0.25, "test": 0.25, "seed": 3}, hide_labels={"fraction": 0.5})

    assert {name: len(rows) for name, rows in split.items()} == {"train": 20, "validation": 10, "test": 10}
    for rows in split.values():
        assert places(rows) == {text: f"a.csv:{int(text[1:]) + 2}" for text in rows["text"]}


def test_rows_of_a_fold_keep_their_place(tmp_path: Path) -> None:
    content = "".join(f"t{i},{'food' if i % 2 else 'film'}\n" for i in range(12))
    path = write(tmp_path, "a.csv", f"text,topic\n{content}")

    split = build(path, split={"folds": 3, "fold": 2})

    assert len(split["test"]) == 4
    for rows in split.values():
        assert places(rows) == {text: f"a.csv:{int(text[1:]) + 2}" for text in rows["text"]}


def test_rows_keep_their_place_when_leaks_are_removed(tmp_path: Path) -> None:
    train = write(tmp_path, "train.csv", "text,topic\na,film\nb,food\nc,film\n")
    test = write(tmp_path, "test.csv", "text,topic\nz,food\nb,food\n")

    split = build(train, test=test, leaks="remove")

    assert places(split["train"]) == {"a": "train.csv:2", "c": "train.csv:4"}
    assert places(split["test"]) == {"z": "test.csv:2", "b": "test.csv:3"}


def test_streamed_rows_have_the_place_of_built_ones(tmp_path: Path) -> None:
    for name in "ab":
        write(tmp_path, f"{name}.csv", f'text,topic\n"{name}\n1",film\n,film\n{name}2,food\n')
    settings: dict[str, Any] = {"tasks": [TOPIC], "train": [str(tmp_path)], "test": str(tmp_path / "b.csv")}

    streamed = MultiTaskBuilder(**settings, with_place=True, streaming=True).as_streaming_dataset("train")

    assert streamed.features == build(settings["train"], test=settings["test"])["train"].features
    assert places(streamed) == {"a\n1": "a.csv:2", "a2": "a.csv:5", "b\n1": "b.csv:2", "b2": "b.csv:5"}


def test_a_renamed_table_has_its_new_name_and_not_that_in_the_cache(tmp_path: Path) -> None:
    folder = tmp_path / "tables"
    folder.mkdir()
    path = write(folder, "a.csv", "text,topic\na,film\n")
    before = build(str(folder), cache_dir=str(tmp_path / "cache"))["train"]

    Path(path).rename(folder / "b.csv")
    after = build(str(folder), cache_dir=str(tmp_path / "cache"))["train"]

    assert (places(before), places(after)) == ({"a": "a.csv:2"}, {"a": "b.csv:2"})


@pytest.mark.parametrize("name", ["table", "line"])
def test_a_task_with_the_name_of_a_column_of_the_place_is_an_error(name: str) -> None:
    data = {"text": ["a", "b"], name: ["film", "food"]}

    with pytest.raises(DataError, match=f"a task is called '{name}', which is the column of the {name} of each row; "):
        build(data, ({**TOPIC, "name": name},))


@pytest.mark.parametrize(
    ("paths", "short"),
    [
        (["/home/me/tickets.csv"], ["tickets.csv"]),
        (["/home/me/a/x.csv", "/home/me/b/x.csv", "/home/me/b/y.csv"], ["a/x.csv", "b/x.csv", "y.csv"]),
        (["x.csv", "/data/x.csv"], ["x.csv", "data/x.csv"]),
        (["/x.csv", "x.csv"], ["/x.csv", "x.csv"]),
        (["the given dict (train[0])", "a.csv"], ["the given dict (train[0])", "a.csv"]),
        ([], []),
    ],
)
def test_tables_are_shown_with_as_few_folders_as_tell_them_apart(paths: list[str], short: list[str]) -> None:
    assert short_names(paths) == short


def test_places_are_read_from_built_rows_with_short_names(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "text,topic\na,film\n,film\nb,food\n")

    assert row_places(build(path)["train"]) == [RowPlace("a.csv", 2), RowPlace("a.csv", 4)]


def test_other_rows_have_no_places() -> None:
    assert row_places(Dataset.from_dict({"text": ["a"], "table": ["oak"], "line": [1]})) == []
