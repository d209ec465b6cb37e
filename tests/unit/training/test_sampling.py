"""Sampling: how often and in which order the rows of each source are drawn, and how an epoch is cut into batches."""

from typing import Any

import numpy as np
import pytest
from datasets import Dataset
from hypothesis import given, settings
from hypothesis import strategies as st

from modeling_multitask.training.samplers import (
    EpochSampler,
    TokenBatchSampler,
    balanced_shares,
    draw,
    group_by_length,
    quotas,
    row_groups,
    shares,
    token_batches,
)
from modeling_multitask.training.sampling import Sampling

SIZES = st.lists(st.integers(1, 60), min_size=1, max_size=5)
LENGTHS = st.lists(st.integers(1, 40), min_size=1, max_size=80).map(np.array)
SEEDS = st.integers(0, 2**32 - 1)
quick = settings(max_examples=60, deadline=None)


def groups_of(sizes: list[int]) -> list[np.ndarray]:
    """Row numbers of consecutive sources in a table."""
    return np.split(np.arange(sum(sizes)), np.cumsum(sizes)[:-1])


def source_of(order: np.ndarray, sizes: list[int]) -> np.ndarray:
    """Which source each drawn row is from."""
    return np.searchsorted(np.cumsum(sizes), order, side="right")


def padded(batch: Any, lengths: np.ndarray) -> int:
    """Tokens of a batch with its padding."""
    return len(batch) * lengths[batch].max()


def test_a_proportional_share_is_that_of_the_rows() -> None:
    assert shares([30, 10], Sampling("proportional"), progress=0.0) == pytest.approx([0.75, 0.25])


def test_a_temperature_of_two_takes_the_root_of_the_sizes() -> None:
    assert shares([900, 100], Sampling("temperature", temperature=2.0), progress=0.0) == pytest.approx([0.75, 0.25])


def test_a_temperature_of_one_is_proportional() -> None:
    assert shares([30, 10], Sampling("temperature", temperature=1.0), progress=0.0) == pytest.approx([0.75, 0.25])


def test_round_robin_gives_every_source_the_same_share() -> None:
    assert shares([900, 90, 10], Sampling("round_robin"), progress=0.0) == pytest.approx([1 / 3] * 3)


def test_annealing_begins_proportional() -> None:
    assert shares([30, 10], Sampling("annealed"), progress=0.0) == pytest.approx([0.75, 0.25])


def test_annealing_ends_nearly_equal() -> None:
    # 32 ** 0.2 = 2, so two thirds against one.
    assert shares([32, 1], Sampling("annealed"), progress=1.0) == pytest.approx([2 / 3, 1 / 3])


@quick
@given(
    sizes=SIZES,
    strategy=st.sampled_from(["proportional", "temperature", "round_robin", "annealed"]),
    progress=st.floats(0, 1),
)
def test_shares_sum_to_one(sizes: list[int], strategy: str, progress: float) -> None:
    assert shares(sizes, Sampling(strategy), progress).sum() == pytest.approx(1.0)


def test_balanced_classes_share_equally_what_the_unlabelled_rows_leave() -> None:
    assert balanced_shares([50, 40, 10]) == pytest.approx([0.5, 0.25, 0.25])


def test_a_class_without_rows_has_no_share() -> None:
    assert balanced_shares([0, 40, 0, 10]) == pytest.approx([0.0, 0.5, 0.0, 0.5])


@quick
@given(sizes=SIZES, draws=st.integers(0, 500))
def test_quotas_sum_to_the_draws(sizes: list[int], draws: int) -> None:
    parts = np.array(sizes) / sum(sizes)

    assert quotas(parts, draws).sum() == draws


@quick
@given(sizes=SIZES, draws=st.integers(0, 500))
def test_no_quota_is_a_whole_draw_off_its_share(sizes: list[int], draws: int) -> None:
    parts = np.array(sizes) / sum(sizes)

    assert np.abs(quotas(parts, draws) - parts * draws).max() < 1


def test_the_largest_remainder_is_rounded_up() -> None:
    assert quotas(np.array([0.44, 0.38, 0.18]), 10).tolist() == [4, 4, 2]


