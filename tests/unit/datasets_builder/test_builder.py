"""The builder: any sources become one data set with its splits."""

import csv
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from datasets import ClassLabel, Dataset, DatasetDict

from datasets_builder import DataError, LabelColumn, MultiTaskBuilder, Source
from tests.conftest import REVIEWS

TOPIC = {"name": "topic", "problem_type": "single_label_classification", "labels": ["film", "food"]}
TAGS = {"name": "tags", "problem_type": "multi_label_classification", "labels": ["long", "loud"]}
RATING = {"name": "rating", "problem_type": "regression"}
OPEN = {"name": "topic", "problem_type": "single_label_classification"}
CLINC = REVIEWS.with_name("clinc150_train.csv")


def write(folder: Path, content: str, labels: dict[str, Any], name: str = "reviews.csv") -> Source:
    path = folder / name
    path.write_text(content, encoding="utf-8")
    return Source(str(path), labels=labels)


def topics(folder: Path, rows: int = 20, name: str = "reviews.csv") -> Source:
    """Rows `t0,film`, `t1,food`, `t2,film`, ..."""
    lines = "".join(f"t{i},{'food' if i % 2 else 'film'}\n" for i in range(rows))
    return write(folder, f"text,topic\n{lines}", {"topic": "topic"}, name)


def build(**settings: Any) -> DatasetDict:
    builder = MultiTaskBuilder(**settings)
    builder.download_and_prepare()
    return builder.as_dataset()


def test_two_sources_of_different_sentences_become_one_table(tmp_path: Path) -> None:
    # P66: a column that one of them lacks is null there.
    film = write(tmp_path, "text,topic\na,film\nb,\n", {"topic": "topic"}, "topics.csv")
    stars = write(tmp_path, "review,stars,x\nc,4.5,1\n", {"rating": "stars"}, "stars.csv")

    dataset = build(tasks=[TOPIC, RATING], train=[film, Source(stars.path, "review", stars.labels)])

    assert dataset["train"].to_dict() == {
        "text": ["a", "b", "c"],
        "topic": [0, None, None],
        "rating": [None, None, 4.5],
    }


def test_labels_are_those_of_a_class_label(tmp_path: Path) -> None:
    dataset = build(tasks=[TOPIC], train=topics(tmp_path))

    assert dataset["train"].features["topic"] == ClassLabel(names=["film", "food"])


def test_labels_of_two_sources_are_aligned_by_name(tmp_path: Path) -> None:
    # P66
    one = write(tmp_path, "text,topic\na,food\nb,film\n", {"topic": "topic"}, "one.csv")
    two = write(tmp_path, "text,topic\nc,film\nd,food\n", {"topic": "topic"}, "two.csv")

    dataset = build(tasks=[{"name": "topic", "problem_type": "single_label_classification"}], train=[one, two])

    assert dataset["train"]["topic"][:] == [1, 0, 0, 1]


def test_a_multi_label_task_keeps_its_missing_positions(tmp_path: Path) -> None:
    source = write(tmp_path, "text,long,loud\na,1,0\nb,,1\n", {"tags": ["long", "loud"]})  # P3

    dataset = build(tasks=[TAGS], train=source)

    assert dataset["train"]["tags"][:] == [{"long": 1, "loud": 0}, {"long": None, "loud": 1}]


def test_a_source_may_be_a_dict_of_its_settings(tmp_path: Path) -> None:
    source = topics(tmp_path, rows=2)

    dataset = build(tasks=[TOPIC], train={"path": source.path, "labels": {"topic": "topic"}})

    assert dataset["train"]["text"][:] == ["t0", "t1"]


def test_given_files_are_the_splits(tmp_path: Path) -> None:
    dataset = build(
        tasks=[TOPIC],
        train=topics(tmp_path, 6, "train.csv"),
        validation=topics(tmp_path, 4, "validation.csv"),
        test=topics(tmp_path, 2, "test.csv"),
    )

    assert dataset.num_rows == {"train": 6, "validation": 4, "test": 2}


def test_rows_that_are_held_out_are_taken_from_train(tmp_path: Path) -> None:
    dataset = build(tasks=[TOPIC], train=topics(tmp_path), split={"validation": 0.1, "test": 0.2, "seed": 0})

    assert dataset.num_rows == {"train": 14, "validation": 2, "test": 4}


