"""Sources: their tables, the meaning of their columns, and the errors before anything is read."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from datasets import Dataset

from datasets_builder import DataError, LabelColumn, Source
from datasets_builder.builder import fingerprint
from datasets_builder.source import is_on_hub, number_columns
from datasets_builder.sources import OpenSource, open_tables

TOPIC = {"name": "topic", "problem_type": "single_label_classification"}


def write(folder: Path, content: str, name: str = "reviews.csv") -> Source:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(content)
    return Source(str(path), labels={"topic": "topic"})


def texts(source: Source) -> list[str]:
    return [
        text for table in open_tables(source) for chunk in table.read(["text"]) for text in chunk["text"].to_pylist()
    ]


def digest(source: Source) -> str:
    return fingerprint([OpenSource(source, open_tables(source))])


def test_a_missing_file_is_an_error_with_the_nearest_name(tmp_path: Path) -> None:
    write(tmp_path, "text,topic\na,film\n")

    with pytest.raises(DataError, match=r"review\.csv: no such file; did you mean 'reviews.csv'\?"):
        open_tables(Source(str(tmp_path / "review.csv")))


def test_a_missing_file_with_no_name_near_it_is_an_error_without_a_hint(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"reviews\.csv: no such file$"):
        open_tables(Source(str(tmp_path / "reviews.csv")))


def test_a_file_in_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no such file$"):
        open_tables(Source(str(tmp_path / "nowhere" / "reviews.csv")))


@pytest.mark.parametrize("name", ["reviews.docx", "reviews.rows.gz", "reviews"])
def test_an_ending_that_names_no_format_is_an_error_with_those_that_do(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=rf"{name}: the ending .*is .*; it must be one of \.csv, \.tsv, "):
        open_tables(write(tmp_path, "text,topic\na,film\n", name))


def test_the_case_of_the_ending_does_not_matter(tmp_path: Path) -> None:
    assert texts(write(tmp_path, "text,topic\na,film\n", "REVIEWS.CSV")) == ["a"]


def test_a_path_need_not_be_a_word(tmp_path: Path) -> None:
    source = write(tmp_path, "text,topic\na,film\n")

    assert Source(Path(source.path)) == Source(source.path)


def test_an_empty_path_is_not_the_folder_one_is_in() -> None:
    with pytest.raises(DataError, match="a source's path is empty"):
        open_tables(Source(""))


@pytest.mark.parametrize("name", ["reviews [1].csv", "review?.csv", "r*.csv"])
def test_a_file_name_is_no_pattern(tmp_path: Path, name: str) -> None:
    write(tmp_path, "text,topic\nb,food\n")

    assert texts(write(tmp_path, "text,topic\na,film\n", name)) == ["a"]


def test_the_tables_of_a_folder_are_read_by_name(tmp_path: Path) -> None:
    for name in "ba":
        write(tmp_path, f"text,topic\n{name},film\n", f"folder/{name}.csv")

    assert texts(Source(str(tmp_path / "folder"))) == ["a", "b"]


def test_other_files_of_a_folder_are_passed_over(tmp_path: Path) -> None:
    write(tmp_path, "text,topic\na,film\n", "folder/a.csv")
    for name in ("readme.md", "._a.csv", "cache-1.arrow", "state.json", "dataset_info.json"):
        write(tmp_path, "", f"folder/{name}")

    assert texts(Source(str(tmp_path / "folder"))) == ["a"]


def test_a_folder_that_datasets_saved_is_read(tmp_path: Path) -> None:
    Dataset.from_dict({"text": ["a", "b"]}).save_to_disk(str(tmp_path / "saved"), num_shards=2)

    assert texts(Source(str(tmp_path / "saved"))) == ["a", "b"]


@pytest.mark.parametrize(
    "data",
    [{"text": ["a"]}, pd.DataFrame({"text": ["a"]}), Dataset.from_dict({"text": ["a"]})],
    ids=["dict", "data frame", "data set"],
)
@pytest.mark.parametrize("given", [lambda data: Source(data=data), Source], ids=["by name", "by position"])
def test_a_table_in_memory_is_read(data: Any, given: Callable[[Any], Source]) -> None:
    assert texts(given(data)) == ["a"]


@pytest.mark.parametrize("name", ["pandas", "polars"])
def test_frames_and_series_are_read(name: str) -> None:
    library = pytest.importorskip(name)
    frame = library.DataFrame({"text": ["a", None, "b"]})

    assert texts(Source(frame)) == ["a", None, "b"]
    assert texts(Source(frame["text"])) == ["a", None, "b"]
    assert texts(Source(library.Series(["a", "b"]))) == ["a", "b"]  # without a name


def test_a_table_and_a_path_are_not_both_given() -> None:
    with pytest.raises(ValueError, match="a source needs either path or data, and not both"):
        Source(pd.DataFrame({"text": ["a"]}), data={"text": ["a"]})


def test_a_table_in_memory_has_a_name_in_messages() -> None:
    source = Source(pd.DataFrame({"text": ["a"]}))

    assert (source.path, source.name) == (None, "the given DataFrame")


@pytest.mark.parametrize(
    ("path", "on_hub"),
    [
        ("owner/name", True),
        ("name", True),
        ("owner/na.me-2", True),
        ("a/b/c", False),
        ("/owner/name", False),
        ("reviews.csv", False),
        ("owner/reviews.parquet", False),
        ("../name", False),
    ],
)
def test_what_can_only_be_an_id_is_looked_for_on_the_hub(path: str, on_hub: bool) -> None:
    assert is_on_hub(Source(path)) == on_hub


def test_what_lies_here_is_not_looked_for_on_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "name").mkdir()

    assert not is_on_hub(Source("name"))


@pytest.mark.parametrize("setting", ["config", "split", "revision"])
def test_a_setting_of_the_hub_is_an_error_for_a_file(tmp_path: Path, setting: str) -> None:
    path = write(tmp_path, "text,topic\na,film\n").path

    with pytest.raises(DataError, match=rf"reviews\.csv: {setting} is only for data sets on the Hub"):
        open_tables(Source(path, **{setting: "x"}))


@pytest.mark.parametrize("given", [{}, {"path": "a.csv", "data": {}}])
def test_a_source_is_a_path_or_data(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="a source needs either path or data, and not both"):
        Source(**given)


@pytest.mark.parametrize("names", [[], ["a", "b", "c"]])
def test_a_source_has_one_text_or_two(names: list[str]) -> None:
    with pytest.raises(ValueError, match=r"source\.text is .*; it must be one column, or two columns"):
        Source("a.csv", text=names)


def test_an_empty_separator_is_an_error() -> None:
    with pytest.raises(DataError, match="column 'tags': its separator is empty"):
        LabelColumn("tags", separator="")


def test_labels_may_be_a_dict_as_recipes_have_it() -> None:
    source = Source("a.csv", labels={"tags": {"column": "tags", "separator": ";"}})

    assert source.label_columns == {"tags": LabelColumn("tags", separator=";")}


@pytest.mark.parametrize(
    ("given", "word"), [(1, "1"), (1.0, "1"), (0.5, "0.5"), (True, "true"), ("1.0", "1"), ("007", "007")]
)
def test_what_stands_for_nothing_is_a_word_like_all_that_stands_in_a_cell(given: Any, word: str) -> None:
    column = LabelColumn("topic", aliases={given: "film"}, missing=[given])

    assert (list(column.aliases), column.missing) == ([word], [word])


def test_labels_that_are_not_named_are_in_the_columns_of_the_tasks() -> None:
    source = Source(data={"text": ["a"], "topic": ["film"]})

    named = source.with_labels_of([TOPIC, {"name": "rating"}], ["text", "topic"])

    assert named.label_columns == {"topic": LabelColumn("topic")}


def test_what_a_task_says_of_its_labels_holds_in_all_sources_unless_they_say_otherwise() -> None:
    source = Source("a.csv", labels={"topic": LabelColumn("topic", aliases={"f": "food"}, missing=["?"])})

    named = source.with_labels_of([{**TOPIC, "aliases": {"f": "film", "g": "film"}, "missing": [-1]}], [])

    assert named.label_columns == {
        "topic": LabelColumn("topic", aliases={"f": "food", "g": "film"}, missing=["-1", "?"])
    }


def test_every_column_is_read_once() -> None:
    source = Source("a.csv", ["one", "other"], {"topic": "topic", "tags": ["long", "topic"]}, group="one")

    assert source.read_columns == ["one", "other", "topic", "long"]


def test_the_fingerprint_is_that_of_the_content_not_of_the_path(tmp_path: Path) -> None:
    here = write(tmp_path, "text,topic\na,film\n", "here.csv")
    there = write(tmp_path, "text,topic\na,film\n", "there.csv")

    assert digest(here) == digest(there)


def test_the_fingerprint_changes_with_the_content(tmp_path: Path) -> None:
    before = digest(write(tmp_path, "text,topic\na,film\n"))

    assert digest(write(tmp_path, "text,topic\na,food\n")) != before


@pytest.mark.parametrize(
    "other",
    [
        {"text": "topic"},
        {"labels": {}},
        {"labels": {"subject": "topic"}},
        {"labels": {"topic": LabelColumn("topic", aliases={"f": "film"})}},
        {"labels": {"topic": LabelColumn("topic", missing=["film"])}},
        {"labels": {"topic": LabelColumn("topic", separator=";")}},
        {"group": "topic"},
    ],
    ids=["text", "no labels", "task", "aliases", "missing", "separator", "group"],
)
def test_the_fingerprint_changes_with_the_meaning_of_the_columns(tmp_path: Path, other: dict[str, Any]) -> None:
    source = write(tmp_path, "text,topic\na,film\n")

    changed = Source(source.path, **{"labels": source.labels, **other})

    assert digest(changed) != digest(source)


def test_the_columns_of_numbers_are_those_of_regressions() -> None:
    tasks = [
        {"name": "topic", "problem_type": "binary_classification"},
        {"name": "stars", "problem_type": "regression"},
    ]

    assert number_columns(Source("a.csv", labels={"topic": "t", "stars": "s"}), tasks) == ["s"]
    assert number_columns(Source("a.csv"), [*tasks, {"name": "x", "problem_type": "unknown"}]) == ["stars"]