@quick
@given(sizes=SIZES, draws=st.integers(1, 200), seed=SEEDS)
def test_a_group_gives_every_row_once_before_one_twice(sizes: list[int], draws: int, seed: int) -> None:
    counts = quotas(np.array(sizes) / sum(sizes), draws)

    order = draw(groups_of(sizes), counts, np.random.default_rng(seed))

    times = np.split(np.bincount(order, minlength=sum(sizes)), np.cumsum(sizes)[:-1])
    assert max(np.ptp(of_group) for of_group in times) <= 1


@quick
@given(sizes=SIZES, seed=SEEDS)
def test_as_many_rows_of_each_group_are_drawn_as_its_count_says(sizes: list[int], seed: int) -> None:
    counts = np.arange(len(sizes)) * 7 + 1

    order = draw(groups_of(sizes), counts, np.random.default_rng(seed))

    assert np.bincount(source_of(order, sizes), minlength=len(sizes)).tolist() == counts.tolist()


@quick
@given(sizes=SIZES, seed=SEEDS, data=st.data())
def test_any_stretch_of_an_epoch_holds_each_groups_share(sizes: list[int], seed: int, data: st.DataObject) -> None:
    # Each place is less than one draw off, at either end, and so is that of each of the S groups.
    order = draw(groups_of(sizes), np.array(sizes), np.random.default_rng(seed))
    start = data.draw(st.integers(0, len(order) - 1))
    stop = data.draw(st.integers(start + 1, len(order)))

    held = np.bincount(source_of(order[start:stop], sizes), minlength=len(sizes))

    share = np.array(sizes) / sum(sizes)
    assert (np.abs(held - share * (stop - start)) <= 2 * (1 + len(sizes) * share)).all()


def test_round_robin_takes_turns() -> None:
    order = draw(groups_of([4, 4]), np.array([4, 4]), np.random.default_rng(0))

    turns = source_of(order, [4, 4])
    assert (turns[:-1] != turns[1:]).all()


def test_an_empty_group_gives_nothing() -> None:
    order = draw([np.array([], dtype=int), np.arange(3)], np.array([0, 3]), np.random.default_rng(0))

    assert sorted(order) == [0, 1, 2]


@quick
@given(lengths=LENGTHS, batch_size=st.integers(1, 7), seed=SEEDS)
def test_grouping_by_length_loses_no_row(lengths: np.ndarray, batch_size: int, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(lengths))

    grouped = group_by_length(order, lengths, batch_size, np.random.default_rng(seed))

    assert sorted(grouped) == list(range(len(lengths)))


def test_batches_of_similar_length_are_cut_from_fifty_and_shuffled() -> None:
    lengths = np.arange(205)

    grouped = group_by_length(np.arange(205), lengths, 2, np.random.default_rng(0))

    batches = grouped[:204].reshape(-1, 2)
    assert (batches[:, 0] - batches[:, 1] == 1).all()
    assert set(grouped[:100]) == set(range(100))
    assert set(grouped[100:200]) == set(range(100, 200))
    assert grouped[204] == 200
    # Neither longest first nor shortest last: the ends of a stretch are no different from its middle.
    assert not (np.diff(batches[:50, 0]) < 0).all()
    assert 25 < grouped[80:100].mean() < 75


@quick
@given(lengths=LENGTHS, budget=st.integers(1, 120), seed=SEEDS)
def test_token_batches_hold_every_row_exactly_once(lengths: np.ndarray, budget: int, seed: int) -> None:
    batches = token_batches(lengths, budget, np.random.default_rng(seed))

    assert sorted(np.concatenate(batches)) == list(range(len(lengths)))


@quick
@given(lengths=LENGTHS, budget=st.integers(1, 120), seed=SEEDS)
def test_a_token_batch_is_within_budget_with_its_padding_unless_it_is_one_long_row(
    lengths: np.ndarray, budget: int, seed: int
) -> None:
    batches = token_batches(lengths, budget, np.random.default_rng(seed))

    assert all(padded(batch, lengths) <= budget or len(batch) == 1 for batch in batches)