def test_held_out_rows_are_disjoint_and_complete(tmp_path: Path) -> None:
    dataset = build(tasks=[TOPIC], train=topics(tmp_path), split={"validation": 0.1, "test": 0.2, "seed": 0})

    texts = [text for split in dataset.values() for text in split["text"]]
    assert sorted(texts) == sorted(f"t{i}" for i in range(20))


def test_held_out_rows_are_stratified(tmp_path: Path) -> None:
    dataset = build(tasks=[TOPIC], train=topics(tmp_path), split={"test": 0.2, "seed": 0})

    assert sorted(dataset["test"]["topic"][:]) == [0, 0, 1, 1]


def test_rows_are_stratified_by_missing_labels_too(tmp_path: Path) -> None:
    rows = "".join(f"t{i},{'film' if i < 10 else ''}\n" for i in range(20))

    dataset = build(
        tasks=[TOPIC], train=write(tmp_path, f"text,topic\n{rows}", {"topic": "topic"}), split={"test": 0.2, "seed": 0}
    )

    assert sorted(dataset["test"]["topic"][:], key=str) == [0, 0, None, None]


def test_rows_keep_their_labels_when_they_are_held_out(tmp_path: Path) -> None:
    dataset = build(tasks=[TOPIC], train=topics(tmp_path), split={"test": 0.3, "seed": 0})

    rows = [row for split in dataset.values() for row in split]
    assert {row["text"]: row["topic"] for row in rows} == {f"t{i}": i % 2 for i in range(20)}


def test_rows_beyond_the_first_10000_are_held_out_with_their_own_labels(tmp_path: Path) -> None:
    dataset = build(tasks=[TOPIC], train=topics(tmp_path, 10_010), split={"test": 0.5, "seed": 0})

    rows = [row for split in dataset.values() for row in split]
    assert {row["text"]: row["topic"] for row in rows} == {f"t{i}": i % 2 for i in range(10_010)}


def test_rows_of_a_regression_alone_can_be_held_out(tmp_path: Path) -> None:
    rows = "".join(f"t{i},{i}\n" for i in range(10))

    dataset = build(
        tasks=[RATING],
        train=write(tmp_path, f"text,rating\n{rows}", {"rating": "rating"}),
        split={"test": 0.2, "seed": 0},
    )

    assert dataset.num_rows == {"train": 8, "test": 2}


def test_the_stated_share_of_training_labels_is_hidden(tmp_path: Path) -> None:
    dataset = build(tasks=[TOPIC], train=topics(tmp_path), hide_labels={"fraction": 0.3, "seed": 0})

    assert dataset["train"]["topic"][:].count(None) == 6


def test_labels_are_hidden_task_by_task(tmp_path: Path) -> None:
    rows = "".join(f"t{i},{'food' if i % 2 else 'film'},{i}\n" for i in range(20))
    source = write(tmp_path, f"text,topic,rating\n{rows}", {"topic": "topic", "rating": "rating"})

    train = build(tasks=[TOPIC, RATING], train=source, hide_labels={"fraction": 0.3, "seed": 0})["train"]

    hidden = [{i for i, label in enumerate(train[task]) if label is None} for task in ("topic", "rating")]
    assert hidden[0] != hidden[1]


@pytest.mark.parametrize("split", ["validation", "test"])
def test_labels_are_hidden_from_training_rows_only(tmp_path: Path, split: str) -> None:
    dataset = build(
        tasks=[TOPIC],
        train=topics(tmp_path),
        split={"validation": 0.2, "test": 0.2, "seed": 0},
        hide_labels={"fraction": 0.5, "seed": 0},
    )

    assert None not in dataset[split]["topic"][:]


def test_building_twice_gives_equal_data(tmp_path: Path) -> None:
    settings = {
        "tasks": [TOPIC],
        "train": topics(tmp_path),
        "split": {"validation": 0.1, "test": 0.2, "seed": 3},
        "hide_labels": {"fraction": 0.5, "seed": 3},
    }

    first, second = (build(cache_dir=str(tmp_path / name), **settings) for name in ("first", "second"))

    assert {name: rows.to_dict() for name, rows in first.items()} == {
        name: rows.to_dict() for name, rows in second.items()
    }


def test_the_same_settings_have_the_same_cache_folder(tmp_path: Path) -> None:
    source = topics(tmp_path)

    folders = [MultiTaskBuilder(tasks=[TOPIC], train=source, split={"test": 0.2}).cache_dir for _ in range(2)]

    assert folders[0] == folders[1]


