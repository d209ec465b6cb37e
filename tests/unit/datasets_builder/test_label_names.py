"""Files with the names of labels, whose lines are the names of the ids."""

from pathlib import Path
from typing import Any

import pytest

from datasets_builder import DataError, MultiTaskBuilder
from datasets_builder.label_names import named_task, read_names

TOPIC = {"name": "topic", "problem_type": "single_label_classification"}


def names(folder: Path, content: str) -> str:
    (folder / "labels.txt").write_bytes(content.encode())
    return str(folder / "labels.txt")


def topics(path: str, *cells: Any) -> list[int]:
    table = {"text": [f"t{i}" for i in range(len(cells))], "topic": list(cells)}
    builder = MultiTaskBuilder(tasks=[{**TOPIC, "names": path}], train=[table])
    builder.download_and_prepare()
    return list(builder.as_dataset()["train"]["topic"])


def test_the_first_line_is_the_id_0_and_the_labels_keep_the_order_of_the_file(tmp_path: Path) -> None:
    assert topics(names(tmp_path, "world\nsport\nfilm\n"), "2.0", "0", "1") == [2, 0, 1]


def test_an_id_outside_the_file_is_an_error_with_its_row(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"row 2, column 'topic': '2' is not one of 'world', 'sport'"):
        topics(names(tmp_path, "world\nsport\n"), 0, 2)


def test_names_may_be_numbers(tmp_path: Path) -> None:
    assert topics(names(tmp_path, "1\n0\n"), "0", "1") == [0, 1]


def test_line_ends_and_white_space_around_a_name_do_not_count(tmp_path: Path) -> None:
    assert read_names(Path(names(tmp_path, "\ufeffworld news \r\nsport\r\n\r\n"))) == ["world news", "sport"]


def test_the_path_is_relative_to_the_folder(tmp_path: Path) -> None:
    names(tmp_path, "a\nb\n")

    assert named_task({**TOPIC, "names": "labels.txt"}, tmp_path)["labels"] == ["a", "b"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a\n\nb\n", "labels.txt, line 2: is empty; each line must be the name of one id"),
        ("a\nb\na\n", "labels.txt, line 3: 'a' is already the name of another id"),
    ],
)
def test_a_file_that_names_no_id_or_two_alike_is_refused(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_names(Path(names(tmp_path, content)))


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_bytes(b"caf\xe9\n")

    with pytest.raises(DataError, match=r"labels.txt is not UTF-8 \(byte 3\); save it as UTF-8"):
        read_names(tmp_path / "labels.txt")
    with pytest.raises(DataError, match=r"none.txt cannot be read"):
        read_names(tmp_path / "none.txt")


def test_names_and_labels_exclude_each_other() -> None:
    with pytest.raises(DataError, match="names cannot be combined with labels; leave one out"):
        named_task({**TOPIC, "names": "labels.txt", "labels": ["a", "b"]})
