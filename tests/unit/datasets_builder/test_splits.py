"""Splits are reproducible, disjoint, complete and stratified, and the stated share of labels is hidden."""

import numpy as np
import pyarrow as pa
import pytest

from datasets_builder import DataError
from datasets_builder.splits import hide_labels, merge_rare, split_rows, strata_of

STRATA = np.array([0] * 60 + [1] * 40)


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
        split_rows(np.zeros(10, int), fractions, seed=0)


def test_strata_too_small_for_a_split_do_not_stop_it() -> None:
    splits = split_rows(np.array([*STRATA[:97], 2, 3, 4]), {"test": 0.2}, seed=0)

    assert {name: len(rows) for name, rows in splits.items()} == {"train": 80, "test": 20}


@pytest.mark.parametrize("fractions", [{"test": 0.8}, {"validation": 0.4, "test": 0.4}])
def test_more_strata_than_training_rows_do_not_stop_a_split(fractions: dict[str, float]) -> None:
    assert len(split_rows(np.arange(10) % 5, fractions, seed=0)["train"]) == 2


def test_rare_strata_become_one() -> None:
    assert merge_rare(np.array([0, 0, 0, 1, 1, 2, 3]), fewest=3).tolist() == [0, 0, 0, -1, -1, -1, -1]


def test_rare_strata_join_the_largest_if_they_are_rare_together() -> None:
    assert merge_rare(np.array([0, 0, 0, 0, 0, 1]), fewest=2).tolist() == [0] * 6


def test_strata_that_are_large_enough_stay() -> None:
    assert merge_rare(np.array([0, 0, 1, 1]), fewest=2).tolist() == [0, 0, 1, 1]


def test_rows_without_labels_are_one_stratum() -> None:
    assert strata_of([], 3).tolist() == [0, 0, 0]


def test_each_frequent_combination_is_a_stratum() -> None:
    strata = strata_of([np.array([0, 1, 0, -1] * 20), np.array([0, 0, 1, -1] * 20)], 80)

    assert [len(set(strata[place::4].tolist())) for place in range(4)] == [1] * 4
    assert len(set(strata.tolist())) == 4


def test_a_rare_combination_is_stratified_by_the_rarest_of_its_labels() -> None:
    # Row 41 lacks the first task and has the rare label of the second; so has row 40, besides a frequent one.
    one = np.array([0] * 40 + [0, -1])
    two = np.array([0] * 40 + [1, 1])

    strata = strata_of([one, two], 42)

    assert strata[40] == strata[41] != strata[0]