def test_a_source_whose_content_changed_has_another_cache_folder(tmp_path: Path) -> None:
    before = MultiTaskBuilder(tasks=[TOPIC], train=topics(tmp_path, 20)).cache_dir

    assert MultiTaskBuilder(tasks=[TOPIC], train=topics(tmp_path, 21)).cache_dir != before


def test_a_source_whose_content_changed_is_read_anew(tmp_path: Path) -> None:
    build(tasks=[TOPIC], train=topics(tmp_path, 20))

    assert build(tasks=[TOPIC], train=topics(tmp_path, 21)).num_rows == {"train": 21}


@pytest.mark.parametrize(
    "other",
    [{"split": {"test": 0.2, "seed": 1}}, {"hide_labels": {"fraction": 0.5, "seed": 0}}, {"tasks": [TOPIC, RATING]}],
    ids=["seed", "hidden labels", "tasks"],
)
def test_other_settings_have_another_cache_folder(tmp_path: Path, other: dict[str, Any]) -> None:
    rows = "".join(f"t{i},film,{i}\n" for i in range(10))
    source = write(tmp_path, f"text,topic,rating\n{rows}", {"topic": "topic", "rating": "rating"})
    settings = {"tasks": [TOPIC, {**RATING, "weight": 2.0}], "train": source, "split": {"test": 0.2, "seed": 0}}

    before = MultiTaskBuilder(**settings).cache_dir

    assert MultiTaskBuilder(**{**settings, **other}).cache_dir != before


def test_a_builder_without_a_training_source_is_an_error() -> None:
    with pytest.raises(DataError, match=r"data\.train: is missing; give at least one source"):
        MultiTaskBuilder(tasks=[TOPIC])


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_a_malformed_source_of_any_split_is_an_error_on_preparation(tmp_path: Path, split: str) -> None:
    wrong = write(tmp_path, "text,topic\na\n", {"topic": "topic"}, "wrong.csv")
    builder = MultiTaskBuilder(tasks=[TOPIC], **{"train": topics(tmp_path), split: wrong})

    with pytest.raises(DataError, match=r"wrong\.csv, line 2: 1 cells, but the header has 2"):
        builder.download_and_prepare()


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_a_missing_file_or_column_of_any_split_is_an_error_on_construction(tmp_path: Path, split: str) -> None:
    wrong = write(tmp_path, "text,topics\na,film\n", {"topic": "topic"}, "wrong.csv")

    with pytest.raises(DataError, match=r"wrong\.csv: no column 'topic'"):
        MultiTaskBuilder(tasks=[TOPIC], **{"train": topics(tmp_path), split: wrong})
    with pytest.raises(DataError, match=r"gone\.csv: no such file"):
        MultiTaskBuilder(tasks=[TOPIC], **{"train": topics(tmp_path), split: str(tmp_path / "gone.csv")})


def test_labels_for_what_is_not_a_task_are_an_error_in_a_test_source_too(tmp_path: Path) -> None:
    wrong = write(tmp_path, "text,topic\na,film\n", {"topics": "topic"}, "test.csv")

    with pytest.raises(DataError, match="labels are given for 'topics', which is not a task"):
        MultiTaskBuilder(tasks=[TOPIC], train=topics(tmp_path), test=wrong)


def test_a_wrong_label_is_an_error_where_rows_are_held_out(tmp_path: Path) -> None:
    wrong = write(tmp_path, "text,topic\na,film\nb,flim\n", {"topic": "topic"})

    with pytest.raises(DataError, match="row 2, column 'topic': 'flim' is not one of 'film', 'food'"):
        build(tasks=[TOPIC], train=wrong, split={"test": 0.5})


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_a_wrong_label_in_a_file_of_any_split_is_an_error(tmp_path: Path, split: str) -> None:
    wrong = write(tmp_path, "text,topic\na,film\nb,flim\n", {"topic": "topic"}, "wrong.csv")

    with pytest.raises(DataError, match="row 2, column 'topic': 'flim' is not one of 'film', 'food'"):
        build(tasks=[TOPIC], **{"train": topics(tmp_path), split: wrong})


def test_a_fraction_that_leaves_a_split_without_rows_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"data\.split\.test: 0\.01 of 20 rows leaves test or train empty"):
        build(tasks=[TOPIC], train=topics(tmp_path), split={"test": 0.01})


