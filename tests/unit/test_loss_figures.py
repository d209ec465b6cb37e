"""The values of each loss, compared with torch or with numbers that can be checked by hand.

They agree to the 1e-6 of `pytest.approx`, ten times the rounding of float32.
"""

import math

import pytest
import torch
from torch.nn import functional as F

from modeling_multitask import TaskConfig
from modeling_multitask.kinds_multitask import IGNORE_INDEX
from modeling_multitask.losses_multitask import masked_loss

LN2, LN3, LN4 = math.log(2), math.log(3), math.log(4)
TOPIC = ("topic", "single_label_classification", ["a", "b", "c"])
PAIR = ("pair", "single_label_classification", ["a", "b"])
SENTIMENT = ("sentiment", "binary_classification", ["no", "yes"])
TAGS = ("tags", "multi_label_classification", ["x", "y"])
RATING = ("rating", "regression")
GRADE = ("grade", "ordinal_regression", ["low", "mid", "high"])


def loss_of(logits: list, labels: list, task: tuple, **settings: object) -> float:
    return masked_loss(torch.tensor(logits), torch.tensor(labels), TaskConfig(*task, **settings)).item()


def test_cross_entropy_is_that_of_torch_on_the_labelled_rows() -> None:
    logits = torch.randn(4, 3)

    loss = masked_loss(logits, torch.tensor([0, IGNORE_INDEX, 2, 1]), TaskConfig(*TOPIC))

    assert loss.item() == pytest.approx(F.cross_entropy(logits[[0, 2, 3]], torch.tensor([0, 2, 1])).item())


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weights", [None, [0.5, 1.0, 3.0], [0.0, 1.0, 3.0]])
def test_class_weights_and_smoothing_are_those_of_torch(weights: list | None, smoothing: float) -> None:
    logits, labels = torch.randn(5, 3), torch.tensor([0, 1, 2, 2, 1])
    task = TaskConfig(*TOPIC, class_weights=weights, label_smoothing=smoothing)

    tensor = None if weights is None else torch.tensor(weights)
    expected = F.cross_entropy(logits, labels, weight=tensor, label_smoothing=smoothing, reduction="mean")

    assert masked_loss(logits, labels, task).item() == pytest.approx(expected.item())


def test_whole_numbers_are_weights_too() -> None:
    # The first row's cross-entropy is ln 2, the second's ln 4.
    assert loss_of([[0.0, 0.0], [LN3, 0.0]], [0, 1], PAIR, class_weights=[1, 3]) == pytest.approx((LN2 + 3 * LN4) / 4)


def test_binary_smoothing_moves_both_targets_towards_a_half() -> None:
    logits = torch.randn(2, 1)

    expected = F.binary_cross_entropy_with_logits(logits.squeeze(1), torch.tensor([0.1, 0.9]))

    loss = masked_loss(logits, torch.tensor([0, 1]), TaskConfig(*SENTIMENT, label_smoothing=0.2))
    assert loss.item() == pytest.approx(expected.item())


def test_pos_weight_multiplies_the_positive_rows_of_a_binary_task() -> None:
    assert loss_of([[0.0], [0.0]], [1, 0], SENTIMENT, pos_weight=[3.0]) == pytest.approx((3 * LN2 + LN2) / 2)


def test_each_label_of_a_multi_label_task_has_its_own_pos_weight() -> None:
    assert loss_of([[0.0, 0.0], [0.0, 0.0]], [[1, 0], [0, 1]], TAGS, pos_weight=[3.0, 5.0]) == pytest.approx(
        10 * LN2 / 4
    )


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_pos_weight_is_that_of_torch(smoothing: float) -> None:
    logits, signs, weight = torch.randn(4, 2), torch.tensor([[0, 1], [1, 1], [0, 0], [1, 0]]), [3.0, 0.5]
    task = TaskConfig(*TAGS, pos_weight=weight, label_smoothing=smoothing)

    targets = signs * (1 - smoothing) + smoothing / 2
    expected = F.binary_cross_entropy_with_logits(logits, targets, pos_weight=torch.tensor(weight))

    assert masked_loss(logits, signs, task).item() == pytest.approx(expected.item())


@pytest.mark.parametrize(
    ("gamma", "factor"), [(0.0, 1.0), (1.0, 0.75), (2.0, 0.5625), (0.5, 0.75**0.5)], ids=lambda value: f"{value:.2f}"
)
def test_the_focal_loss_of_a_class_with_probability_a_quarter(gamma: float, factor: float) -> None:
    assert loss_of([[LN3, 0.0]], [1], PAIR, loss="focal", focal_gamma=gamma) == pytest.approx(factor * LN4)


def test_gamma_is_2_unless_it_is_given() -> None:
    assert loss_of([[0.0, 0.0]], [0], PAIR, loss="focal") == pytest.approx(LN2 / 4)


