"""Averages of weights, with values that a person can check by hand."""

import pytest
import torch
from torch import Tensor, nn

from modeling_multitask.training.averages import (
    MovingAverage,
    WeightAverage,
    WindowAverage,
    copy_weights,
    make_average,
    mean_weights,
    move_means,
    moving_decay,
    with_weights,
)
from modeling_multitask.training.averaging import Averaging

CPU = torch.device("cpu")


def named(*numbers: float, dtype: torch.dtype = torch.float32) -> dict[str, Tensor]:
    """One weight with these numbers."""
    return {"weight": torch.tensor(numbers, dtype=dtype)}


def values(weights: dict[str, Tensor]) -> list[float]:
    return weights["weight"].tolist()


def window(last: int, *numbers: float) -> WindowAverage:
    """The weight is each of these numbers at an evaluation, one step after the other."""
    average = WindowAverage(last)
    average.begin(named(0.0))
    for step, number in enumerate(numbers):
        average.add_evaluation(named(number), step)
    return average


@pytest.mark.parametrize(("count", "share"), [(0, 0.1), (1, 2 / 11), (90, 0.91), (8_990, 0.999), (100_000, 0.999)])
def test_a_moving_average_soon_forgets_its_start(count: int, share: float) -> None:
    # P172
    assert moving_decay(0.999, count) == pytest.approx(share)


def test_a_moving_average_moves_by_the_rest_of_its_share() -> None:
    means = named(1.0, 2.0)

    move_means(means, named(3.0, 2.0), 0.75)

    assert values(means) == [1.5, 2.0]


def test_a_moving_average_begins_with_the_weights_before_the_first_step() -> None:
    average = MovingAverage(0.5)

    average.begin(named(1.0))

    assert values(average.means()) == [1.0]


def test_a_moving_average_adds_each_step() -> None:
    average = MovingAverage(0.5)
    average.begin(named(0.0))

    average.add_step(named(10.0))  # 0.1 of the start stays
    average.add_step(named(20.0))  # 2 / 11 of 9 stay

    assert values(average.means()) == [pytest.approx(2 / 11 * 9 + 9 / 11 * 20)]


def test_a_moving_average_of_half_precision_moves() -> None:
    # P170: bfloat16 has 8 bits, so 1 + 0.001 · (1.5 - 1) is 1 again, however often it is added.
    means = named(1.0, dtype=torch.bfloat16)
    average = MovingAverage(0.999)
    average.begin(means)
    average.count = 10_000

    for _ in range(1_000):
        average.add_step(named(1.5, dtype=torch.bfloat16))

    assert values(average.means()) == [pytest.approx(1.5 - 0.5 * 0.999**1_000, abs=1e-4)]


def test_double_precision_is_kept() -> None:
    assert mean_weights([named(1.0, dtype=torch.float64)])["weight"].dtype == torch.float64


def test_a_window_is_the_mean_of_the_last_evaluations() -> None:
    assert values(window(2, 1.0, 4.0, 10.0).means()) == [7.0]


def test_a_window_that_is_not_full_is_the_mean_of_what_there_is() -> None:
    assert values(window(5, 1.0, 4.0).means()) == [2.5]


def test_a_window_without_an_evaluation_has_no_average() -> None:
    assert window(5).means() == {}


def test_an_evaluation_and_a_checkpoint_at_the_same_step_count_once() -> None:
    average = WindowAverage(3)
    average.begin(named(0.0))

    for step, number in ((4, 1.0), (4, 1.0), (8, 4.0)):
        average.add_evaluation(named(number), step)

    assert values(average.means()) == [2.5]


def test_a_window_keeps_weights_that_change_later() -> None:
    average, weight = WindowAverage(2), named(1.0)
    average.begin(weight)
    average.add_evaluation(weight, 1)

    weight["weight"].fill_(9.0)

    assert values(average.means()) == [1.0]


@pytest.mark.parametrize("averaging", [Averaging(last=2), Averaging(ema=0.9)], ids=["last", "ema"])
def test_an_average_goes_on_from_its_state_bit_for_bit(averaging: Averaging) -> None:
    whole, resumed = make_average(averaging), make_average(averaging)
    torch.manual_seed(0)
    weights = [{"a": torch.rand(7), "b.c": torch.rand(2, 3)} for _ in range(6)]
    whole.begin(weights[0])
    add(whole, weights[:3], 0)

    resumed.restore({name: each.clone() for name, each in whole.state().items()}, CPU)
    for average in (whole, resumed):
        add(average, weights[3:], 3)

    means, again = whole.means(), resumed.means()
    assert resumed.names == {"a", "b.c"}
    assert means.keys() == again.keys() == {"a", "b.c"}
    assert all(torch.equal(means[name], again[name]) for name in means)


def add(average: WeightAverage, weights: list[dict[str, Tensor]], step: int) -> None:
    for i, each in enumerate(weights, start=step):
        average.add_step(each)
        average.add_evaluation(each, i)


class Tied(nn.Module):
    """Two names of one weight, and a buffer of whole numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(2, 2, bias=False)
        self.second = nn.Linear(2, 2, bias=False)
        self.second.weight = self.first.weight
        self.register_buffer("seen", torch.tensor([3, 4]))


def test_tied_weights_stay_tied() -> None:
    model = Tied()

    copy_weights(model, {"first.weight": torch.ones(2, 2)})

    assert model.second.weight is model.first.weight
    assert model.second.weight.tolist() == [[1.0, 1.0], [1.0, 1.0]]


def test_buffers_stay() -> None:
    model = Tied()

    copy_weights(model, {"first.weight": torch.ones(2, 2), "seen": torch.zeros(2)})

    assert model.seen.tolist() == [3, 4]


def test_a_models_own_weights_come_back_after_an_error() -> None:
    model, text = Tied(), torch.rand(2)
    before = model.first.weight.detach().clone()

    with pytest.raises(RuntimeError, match="shape"), with_weights(model, {"first.weight": torch.ones(2, 2)}):
        model.first(text[:1])

    assert torch.equal(model.first.weight, before)


def test_a_model_has_other_weights_for_a_time() -> None:
    model = Tied()

    with with_weights(model, {"first.weight": torch.ones(2, 2)}):
        assert model.second.weight.tolist() == [[1.0, 1.0], [1.0, 1.0]]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({}, r"last or ema is required, such as \{last: 5\} or \{ema: 0.999\}"),
        ({"last": 5, "ema": 0.9}, "last is 5 and ema is 0.9; leave one of them out"),
        ({"last": 1}, "last is 1; it must be at least 2"),
        ({"ema": 1.0}, "ema is 1.0; it must be above 0 and below 1"),
        ({"ema": 0.0}, "ema is 0.0; it must be above 0 and below 1"),
    ],
)
def test_a_wrong_average_says_what_is_allowed(words: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Averaging(**words)
