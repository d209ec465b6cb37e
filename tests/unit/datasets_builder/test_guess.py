"""A table is read as far as a guess needs it, and its layout and columns fit together."""

import json
import sqlite3
from pathlib import Path

import pytest

from datasets_builder import DataError
from datasets_builder.guess import TableGuess, guess_table
from datasets_builder.guess_sample import MOST_ROWS
from tests.workbooks import write_workbook

ROWS = [("No heat since Monday", "cold"), ("Charged twice again", "bill"), ("Key is lost", "cold"), ("Late", "bill")]


def guessed(path: Path) -> TableGuess:
    return guess_table(str(path))


def write_csv(path: Path, *lines: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path


def test_only_the_first_rows_are_read(tmp_path: Path) -> None:
    rows = [f"text {i},{'ab'[i % 2]}" for i in range(MOST_ROWS + 1)]
    path = write_csv(tmp_path / "t.csv", "text,label", *rows, "a row, with, too many cells")

    sample = guessed(path).sample

    assert (sample.rows, sample.is_whole) == (MOST_ROWS, False)


def test_a_table_of_few_rows_is_read_to_its_end(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "t.csv", "text,label", *(",".join(row) for row in ROWS))

    assert (guessed(path).sample.rows, guessed(path).sample.is_whole) == (4, True)


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl"])
def test_a_damaged_table_is_the_error_of_its_reader(tmp_path: Path, name: str) -> None:
    path = write_csv(tmp_path / name, "text,label", "a,b,c")

    with pytest.raises(DataError, match=r"line 2: 3 cells|line 1: not JSON"):
        guessed(path)


@pytest.mark.parametrize(("content", "message"), [("", "the file is empty"), ("text,label\n", "a header, but no rows")])
def test_a_table_without_rows_is_an_error(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "t.csv").write_text(content)

    with pytest.raises(DataError, match=message):
        guessed(tmp_path / "t.csv")


def test_columns_that_no_recipe_can_name_are_left_out(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "t.csv", ",text,label,note,note", "0,No heat,a,x,y", "1,Key lost,b,x,y", "2,Late,a,x,y")

    assert guessed(path).sample.unnamed == ["", "note"]
    assert guessed(path).columns.left_out == dict.fromkeys(["", "note"], "no name, or a name that occurs twice")


def test_the_columns_of_a_table_without_a_header_get_names(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "t.csv", *(f"{i},{text},{label}" for i, (text, label) in enumerate(ROWS)))

    guess = guessed(path)

    assert guess.layout.words == {"header": False, "columns": ["column_1", "text", "label"]}
    assert (guess.columns.texts, guess.columns.labels[0].columns) == (["text"], ["label"])


def test_labels_of_a_table_without_a_header_are_tasks_of_their_own(tmp_path: Path) -> None:
    rows = [f"{text},{label},{team}" for (text, label), team in zip(ROWS, "xyyx", strict=True)]

    labels = guessed(write_csv(tmp_path / "t.csv", *rows)).columns.labels

    assert [each.columns for each in labels] == [["label_a"], ["label_b"]]


def test_a_table_without_texts_has_labels(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "t.csv", "n,label", "1,2", "3,2", "1,3")

    assert guessed(path).columns.texts == []


def test_the_sheet_with_texts_and_labels_is_chosen(tmp_path: Path) -> None:
    path = write_workbook(tmp_path / "t.xlsx", Empty=[], Read=[["Made", "by hand"]], Rows=[["body", "team"], *ROWS])

    assert guessed(path).layout.words == {"sheet": "Rows"}


def test_the_table_of_a_database_with_texts_and_labels_is_chosen(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "t.sqlite") as connection:
        connection.execute("CREATE TABLE a (n)")
        connection.execute("INSERT INTO a VALUES (1)")
        connection.execute("CREATE TABLE b (body, team)")
        connection.executemany("INSERT INTO b VALUES (?, ?)", ROWS)
    connection.close()

    assert guessed(tmp_path / "t.sqlite").layout.words == {"table": "b"}


def test_an_object_of_columns_is_not_read_as_rows(tmp_path: Path) -> None:
    body, team = ({str(i): cell for i, cell in enumerate(cells)} for cells in zip(*ROWS, strict=True))
    (tmp_path / "t.json").write_text(json.dumps({"body": body, "team": team}))

    assert guessed(tmp_path / "t.json").columns.texts == ["body"]
    assert guessed(tmp_path / "t.json").sample.rows == 4


def test_an_object_that_is_null_in_some_rows_is_no_column(tmp_path: Path) -> None:
    rows = [{"text": text, "meta": {"team": label}} for text, label in ROWS] + [{"text": "Hm", "meta": None}]
    (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, rows)))

    assert list(guessed(tmp_path / "t.jsonl").sample.columns) == ["text", "meta.team"]