def test_a_table_in_memory_may_be_called_text_and_labels() -> None:
    dataset = build(tasks=[{**TOPIC, "name": "group"}], train={"text": ["a"], "group": ["food"]})

    assert dataset["train"]["group"][:] == [1]


def test_a_path_may_be_a_path() -> None:
    assert build(tasks=[{**OPEN, "name": "domain"}], train=REVIEWS)["train"].num_rows == 2990


def test_an_unknown_setting_of_a_source_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"source\.label: no such word; did you mean 'labels'"):
        MultiTaskBuilder(tasks=[TOPIC], train={"path": topics(tmp_path).path, "label": {}})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"contradictions": "frist"}, "data.contradictions is 'frist'; it must be one of error, .* mean 'first'"),
        ({"leaks": "raport"}, "data.leaks is 'raport'; it must be one of report, remove; did you mean 'report'"),
        ({"split": {"tset": 0.2}}, r"data\.split\.tset: no such word; did you mean 'test'"),
        ({"hide_labels": {"fracton": 0.2}}, r"data\.hide_labels\.fracton: no such word"),
        ({"hide_labels": {"fraction": 2}}, "data.hide_labels.fraction is 2; it must be above 0 and below 1"),
        (
            {"split": {"test": 0.2}, "test": {"text": ["a"], "topic": ["film"]}},
            r"data\.split\.test: takes rows from tr",
        ),
        ({"split": {"test": 0.2, "group": "user"}}, r"no column 'user'"),
        ({"streaming": True, "split": {"test": 0.2}}, "streamed rows cannot be split"),
        ({"streaming": True, "hide_labels": {"fraction": 0.2}}, "streamed rows cannot be split"),
        ({"tasks": [{"name": "topic"}]}, r"tasks\[0\]\.problem_type: is missing"),
        ({"tasks": [{"problem_type": "regression"}]}, r"tasks\[0\]\.name: is missing"),
    ],
)
def test_settings_that_cannot_be_are_an_error(tmp_path: Path, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        MultiTaskBuilder(**{"tasks": [TOPIC], "train": topics(tmp_path), **settings})


def leaking(tmp_path: Path) -> dict[str, Any]:
    test = write(tmp_path, "text,topic\nt1,film\nt3,food\nnew,film\n", {"topic": "topic"}, "test.csv")
    return {"tasks": [TOPIC], "train": topics(tmp_path, 6), "test": test}


def test_training_texts_of_another_split_are_reported(tmp_path: Path) -> None:
    builder = MultiTaskBuilder(**leaking(tmp_path))
    builder.download_and_prepare()

    assert builder.as_dataset().num_rows == {"train": 6, "test": 3}
    assert builder.notes == [
        "train: 2 rows have a text that is also in validation or test, and are kept; data.leaks=remove removes them"
    ]


def test_training_texts_of_another_split_are_removed_where_asked_for(tmp_path: Path) -> None:
    builder = MultiTaskBuilder(**leaking(tmp_path), leaks="remove")
    builder.download_and_prepare()

    assert builder.as_dataset()["train"]["text"][:] == ["t0", "t2", "t4", "t5"]
    assert builder.notes == ["train: 2 rows have a text that is also in validation or test, and are removed from train"]


def test_repeated_texts_that_are_held_out_are_removed_from_training() -> None:
    table = {"text": [f"t{i % 10}" for i in range(40)], "topic": ["film", "food"] * 20}

    dataset = build(tasks=[TOPIC], train=table, split={"test": 0.1, "seed": 0}, leaks="remove")

    assert not set(dataset["train"]["text"]) & set(dataset["test"]["text"])


def test_training_rows_that_all_leak_are_an_error() -> None:
    table = {"text": ["a"], "topic": ["film"]}

    with pytest.raises(DataError, match="train: no row is left; train: 1 rows have a text that is also in validation"):
        build(tasks=[TOPIC], train=table, test=dict(table), leaks="remove")


def test_rows_of_a_group_are_in_one_split(tmp_path: Path) -> None:
    rows = "".join(f"t{i},{'film' if i % 2 else 'food'},user{i % 17}\n" for i in range(170))
    source = write(tmp_path, f"text,topic,user\n{rows}", {"topic": "topic"})

    dataset = build(tasks=[TOPIC], train=source, split={"test": 0.2, "validation": 0.2, "group": "user", "seed": 0})

    users = [{int(text[1:]) % 17 for text in split["text"]} for split in dataset.values()]
    assert sum(map(len, users)) == len(set.union(*users)) == 17


TABLE = {
    "text": ['a, "b"\nc', "größe", "", "d", "NA"],
    "topic": ["film", None, "food", "film", None],
    "rating": [1.5, -2.0, None, 1e10, 0.0],
    "truth": ["true", "false", None, "true", "false"],
}
TABLE_TASKS = [OPEN, RATING, {"name": "truth", "problem_type": "binary_classification"}]


def save_arrow(table: Dataset, path: Path) -> None:
    arrow = table.data.table
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, arrow.schema) as writer:
        writer.write_table(arrow)