@pytest.mark.parametrize(("logit", "label"), [(LN3, 0), (-LN3, 1)])
def test_the_focal_loss_of_a_binary_answer_with_probability_a_quarter(logit: float, label: int) -> None:
    assert loss_of([[logit]], [label], SENTIMENT, loss="focal") == pytest.approx(0.5625 * LN4)


def test_the_focal_loss_of_several_labels_is_a_mean_over_positions() -> None:
    # Of the true answers one has probability 1/2, the other 3/4.
    expected = (LN2 / 4 + math.log(4 / 3) / 16) / 2

    assert loss_of([[0.0, LN3]], [[0, 1]], TAGS, loss="focal") == pytest.approx(expected)


def test_class_weights_multiply_the_focal_loss_and_their_sum_divides_it() -> None:
    expected = (1 * LN2 / 4 + 3 * 0.5625 * LN4) / 4

    loss = loss_of([[0.0, 0.0], [LN3, 0.0]], [0, 1], PAIR, loss="focal", class_weights=[1.0, 3.0])

    assert loss == pytest.approx(expected)


def test_pos_weight_multiplies_the_focal_loss() -> None:
    loss = loss_of([[0.0], [0.0]], [1, 0], SENTIMENT, loss="focal", pos_weight=[3.0])

    assert loss == pytest.approx((3 * LN2 + LN2) / 4 / 2)


def test_the_focal_loss_is_that_of_smoothed_targets_times_the_focus_on_the_true_class() -> None:
    # The true answer has probability 1/4, its target is 0.9.
    expected = 0.5625 * (0.9 * LN4 + 0.1 * math.log(4 / 3))

    assert loss_of([[-LN3]], [1], SENTIMENT, loss="focal", label_smoothing=0.2) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("task", "labels"), [(TOPIC, [0, 2, 1, 1]), (SENTIMENT, [0, 1, 1, 0]), (TAGS, [[0, 1], [1, 1], [0, 0], [1, 0]])]
)
def test_the_focal_loss_with_gamma_0_is_the_cross_entropy_in_value_and_gradient(task: tuple, labels: list) -> None:
    width = TaskConfig(*task).num_logits
    logits = torch.randn(4, width, requires_grad=True)
    focal, plain = TaskConfig(*task, loss="focal", focal_gamma=0), TaskConfig(*task)

    (difference,) = torch.autograd.grad(
        masked_loss(logits, torch.tensor(labels), focal) - masked_loss(logits, torch.tensor(labels), plain), logits
    )

    assert masked_loss(logits, torch.tensor(labels), focal) == masked_loss(logits, torch.tensor(labels), plain)
    assert torch.count_nonzero(difference) == 0


def test_the_focal_loss_has_the_gradient_that_finite_differences_have() -> None:
    task, labels = TaskConfig(*TOPIC, loss="focal", focal_gamma=1.5), torch.tensor([0, 2, 1])
    logits = torch.randn(3, 3, dtype=torch.float64, requires_grad=True)

    assert torch.autograd.gradcheck(lambda given: masked_loss(given, labels, task), logits)


def test_a_number_is_off_by_its_square() -> None:
    assert loss_of([[0.5], [-3.0]], [0.0, 0.0], RATING) == (0.25 + 9) / 2


@pytest.mark.parametrize(("delta", "expected"), [(1.0, (0.125 + 2.5) / 2), (2.0, (0.125 + 4.0) / 2)])
def test_the_huber_loss_is_half_the_square_up_to_delta_and_linear_from_there(delta: float, expected: float) -> None:
    assert loss_of([[0.5], [-3.0]], [0.0, 0.0], RATING, loss="huber", huber_delta=delta) == expected


@pytest.mark.parametrize(("label", "score"), [(0, 1 / 4), (1, 1 / 4), (2, 1 / 2)], ids=["lowest", "middle", "highest"])
def test_the_loss_of_a_rank_is_the_logarithm_of_its_score(label: int, score: float) -> None:
    # Above the lowest with probability 3/4, above the middle one with 1/2.
    assert loss_of([[LN3, 0.0]], [label], GRADE) == pytest.approx(-math.log(score))


def test_the_loss_of_two_ranks_is_that_of_a_binary_task() -> None:
    ranks = loss_of([[0.3], [-2.0]], [1, 0], ("grade", "ordinal_regression", ["low", "high"]))

    assert ranks == pytest.approx(loss_of([[0.3], [-2.0]], [1, 0], SENTIMENT))


def test_a_rank_costs_more_the_further_off_it_is() -> None:
    certain_of_the_highest = [[5.0, 4.0]]

    losses = [loss_of(certain_of_the_highest, [label], GRADE) for label in range(3)]

    assert losses[0] > losses[1] > losses[2]
