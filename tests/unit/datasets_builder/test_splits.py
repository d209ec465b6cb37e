"""Splits: reproducible, disjoint, complete and stratified; and labels hidden in the stated share."""

import numpy as np
import pyarrow as pa
import pytest

from datasets_builder import DataError
from datasets_builder.extras import import_extra
from datasets_builder.splits import hide_labels, merge_rare, split_rows

STRATA = ["a"] * 60 + ["b"] * 40


def test_every_row_is_in_exactly_one_split() -> None:
    splits = split_rows(STRATA, {"validation": 0.1, "test": 0.2}, seed=0)

    assert sorted(np.concatenate(list(splits.values())).tolist()) == list(range(100))


def test_every_split_has_its_share_of_all_rows() -> None:
    splits = split_rows(STRATA, {"validation": 0.1, "test": 0.2}, seed=0)

    assert {name: len(rows) for name, rows in splits.items()} == {"train": 70, "validation": 10, "test": 20}


def test_every_split_has_its_share_of_each_stratum() -> None:
    splits = split_rows(STRATA, {"validation": 0.1, "test": 0.2}, seed=0)

    first = {name: int((rows < 60).sum()) for name, rows in splits.items()}
    assert first == {"train": 42, "validation": 6, "test": 12}


def test_rows_of_a_split_keep_their_order() -> None:
    train = split_rows(STRATA, {"test": 0.2}, seed=0)["train"]

    assert train.tolist() == sorted(train.tolist())


def test_the_same_seed_draws_the_same_rows() -> None:
    first, second = (split_rows(STRATA, {"test": 0.2}, seed=1)["test"].tolist() for _ in range(2))

    assert first == second


def test_another_seed_draws_other_rows() -> None:
    first, second = (split_rows(STRATA, {"test": 0.2}, seed=seed)["test"].tolist() for seed in (0, 1))

    assert first != second


@pytest.mark.parametrize(
    ("fractions", "message"),
    [
        ({"test": 0.01}, "data.split.test: 0.01 of 10 rows leaves test or train empty"),
        ({"test": 0.99}, "data.split.test: 0.99 of 10 rows leaves test or train empty"),
        ({"validation": 0.5, "test": 0.5}, "data.split.test: 0.5 of 10 rows leaves test or train empty"),
    ],
)
def test_a_fraction_that_leaves_a_split_without_rows_is_an_error(fractions: dict[str, float], message: str) -> None:
    # P68
    with pytest.raises(DataError, match=message):
        split_rows(["a"] * 10, fractions, seed=0)


def test_strata_too_small_for_a_split_do_not_stop_it() -> None:
    splits = split_rows([*STRATA[:97], "c", "d", "e"], {"test": 0.2}, seed=0)

    assert {name: len(rows) for name, rows in splits.items()} == {"train": 80, "test": 20}


@pytest.mark.parametrize("fractions", [{"test": 0.8}, {"validation": 0.4, "test": 0.4}])
def test_more_strata_than_training_rows_do_not_stop_a_split(fractions: dict[str, float]) -> None:
    assert len(split_rows(list("abcde") * 2, fractions, seed=0)["train"]) == 2


def test_rare_strata_become_one() -> None:
    assert merge_rare(np.array(list("aaabbcd")), fewest=3).tolist() == ["a"] * 3 + ["rare"] * 4


def test_rare_strata_join_the_largest_if_they_are_rare_together() -> None:
    assert merge_rare(np.array(list("aaaaab")), fewest=2).tolist() == ["a"] * 6


def test_strata_that_are_large_enough_stay() -> None:
    assert merge_rare(np.array(list("aabb")), fewest=2).tolist() == list("aabb")


def test_the_stated_share_of_the_labels_is_hidden() -> None:
    hidden = hide_labels(pa.chunked_array([[0, 1] * 5]), 0.3, np.random.default_rng(0))

    assert hidden.null_count == 3


def test_the_share_is_of_the_labels_there_are() -> None:
    hidden = hide_labels(pa.chunked_array([[0] * 10 + [None] * 10]), 0.3, np.random.default_rng(0))

    assert hidden.null_count == 13


def test_labels_that_are_not_hidden_stay() -> None:
    labels = list(range(10))

    hidden = hide_labels(pa.chunked_array([labels]), 0.3, np.random.default_rng(0)).to_pylist()

    assert [label for label in hidden if label is not None] == [i for i in labels if hidden[i] is not None]


def test_the_labels_of_a_multi_label_row_are_hidden_together() -> None:
    hidden = hide_labels(pa.chunked_array([[{"long": 1, "loud": 0}] * 4]), 0.5, np.random.default_rng(0)).to_pylist()

    assert sorted(hidden, key=str) == [None, None, {"long": 1, "loud": 0}, {"long": 1, "loud": 0}]


def test_a_task_without_labels_has_none_to_hide() -> None:
    hidden = hide_labels(pa.chunked_array([pa.nulls(3, pa.int64())]), 0.5, np.random.default_rng(0))

    assert hidden.to_pylist() == [None, None, None]


def test_a_package_that_is_not_installed_is_an_error_with_its_extra() -> None:
    message = r"no_such_package is not installed; .* pip install 'modeling-multitask\[train\]'"

    with pytest.raises(ImportError, match=message):
        import_extra("no_such_package.part", extra="train")