def shares_off(labels: list[np.ndarray], splits: dict[str, np.ndarray], rows: int) -> float:
    """By how many rows a label, or a gap, of any task is away from its share in any split, at most."""
    return max(
        abs((column[places] == label).sum() - (column == label).sum() * len(places) / rows)
        for column in labels
        for label in np.unique(column)
        for places in splits.values()
    )


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_every_label_of_every_task_has_its_share_although_combinations_are_rare(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = [
        rng.choice(30, 3000, p=rng.dirichlet(np.ones(30))),
        rng.choice([-1, 0, 1], 3000, p=[0.5, 0.1, 0.4]),
        rng.choice([-1, 0, 1, 2], 3000, p=[0.7, 0.1, 0.1, 0.1]),
    ]

    splits = split_rows(strata_of(labels, 3000), {"validation": 0.1, "test": 0.2}, seed)

    assert shares_off(labels, splits, 3000) < 10  # drawn without strata it is 20 to 26


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_every_label_of_a_multi_label_task_with_gaps_has_its_share(seed: int) -> None:
    rng = np.random.default_rng(seed)
    gaps = rng.random(2000) < 0.5
    labels = [np.where(gaps, -1, rng.random(2000) < share).astype(int) for share in (0.5, 0.3, 0.1, 0.05, 0.02, 0.01)]

    splits = split_rows(strata_of(labels, 2000), {"test": 0.2}, seed)

    assert shares_off(labels, splits, 2000) < 5  # drawn without strata it is 7 to 16


def test_groups_are_never_parted() -> None:
    groups = np.repeat(np.arange(50), 2)

    splits = split_rows(STRATA, {"validation": 0.1, "test": 0.2}, seed=0, groups=groups)

    found = [set(groups[places].tolist()) for places in splits.values()]
    assert sum(map(len, found)) == len(set.union(*found)) == 50


def test_every_split_of_groups_has_about_its_share_of_rows_and_strata() -> None:
    splits = split_rows(STRATA, {"validation": 0.1, "test": 0.2}, seed=0, groups=np.arange(100) // 2)

    # Groups hold two rows each.
    assert {name: round(len(places), -1) for name, places in splits.items()} == {
        "train": 70,
        "validation": 10,
        "test": 20,
    }
    assert abs((splits["test"] < 60).sum() - 12) <= 2


def test_the_same_seed_draws_the_same_groups() -> None:
    first, second = (
        split_rows(STRATA, {"test": 0.2}, seed=1, groups=np.arange(100) // 4)["test"].tolist() for _ in range(2)
    )

    assert first == second


@pytest.mark.parametrize("count", [7, 11, 13, 17])
def test_a_number_of_groups_that_no_share_divides_is_cut_all_the_same(count: int) -> None:
    splits = split_rows(STRATA, {"validation": 0.2, "test": 0.2}, seed=0, groups=np.arange(100) % count)

    assert all(8 < len(splits[name]) < 32 for name in ("validation", "test"))


def test_too_few_groups_are_an_error() -> None:
    with pytest.raises(DataError, match=r"data\.split\.test: 3 groups are too few for a share of 0\.2"):
        split_rows(STRATA, {"test": 0.2}, seed=0, groups=np.arange(100) % 3)


def labels_in(labels: np.ndarray, rows: np.ndarray) -> set[int]:
    return set(labels[rows].tolist()) - {-1}


@pytest.mark.parametrize("seed", range(5))
def test_the_only_row_of_a_label_stays_in_training(seed: int) -> None:
    labels = np.array([*STRATA[:97], 2, 3, 4])

    splits = split_rows(strata_of([labels], 100), {"validation": 0.3, "test": 0.3}, seed, labels=[labels])

    assert labels_in(labels, splits["train"]) == {0, 1, 2, 3, 4}
    assert {name: len(rows) for name, rows in splits.items()} == {"train": 40, "validation": 30, "test": 30}


@pytest.mark.parametrize("seed", range(5))
def test_a_label_of_two_rows_never_loses_both(seed: int) -> None:
    labels = np.array([0] * 60 + [*range(1, 21)] * 2)

    splits = split_rows(strata_of([labels], 100), {"validation": 0.3, "test": 0.3}, seed, labels=[labels])

    assert labels_in(labels, splits["train"]) == set(range(21))
    assert sorted(np.concatenate(list(splits.values())).tolist()) == list(range(100))


@pytest.mark.parametrize("seed", range(5))
def test_the_only_row_with_yes_and_the_only_one_with_no_stay_in_training(seed: int) -> None:
    long, loud = np.zeros(40, int), np.ones(40, int)
    long[7], loud[9], loud[20:] = 1, 0, -1

    train = split_rows(strata_of([long, loud], 40), {"test": 0.5}, seed, labels=[long, loud])["train"]

    assert {7, 9} <= set(train.tolist())


@pytest.mark.parametrize("seed", range(5))
def test_a_group_that_holds_all_rows_of_a_label_stays_in_training(seed: int) -> None:
    groups = np.arange(100) // 5
    labels = np.where(groups == 3, 2, STRATA)

    splits = split_rows(strata_of([labels], 100), {"test": 0.4}, seed, groups, [labels])

    assert {15, 16, 17, 18, 19} <= set(splits["train"].tolist())
    assert not labels_in(groups, splits["train"]) & labels_in(groups, splits["test"])
    assert 30 <= len(splits["test"]) <= 50


def test_all_rows_but_the_only_ones_of_a_label_may_be_held_out() -> None:
    labels = np.array([-1, -1, 0, 1])

    splits = split_rows(strata_of([labels], 4), {"test": 0.5}, seed=0, labels=[labels])

    assert {name: rows.tolist() for name, rows in splits.items()} == {"train": [2, 3], "test": [0, 1]}


def test_rows_that_all_have_a_label_of_their_own_cannot_be_split() -> None:
    labels = np.arange(10)
    message = r"data\.split\.test: 0\.2 of 10 rows cannot be held out, because 10 rows contain the only rows of a label"

    with pytest.raises(DataError, match=message):
        split_rows(strata_of([labels], 10), {"test": 0.2}, seed=0, labels=[labels])


@pytest.mark.parametrize("groups", [None, np.arange(100) // 2], ids=["rows", "groups"])
def test_where_no_label_is_rare_the_same_rows_are_drawn_as_without_labels(groups: np.ndarray | None) -> None:
    plain, careful = (
        split_rows(STRATA, {"validation": 0.1, "test": 0.2}, 0, groups, labels) for labels in ([], [STRATA])
    )

    assert {name: rows.tolist() for name, rows in plain.items()} == {n: rows.tolist() for n, rows in careful.items()}


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