@quick
@given(lengths=LENGTHS, budget=st.integers(1, 120), seeds=st.tuples(SEEDS, SEEDS))
def test_there_are_as_many_token_batches_in_every_epoch(
    lengths: np.ndarray, budget: int, seeds: tuple[int, int]
) -> None:
    counts = {len(token_batches(lengths, budget, np.random.default_rng(seed))) for seed in seeds}

    assert len(counts) == 1


def test_a_token_batch_is_filled_up_to_its_budget() -> None:
    # Three rows of two tokens are six, and so are two rows padded to three.
    batches = token_batches(np.array([2, 3, 2, 2, 2]), 6, np.random.default_rng(0))

    assert sorted(map(len, batches)) == [2, 3]


@pytest.mark.parametrize(
    "strategy", ["concatenated", "proportional", "temperature", "round_robin", "annealed", "balanced"]
)
def test_the_same_seed_and_epoch_give_the_same_order(strategy: str) -> None:
    sampling = Sampling(strategy, task="topic" if strategy == "balanced" else None)
    one, other = (EpochSampler(groups_of([20, 5, 3]), sampling, seed=3, epochs=4) for _ in range(2))
    one.set_epoch(2)
    other.set_epoch(2)

    assert list(one) == list(other)


@pytest.mark.parametrize(
    "strategy", ["concatenated", "proportional", "temperature", "round_robin", "annealed", "balanced"]
)
def test_another_epoch_gives_another_order(strategy: str) -> None:
    sampler = EpochSampler(
        groups_of([20, 5, 3]), Sampling(strategy, task="topic" if strategy == "balanced" else None), seed=3
    )
    first = list(sampler)
    sampler.set_epoch(1)

    assert list(sampler) != first


def test_another_seed_gives_another_order() -> None:
    one, other = (EpochSampler(groups_of([28]), Sampling(), seed=seed) for seed in (3, 4))

    assert list(one) != list(other)


def test_concatenated_sources_give_every_row_exactly_once() -> None:
    assert sorted(EpochSampler(groups_of([20, 5, 3]), Sampling(), seed=0)) == list(range(28))


def test_proportional_sources_give_every_row_exactly_once() -> None:
    assert sorted(EpochSampler(groups_of([20, 5, 3]), Sampling("proportional"), seed=0)) == list(range(28))


@quick
@given(sizes=SIZES, strategy=st.sampled_from(["temperature", "round_robin", "annealed"]), epoch=st.integers(0, 3))
def test_an_epoch_has_as_many_draws_as_there_are_rows(sizes: list[int], strategy: str, epoch: int) -> None:
    sampler = EpochSampler(groups_of(sizes), Sampling(strategy), seed=0, epochs=4)
    sampler.set_epoch(epoch)

    assert len(list(sampler)) == len(sampler) == sum(sizes)


def test_balanced_draws_hold_as_many_of_a_rare_class_as_of_a_frequent_one() -> None:
    # 10 rows without a label keep their half; 8 and 2 labelled rows become 5 and 5.
    sampler = EpochSampler(groups_of([10, 8, 2]), Sampling("balanced", task="topic"), seed=0)

    assert np.bincount(source_of(np.array(list(sampler)), [10, 8, 2])).tolist() == [10, 5, 5]


def test_an_annealed_small_source_comes_more_often_in_the_last_epoch() -> None:
    sampler = EpochSampler(groups_of([96, 3]), Sampling("annealed"), seed=0, epochs=3)
    sampler.set_epoch(2)

    # 32 ** 0.2 = 2, so that a third of 99 draws falls to the small source.
    assert np.bincount(source_of(np.array(list(sampler)), [96, 3])).tolist() == [66, 33]


def test_an_epoch_beyond_the_last_stays_annealed() -> None:
    sampler = EpochSampler(groups_of([96, 3]), Sampling("annealed"), seed=0, epochs=1)
    sampler.set_epoch(7)

    assert np.bincount(source_of(np.array(list(sampler)), [96, 3])).tolist() == [66, 33]


def test_rows_of_similar_length_stand_together_in_an_epoch() -> None:
    lengths = np.arange(28)
    sampler = EpochSampler(groups_of([28]), Sampling(), seed=0, lengths=lengths, batch_size=4)

    batches = np.array(list(sampler)).reshape(-1, 4)
    assert sorted(batches[:, 0]) == list(range(3, 28, 4))
    assert (np.diff(batches) == -1).all()


