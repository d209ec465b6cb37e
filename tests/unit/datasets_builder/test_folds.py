"""Every row is in one fold, folds are alike and reproducible, and a model without a fold still knows every label."""

from typing import Any

import numpy as np
import pytest

from datasets_builder import DataError, MultiTaskBuilder
from datasets_builder.folds import split_folds, units_of

STRATA = np.array([0] * 60 + [1] * 40)
EACH = np.arange(100)
TOPIC = {"name": "topic", "problem_type": "single_label_classification"}
TAGS = {"name": "tags", "problem_type": "multi_label_classification", "labels": ["long", "loud"]}


def test_every_row_is_in_one_of_the_folds() -> None:
    assert np.bincount(split_folds(STRATA, 5, 0, EACH)).tolist() == [0, 20, 20, 20, 20, 20]


def test_every_fold_has_its_share_of_each_stratum() -> None:
    folds = split_folds(STRATA, 5, 0, EACH)

    assert np.bincount(folds[:60]).tolist() == [0, 12, 12, 12, 12, 12]


def test_the_same_seed_draws_the_same_folds() -> None:
    assert split_folds(STRATA, 5, 1, EACH).tolist() == split_folds(STRATA, 5, 1, EACH).tolist()


def test_another_seed_draws_other_folds() -> None:
    assert split_folds(STRATA, 5, 0, EACH).tolist() != split_folds(STRATA, 5, 1, EACH).tolist()


def test_the_largest_seed_is_allowed() -> None:
    assert len(split_folds(STRATA, 5, 2**32 - 1, EACH)) == 100


def test_rows_of_a_unit_stay_in_one_fold() -> None:
    units = np.repeat(np.arange(20), 5)

    folds = split_folds(STRATA, 4, 0, units)

    assert all(len(set(folds[units == unit])) == 1 for unit in range(20))


def test_rows_are_connected_by_their_text_and_by_their_group() -> None:
    texts, groups = np.array([0, 0, 1, 2, 3]), np.array(["a", "b", "b", "c", "d"])

    units = units_of(texts, groups)

    assert units[0] == units[1] == units[2]
    assert len(set(units)) == 3


def test_a_label_with_two_rows_is_in_two_folds() -> None:
    labels = np.array([0] * 14 + [1, 1] + [2, 2] + [3, 3])

    folds = split_folds(np.zeros(20, dtype=int), 5, 0, np.arange(20), [labels], [["a", "b", "c", "d"]])

    assert [len(set(folds[labels == label])) for label in (1, 2, 3)] == [2, 2, 2]


def test_a_label_whose_rows_are_all_of_one_unit_is_an_error() -> None:
    labels = np.array([0] * 9 + [1])

    with pytest.raises(DataError, match=r"folds: rare: all rows of the label have the same text or group, .*merge"):
        split_folds(labels, 5, 0, np.arange(10), [labels], [["frequent", "rare"]])


def test_more_folds_than_texts_are_an_error() -> None:
    with pytest.raises(DataError, match=r"5 folds need at least 5 different texts or groups, and there are 4; use"):
        split_folds(np.zeros(8, dtype=int), 5, 0, np.arange(8) % 4)


def test_labels_that_cannot_all_be_in_two_folds_are_an_error() -> None:
    pairs = [np.array([0, 0, -1]), np.array([-1, 0, 0]), np.array([0, -1, 0])]  # of three rows, each two have a label

    with pytest.raises(DataError, match="no split into 2 folds has rows in each fold and each label in several folds"):
        split_folds(np.zeros(3, dtype=int), 2, 0, np.arange(3), pairs, [["a"], ["b"], ["c"]])


def rows(count: int = 40) -> dict[str, list[Any]]:
    return {
        "text": [f"text {i // 2 if i < 8 else i}" for i in range(count)],
        "topic": [["film", "food"][i % 2] if i % 5 else None for i in range(count)],
        "author": [f"author {i % 13}" for i in range(count)],
    }


