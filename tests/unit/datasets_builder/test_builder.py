"""The builder: sources of any shape become one data set with its splits."""

from pathlib import Path
from typing import Any

import pytest
from datasets import ClassLabel, DatasetDict

from datasets_builder import DataError, MultiTaskBuilder, Source

TOPIC = {"name": "topic", "problem_type": "single_label_classification", "labels": ["film", "food"]}
TAGS = {"name": "tags", "problem_type": "multi_label_classification", "labels": ["long", "loud"]}
RATING = {"name": "rating", "problem_type": "regression"}


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
    with pytest.raises(DataError, match=r"no source of training rows is given \(data\.train\)"):
        MultiTaskBuilder(tasks=[TOPIC])


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_a_malformed_source_of_any_split_is_an_error_on_construction(tmp_path: Path, split: str) -> None:
    wrong = write(tmp_path, "text,topic\na\n", {"topic": "topic"}, "wrong.csv")

    with pytest.raises(DataError, match=r"wrong\.csv, line 2: 1 cells, but the header has 2"):
        MultiTaskBuilder(tasks=[TOPIC], **{"train": topics(tmp_path), split: wrong})


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