@quick
@given(lengths=LENGTHS, budget=st.integers(1, 120), processes=st.integers(1, 4), epoch=st.integers(0, 3))
def test_every_process_gets_as_many_token_batches_as_the_others(
    lengths: np.ndarray, budget: int, processes: int, epoch: int
) -> None:
    sampler = TokenBatchSampler(lengths, budget, seed=0, processes=processes)
    sampler.set_epoch(epoch)

    batches = list(sampler)

    assert len(batches) == len(sampler)
    assert len(batches) % processes == 0


@quick
@given(lengths=LENGTHS, budget=st.integers(1, 120), processes=st.integers(1, 4))
def test_no_row_is_left_out_of_the_token_batches_of_several_processes(
    lengths: np.ndarray, budget: int, processes: int
) -> None:
    batches = list(TokenBatchSampler(lengths, budget, seed=0, processes=processes))

    assert set(np.concatenate(batches)) == set(range(len(lengths)))


def test_the_same_seed_and_epoch_give_the_same_token_batches() -> None:
    lengths = np.arange(1, 40) % 7 + 1
    one, other = (TokenBatchSampler(lengths, 20, seed=5) for _ in range(2))
    one.set_epoch(1)
    other.set_epoch(1)

    assert list(one) == list(other)


def test_another_epoch_gives_other_token_batches() -> None:
    sampler = TokenBatchSampler(np.arange(1, 40) % 7 + 1, 20, seed=5)
    first = list(sampler)
    sampler.set_epoch(1)

    assert list(sampler) != first


def table(**columns: list[Any]) -> Dataset:
    return Dataset.from_dict(columns)


def test_rows_are_grouped_by_their_source() -> None:
    groups = row_groups(table(source=[1, 0, 1, 1]), Sampling("round_robin"))

    assert [group.tolist() for group in groups] == [[1], [0, 2, 3]]


def test_rows_are_grouped_by_class_after_those_without_a_label() -> None:
    groups = row_groups(table(topic=[2, None, 0, 2, -100]), Sampling("balanced", task="topic"))

    assert [group.tolist() for group in groups] == [[1, 4], [2], [0, 3]]


def test_concatenated_rows_are_one_group() -> None:
    groups = row_groups(table(text=["a", "b", "c"]), Sampling())

    assert [group.tolist() for group in groups] == [[0, 1, 2]]


@pytest.mark.parametrize(
    ("columns", "sampling", "message"),
    [
        ({"text": ["a"]}, Sampling("round_robin"), "'round_robin' needs the column 'source', which is missing"),
        ({"text": ["a"]}, Sampling("balanced", task="tone"), "'balanced' needs the column 'tone', which is missing"),
        ({"source": ["web"]}, Sampling("annealed"), "'annealed' needs integers in the column 'source'"),
        ({"tone": [0.5]}, Sampling("balanced", task="tone"), "'balanced' needs integers in the column 'tone'"),
        ({"tone": [[0, 1]]}, Sampling("balanced", task="tone"), "'balanced' needs integers in the column 'tone'"),
        ({"tone": [[0, 1], None]}, Sampling("balanced", task="tone"), "needs integers in the column 'tone'"),
        ({"tone": [None, -100]}, Sampling("balanced", task="tone"), "no training row has a label for 'tone'"),
        ({"source": [0, 1, None]}, Sampling("round_robin"), "'round_robin': row 2 has no 'source'"),
    ],
)
def test_rows_that_do_not_say_what_a_strategy_asks_for_are_refused(
    columns: dict[str, list[Any]], sampling: Sampling, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        row_groups(table(**columns), sampling)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"strategy": "round_robbin"}, "'round_robbin'; it must be one of concatenated, .* did you mean 'round_robin'"),
        ({"strategy": "temperature", "temperature": 0.0}, "temperature is 0.0; it must be above 0"),
        ({"strategy": "balanced"}, "'balanced' needs task, to balance its classes"),
        ({"strategy": "annealed", "task": "topic"}, "'annealed' takes no task; only 'balanced' does"),
    ],
)
def test_sampling_that_cannot_be_is_refused(words: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Sampling(**words)