def built(table: dict[str, list[Any]], *tasks: dict[str, Any], **split: Any) -> dict[str, list[str]]:
    """The texts of each split."""
    builder = MultiTaskBuilder(tasks=list(tasks) or [TOPIC], train=[table], split={"seed": 0, **split})
    builder.download_and_prepare()
    assert builder.prepared_splits == list(builder.as_dataset())
    return {name: list(part["text"]) for name, part in builder.as_dataset().items()}


def test_each_row_is_a_test_row_once_and_else_a_training_row() -> None:
    folds = [built(rows(), folds=4, fold=i) for i in (1, 2, 3, 4)]

    assert sorted(text for fold in folds for text in fold["test"]) == sorted(rows()["text"])
    assert all(sorted(fold["train"] + fold["test"]) == sorted(rows()["text"]) for fold in folds)


def test_a_repeated_text_is_never_in_training_and_test() -> None:
    folds = [built(rows(), folds=4, fold=i) for i in (1, 2, 3, 4)]

    assert [set(fold["train"]) & set(fold["test"]) for fold in folds] == [set()] * 4


def test_without_a_fold_all_rows_are_training_rows() -> None:
    assert built(rows(), folds=4) == {"train": rows()["text"]}


def test_validation_rows_are_a_share_of_the_other_folds() -> None:
    fold = built(rows(), folds=4, fold=1, validation=0.2)

    assert list(fold) == ["train", "validation", "test"]
    assert len(fold["validation"]) == round(0.2 * (40 - len(fold["test"])))
    assert sorted(text for part in fold.values() for text in part) == sorted(rows()["text"])


def test_validation_rows_do_not_change_the_folds() -> None:
    assert built(rows(), folds=4, fold=1, validation=0.2)["test"] == built(rows(), folds=4, fold=1)["test"]


def test_rows_of_a_group_stay_in_one_fold() -> None:
    table = {**rows(), "text": [f"text {i}" for i in range(40)]}
    author = dict(zip(table["text"], table["author"], strict=True))

    fold = built(table, folds=4, fold=1, group="author")

    assert not {author[text] for text in fold["train"]} & {author[text] for text in fold["test"]}


def test_a_label_with_a_single_row_is_an_error_that_names_it() -> None:
    table = {"text": [f"t{i}" for i in range(20)], "topic": ["film", "food"] * 9 + ["film", "rare"]}

    with pytest.raises(DataError, match=r"data\.split\.folds: task 'topic', label 'rare': all rows of the label"):
        built(table, folds=5)


def test_a_multi_label_label_that_is_yes_once_is_an_error_that_names_it() -> None:
    table = {"text": [f"t{i}" for i in range(20)], "tags": ["long"] * 10 + [""] * 9 + ["loud;long"]}
    source = {"path": None, "data": table, "labels": {"tags": {"column": "tags", "separator": ";"}}}

    with pytest.raises(DataError, match=r"task 'tags', 'loud' is yes: all rows of the label have the same text"):
        MultiTaskBuilder(tasks=[TAGS], train=[source], split={"folds": 5}).download_and_prepare()


@pytest.mark.parametrize(
    ("split", "message"),
    [
        ({"folds": 1}, "data.split.folds is 1; it must be at least 2"),
        ({"folds": 5, "test": 0.2}, "data.split.test is set together with folds, where each fold is the test split"),
        ({"folds": 5, "fold": 6}, "data.split.fold is 6, but there are 5 folds"),
        ({"fold": 1}, "data.split.fold is 1, but folds is missing; add the number of folds"),
        ({"folds": 50}, "50 folds need at least 50 different texts or groups, and there are 36; use fewer folds"),
    ],
)
def test_folds_that_are_not_possible_are_an_error(split: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        built(rows(), **split)


def test_folds_beside_a_test_table_are_an_error() -> None:
    with pytest.raises(DataError, match=r"each fold is the test split once, but data\.test gives a table; remove one"):
        MultiTaskBuilder(tasks=[TOPIC], train=[rows()], test=[rows()], split={"folds": 5})


def test_streamed_rows_have_no_folds() -> None:
    task = {**TOPIC, "labels": ["film", "food"]}
    with pytest.raises(DataError, match=r"data\.streaming: streamed rows cannot be split"):
        MultiTaskBuilder(tasks=[task], train=[rows()], split={"folds": 5}, streaming=True)