WRITERS: dict[str, Callable[[Dataset, Path], Any]] = {
    "t.csv": lambda table, path: table.to_csv(str(path)),
    "t.tsv": lambda table, path: table.to_csv(str(path), sep="\t"),
    "t.jsonl": lambda table, path: table.to_json(str(path)),
    "t.parquet": lambda table, path: table.to_parquet(str(path)),
    "t.arrow": save_arrow,
    "folder": lambda table, path: table.save_to_disk(str(path), num_shards=2),
}


@pytest.mark.parametrize("name", WRITERS)
def test_the_same_table_is_the_same_data_set_in_every_format(tmp_path: Path, name: str) -> None:
    WRITERS[name](Dataset.from_dict(TABLE), tmp_path / name)

    dataset = build(tasks=TABLE_TASKS, train=str(tmp_path / name))

    assert dataset["train"].to_dict() == build(tasks=TABLE_TASKS, train=TABLE)["train"].to_dict()


@pytest.mark.parametrize(
    "kind", [pd.DataFrame, Dataset.from_dict, lambda table: Dataset.from_dict(table).to_iterable_dataset()]
)
def test_the_same_table_is_the_same_data_set_in_memory(kind: Callable[[dict[str, Any]], Any]) -> None:
    dataset = build(tasks=TABLE_TASKS, train=kind(TABLE))

    assert dataset["train"].to_dict() == build(tasks=TABLE_TASKS, train=TABLE)["train"].to_dict()


def test_the_same_table_is_the_same_data_set_in_polars() -> None:
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame(TABLE)

    built = [build(tasks=TABLE_TASKS, train=each) for each in (frame, frame.cast({"topic": polars.Categorical}))]

    expected = build(tasks=TABLE_TASKS, train=TABLE)["train"].to_dict()
    assert [each["train"].to_dict() for each in built] == [expected, expected]


def test_what_is_built_is_what_stands_in_the_table() -> None:
    there = [i for i, text in enumerate(TABLE["text"]) if text]  # the row without a text is left out

    assert build(tasks=TABLE_TASKS, train=TABLE)["train"].to_dict() == {
        "text": [TABLE["text"][i] for i in there],
        "topic": [0, None, 0, None],
        "rating": [TABLE["rating"][i] for i in there],
        "truth": [1, 0, 1, 0],
    }


def test_labels_of_several_kinds_of_columns_are_the_same_data_set() -> None:
    rows = {"text": ["a", "b", "c", "d"]}
    tables = [
        {**rows, "tags": [["long"], [], None, ["long", "loud"]]},
        {**rows, "tags": [{"long": 1, "loud": 0}, {"long": 0, "loud": 0}, None, {"long": 1, "loud": 1}]},
        {**rows, "long": [1, 0, None, 1], "loud": [0, 0, None, 1]},
    ]

    built = [
        build(tasks=[TAGS], train=Source(data=table, labels={"tags": "tags" if "tags" in table else ["long", "loud"]}))
        for table in tables
    ]

    assert built[0]["train"].to_dict() == built[1]["train"].to_dict() == built[2]["train"].to_dict()