def test_labels_that_no_training_row_has_are_listed(tmp_path: Path) -> None:
    rows = [f"{text},{label},train" for text, label in ROWS]
    path = write_csv(tmp_path / "t.csv", "text,label,split", *rows, "Wet,water,test", "Lost,cold,test")

    guess = guessed(path)

    assert guess.labels_of(guess.columns.labels[0]) == ["bill", "cold", "water"]


def test_labels_of_training_rows_are_not_listed(tmp_path: Path) -> None:
    rows = [f"{text},{label},{'train' if i < 2 else 'dev'}" for i, (text, label) in enumerate(ROWS)]
    guess = guessed(write_csv(tmp_path / "t.csv", "text,label,split", *rows))

    assert guess.labels_of(guess.columns.labels[0]) == []


def test_a_task_without_a_label_in_training_is_left_out(tmp_path: Path) -> None:
    rows = ["a b,train,x,", "c d,train,y,", "e f,train,x,", "g h,test,x,1", "i j,test,y,2", "k l,test,y,1"]
    guess = guessed(write_csv(tmp_path / "t.csv", "text,split,label,kind", *rows))

    assert [each.columns for each in guess.columns.labels] == [["label"]]
    assert guess.columns.left_out == {"kind": "no training row has a label"}


def test_labels_of_rows_without_a_text_are_not_trained(tmp_path: Path) -> None:
    rows = ["a b,x,", "c d,y,", "e f,x,", " ,x,1", ",x,2", ",x,1"]
    guess = guessed(write_csv(tmp_path / "t.csv", "text,label,kind", *rows))

    assert guess.columns.left_out == {"kind": "no training row has a label"}


def test_numbers_with_a_comma_set_the_decimal_mark_and_leave_out_those_with_a_point(tmp_path: Path) -> None:
    rows = [f"text {i};{i},5;{i}.25" for i in range(6)]
    guess = guessed(write_csv(tmp_path / "t.csv", "text;price;weight", *rows))

    assert guess.layout.words == {"delimiter": ";", "decimal": ","}
    assert guess.columns.left_out == {"weight": "numbers with a point; those of price have a comma"}


def test_numbers_with_a_comma_in_a_comma_separated_file_are_no_decimals(tmp_path: Path) -> None:
    rows = [f'text {i},"{i % 3},5"' for i in range(12)]

    assert "decimal" not in guessed(write_csv(tmp_path / "t.csv", "text,codes", *rows)).layout.words


def test_files_named_like_splits_are_the_splits(tmp_path: Path) -> None:
    for name in ("test", "train", "dev"):
        write_csv(tmp_path / "all" / f"{name}.csv", "text,label", *(",".join(row) for row in ROWS))

    assert guessed(tmp_path / "all").files_of_splits == {
        "train": ["train.csv"], "validation": ["dev.csv"], "test": ["test.csv"],
    }  # fmt: skip


def test_files_without_labels_are_labelled_by_their_names(tmp_path: Path) -> None:
    for name in ("billing", "heating"):
        write_csv(tmp_path / "inbox" / f"{name}.txt", "No heat since Monday", "Charged twice")

    (guess,) = guessed(tmp_path / "inbox").columns.labels

    assert (guess.problem_type, guess.given) == ("binary_classification", {"from": "file_name"})


def test_parts_of_one_table_are_not_labelled_by_their_names(tmp_path: Path) -> None:
    for name in ("part1", "part2"):
        write_csv(tmp_path / "inbox" / f"{name}.txt", "No heat since Monday", "Charged twice")

    assert guessed(tmp_path / "inbox").columns.labels == []


def test_a_file_of_a_folder_that_lacks_a_column_is_an_error(tmp_path: Path) -> None:
    write_csv(tmp_path / "all" / "a.csv", "text,label", *(",".join(row) for row in ROWS))
    write_csv(tmp_path / "all" / "b.csv", "text,team", *(",".join(row) for row in ROWS))

    with pytest.raises(DataError, match=r"b\.csv: no column 'label'"):
        guessed(tmp_path / "all")