def without_repeated_texts(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    counts = Counter(row["text"] for row in rows)
    return [row for row in rows if counts[row["text"]] == 1]


@pytest.mark.parametrize(("path", "names"), [(REVIEWS, ["domain", "sentiment"]), (CLINC, ["domain", "intent"])])
def test_a_file_for_each_task_is_the_same_data_set_as_one_file_of_all(path: Path, names: list[str]) -> None:
    rows = without_repeated_texts(path)
    columns = {name: [row[name] for row in rows] for name in ("text", *names)}
    tasks = [{"name": name, "problem_type": "single_label_classification"} for name in names]
    files = [{"text": columns["text"], name: columns[name]} for name in names]

    merged, whole = (build(tasks=tasks, train=train)["train"] for train in (files, columns))

    assert merged.features == whole.features
    assert merged.to_dict() == whole.to_dict()


def test_two_files_of_different_sentences_are_the_same_data_set_as_one_file_with_gaps(tmp_path: Path) -> None:
    topics = write(tmp_path, "text,topic\na,film\nb,food\n", {"topic": "topic"}, "topics.csv")
    stars = write(tmp_path, "text,rating\nc,4.5\nd,1\n", {"rating": "rating"}, "stars.csv")
    columns = {"topic": "topic", "rating": "rating"}
    whole = write(tmp_path, "text,topic,rating\na,film,\nb,food,\nc,,4.5\nd,,1\n", columns, "whole.csv")

    parts = build(tasks=[TOPIC, RATING], train=[topics, stars])

    assert parts["train"].to_dict() == build(tasks=[TOPIC, RATING], train=whole)["train"].to_dict()


@pytest.mark.slow
def test_two_processes_give_the_same_rows_as_one(tmp_path: Path) -> None:
    settings = {"tasks": [TOPIC], "train": topics(tmp_path, 25_000), "split": {"test": 0.2, "seed": 0}}
    built = []
    for processes in (1, 2):
        builder = MultiTaskBuilder(**settings, cache_dir=str(tmp_path / str(processes)))
        builder.download_and_prepare(num_proc=processes)
        built.append({name: rows.to_dict() for name, rows in builder.as_dataset().items()})

    assert built[0] == built[1]


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize(
    ("kind", "given"),
    [
        ("single_label_classification", ["film", "food", "phone"]),
        ("single_label_classification", None),
        ("ordinal_regression", ["film", "food", "phone"]),
        ("multi_label_classification", ["film", "food", "phone"]),
        ("multi_label_classification", None),
    ],
)
def test_the_only_row_of_a_label_is_in_train_and_the_other_splits_say_that_they_lack_it(
    seed: int, kind: str, given: list[str] | None
) -> None:
    words = [*["film", "food"] * 10, "phone"]
    cells = [[word] for word in words] if kind.startswith("multi") else words
    task = {"name": "topic", "problem_type": kind, "labels": given}
    rows = {"text": [f"t{i}" for i in range(21)], "topic": cells}

    builder = MultiTaskBuilder(tasks=[task], train=rows, split={"validation": 0.2, "test": 0.4, "seed": seed})
    builder.download_and_prepare()

    assert "t20" in builder.as_dataset()["train"]["text"]
    assert builder.notes == [f"{name}: 1 of 3 labels have no row (topic 'phone')" for name in ("validation", "test")]


@pytest.mark.parametrize("seed", range(4))
def test_the_only_number_of_a_regression_is_in_train(seed: int) -> None:
    rows = {"text": [f"t{i}" for i in range(40)], "rating": [2.5, *[None] * 39]}
    splits = build(tasks=[RATING], train=[rows], split={"validation": 0.3, "test": 0.3, "seed": seed})

    assert 2.5 in list(splits["train"]["rating"])


def test_the_only_row_of_a_label_is_in_train_with_its_group() -> None:
    words = ["food" if i in (4, 5) else "film" for i in range(20)]
    rows = {"text": [f"t{i}" for i in range(20)], "topic": words, "author": [i // 2 for i in range(20)]}

    for seed in range(5):
        train = build(tasks=[OPEN], train=rows, split={"test": 0.3, "group": "author", "seed": seed})["train"]

        assert {"t4", "t5"} <= set(train["text"])


def test_notes_are_there_when_the_data_set_comes_from_the_cache(tmp_path: Path) -> None:
    settings = {
        "tasks": [TOPIC],
        "train": {"text": ["a", None, "a"], "topic": ["film", "film", "film"]},
        "cache_dir": str(tmp_path),
    }
    first, second = MultiTaskBuilder(**settings), MultiTaskBuilder(**settings)
    first.download_and_prepare()
    second.download_and_prepare()

    assert len(first.notes) == 2
    assert second.notes == first.notes


@pytest.mark.parametrize(
    "column",
    [LabelColumn("topic", aliases={"film": "food"}), LabelColumn("topic", missing=["film"])],
    ids=["aliases", "missing"],
)
def test_another_meaning_of_the_cells_is_read_anew(tmp_path: Path, column: LabelColumn) -> None:
    source = topics(tmp_path, 4)
    before = build(tasks=[TOPIC], train=source)["train"]["topic"][:]

    assert build(tasks=[TOPIC], train=Source(source.path, labels={"topic": column}))["train"]["topic"][:] != before


def test_a_stream_that_brings_other_rows_is_read_anew() -> None:
    def stream(label: str) -> Any:
        return Dataset.from_dict({"text": ["a"], "topic": [label]}).to_iterable_dataset()

    found = [build(tasks=[TOPIC], train=stream(label))["train"]["topic"][:] for label in ("film", "food")]

    assert found == [[0], [1]]


def streamed(*train: Any, **settings: Any) -> Any:
    settings = {"tasks": [TOPIC], **settings}
    return MultiTaskBuilder(train=list(train), streaming=True, **settings).as_streaming_dataset("train")


def test_streamed_rows_are_those_that_would_be_built(tmp_path: Path) -> None:
    source = topics(tmp_path)

    assert list(streamed(source)) == build(tasks=[TOPIC], train=source)["train"].to_list()


def test_streamed_rows_have_the_features_of_those_that_would_be_built(tmp_path: Path) -> None:
    source = topics(tmp_path)

    assert streamed(source).features == build(tasks=[TOPIC], train=source)["train"].features


def test_streamed_rows_are_read_when_they_are_asked_for(tmp_path: Path) -> None:
    path = topics(tmp_path, 20_000).path
    with Path(path).open("a") as file:
        file.write("broken\n")
    rows = iter(streamed(path))

    assert next(rows) == {"text": "t0", "topic": 0}
    with pytest.raises(DataError, match=r"reviews\.csv, line 20002: 1 cells"):
        list(rows)


def test_a_wrong_label_of_a_streamed_row_is_an_error(tmp_path: Path) -> None:
    wrong = write(tmp_path, "text,topic\na,film\nb,flim\n", {"topic": "topic"})

    with pytest.raises(DataError, match="row 2, column 'topic': 'flim' is not one of 'film', 'food'"):
        list(streamed(wrong))


def test_every_row_of_several_streams_comes_once(tmp_path: Path) -> None:
    tables = [topics(tmp_path, 7, "a.csv").path, {"text": ["x", "y", "z"], "topic": ["film", None, "food"]}]

    texts = [row["text"] for row in streamed(*tables)]

    assert sorted(texts) == sorted([*(f"t{i}" for i in range(7)), "x", "y", "z"])
    assert texts.index("z") < 8


def test_every_table_of_a_streamed_folder_is_read(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.csv").write_text(f"text,topic\n{name},film\n")

    assert [row["text"] for row in streamed(str(tmp_path))] == ["a", "b"]


def test_streamed_rows_say_their_source() -> None:
    tables = [{"text": [text], "topic": ["film"]} for text in "ab"]

    assert {row["text"]: row["source"] for row in streamed(*tables, with_source=True)} == {"a": 0, "b": 1}


def test_streamed_rows_do_not_tell_their_labels(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="task 'topic': its labels cannot be inferred from streamed rows; list them"):
        streamed(topics(tmp_path), tasks=[OPEN])


def test_streamed_classes_tell_their_names() -> None:
    rows = Dataset.from_dict({"text": ["a"], "topic": ["film"]}).cast_column(
        "topic", ClassLabel(names=["food", "film"])
    )

    assert list(streamed(rows, tasks=[OPEN])) == [{"text": "a", "topic": 1}]


def test_only_training_rows_are_streamed(tmp_path: Path) -> None:
    builder = MultiTaskBuilder(
        tasks=[TOPIC], train=topics(tmp_path), test={"text": ["x"], "topic": ["film"]}, streaming=True
    )
    builder.download_and_prepare()

    assert builder.prepared_splits == ["test"]
    assert builder.as_dataset().num_rows == {"test": 1}


def test_a_builder_with_nothing_but_streamed_rows_has_nothing_to_prepare(tmp_path: Path) -> None:
    builder = MultiTaskBuilder(tasks=[TOPIC], train=topics(tmp_path), streaming=True)
    builder.download_and_prepare()

    assert (builder.prepared_splits, builder.notes) == ([], [])
