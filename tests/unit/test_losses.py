"""The masked loss: what is missing adds nothing, and what is there counts as in torch's own losses."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from modeling_multitask import MultiTaskModel, TaskConfig
from modeling_multitask.losses_multitask import IGNORE_INDEX, loss_divisor, masked_loss
from tests.conftest import random_batch, tasks_of_each_type
from tests.properties import assert_no_gradient, assert_same_gradients

NAN = float("nan")
TOPIC = TaskConfig("topic", "single_label_classification", labels=["a", "b", "c"])
SENTIMENT = TaskConfig("sentiment", "binary_classification", labels=["no", "yes"])
TAGS = TaskConfig("tags", "multi_label_classification", labels=["x", "y"])
RATING = TaskConfig("rating", "regression")

CASES = {
    "single_label": (TOPIC, 3, torch.tensor([0, IGNORE_INDEX, 2, IGNORE_INDEX])),
    "binary": (SENTIMENT, 1, torch.tensor([0, IGNORE_INDEX, 1, IGNORE_INDEX])),
    "multi_label": (TAGS, 2, torch.tensor([[0, 1], [IGNORE_INDEX] * 2, [1, IGNORE_INDEX], [IGNORE_INDEX] * 2])),
    "regression": (RATING, 1, torch.tensor([0.5, NAN, -3.0, NAN])),
}
each_type = pytest.mark.parametrize(("task", "width", "labels"), CASES.values(), ids=CASES.keys())


def missing_like(labels: Tensor) -> Tensor:
    return torch.full_like(labels, NAN if labels.is_floating_point() else IGNORE_INDEX)


@each_type
def test_unlabelled_rows_change_neither_value_nor_gradient(task: TaskConfig, width: int, labels: Tensor) -> None:
    all_logits = torch.randn(4, width, requires_grad=True)
    labelled_logits = all_logits.detach()[[0, 2]].requires_grad_()

    with_gaps = masked_loss(all_logits, labels, task)
    without = masked_loss(labelled_logits, labels[[0, 2]], task)
    with_gaps.backward()
    without.backward()

    assert with_gaps.item() == pytest.approx(without.item(), rel=1e-6)
    assert torch.allclose(all_logits.grad[[0, 2]], labelled_logits.grad)
    assert torch.count_nonzero(all_logits.grad[[1, 3]]) == 0


@each_type
def test_a_batch_without_any_label_gives_zero_loss_and_zero_gradient(
    task: TaskConfig, width: int, labels: Tensor
) -> None:
    # P1: torch's own mean is NaN here.
    logits = torch.randn(4, width, requires_grad=True)

    loss = masked_loss(logits, missing_like(labels), task)
    loss.backward()

    assert loss.item() == 0
    assert torch.count_nonzero(logits.grad) == 0


@each_type
def test_minus_one_is_a_missing_label_except_for_numbers(task: TaskConfig, width: int, labels: Tensor) -> None:
    # P4: many data sets mark a missing label by -1, which plain cross-entropy refuses as out of bounds.
    logits = torch.randn(4, width)
    marked = labels if task.problem_type == "regression" else labels.where(labels != IGNORE_INDEX, -1)

    assert masked_loss(logits, marked, task) == masked_loss(logits, labels, task)


def test_a_number_below_zero_is_a_label_of_a_regression() -> None:
    assert masked_loss(torch.zeros(2, 1), torch.tensor([-1.0, -100.0]), RATING).item() == (1 + 100**2) / 2


def test_cross_entropy_is_that_of_torch_on_the_labelled_rows() -> None:
    logits = torch.randn(4, 3)

    loss = masked_loss(logits, torch.tensor([0, IGNORE_INDEX, 2, 1]), TOPIC)

    assert loss.item() == pytest.approx(F.cross_entropy(logits[[0, 2, 3]], torch.tensor([0, 2, 1])).item(), rel=1e-6)


def test_class_weights_and_smoothing_are_those_of_torch() -> None:
    logits, labels, weights = torch.randn(5, 3), torch.tensor([0, 1, 2, 2, 1]), [0.5, 1.0, 3.0]
    task = TaskConfig("t", "single_label_classification", ["a", "b", "c"], class_weights=weights, label_smoothing=0.1)

    expected = F.cross_entropy(logits, labels, weight=torch.tensor(weights), label_smoothing=0.1)

    assert masked_loss(logits, labels, task).item() == pytest.approx(expected.item(), rel=1e-6)


def test_only_classes_of_weight_zero_give_zero_loss_and_zero_gradient() -> None:
    # P2: torch's weighted mean is NaN here, too.
    task = TaskConfig("t", "single_label_classification", labels=["a", "b"], class_weights=[0.0, 1.0])
    logits = torch.randn(3, 2, requires_grad=True)

    loss = masked_loss(logits, torch.tensor([0, 0, IGNORE_INDEX]), task)
    loss.backward()

    assert loss.item() == 0
    assert torch.count_nonzero(logits.grad) == 0


def test_a_missing_position_of_a_multi_label_row_is_not_a_negative() -> None:
    # P3
    logits = torch.tensor([[0.0, 5.0]], requires_grad=True)

    loss = masked_loss(logits, torch.tensor([[1, IGNORE_INDEX]]), TAGS)
    loss.backward()

    assert loss.item() == pytest.approx(math.log(2))
    assert logits.grad.tolist() == [[pytest.approx(-0.5), 0.0]]


def test_binary_smoothing_moves_both_targets_towards_a_half() -> None:
    task = TaskConfig("t", "binary_classification", labels=["no", "yes"], label_smoothing=0.2)
    logits = torch.randn(2, 1)

    expected = F.binary_cross_entropy_with_logits(logits.squeeze(1), torch.tensor([0.1, 0.9]))

    assert masked_loss(logits, torch.tensor([0, 1]), task).item() == pytest.approx(expected.item(), rel=1e-6)


def test_half_precision_logits_give_a_float32_loss() -> None:
    assert masked_loss(torch.randn(2, 3, dtype=torch.bfloat16), torch.tensor([0, 1]), TOPIC).dtype == torch.float32


@each_type
def test_the_divisor_counts_labelled_entries(task: TaskConfig, width: int, labels: Tensor) -> None:
    assert loss_divisor(labels, task).item() == (3 if task is TAGS else 2)


def test_the_divisor_of_weighted_classes_is_the_sum_of_their_weights() -> None:
    task = TaskConfig("t", "single_label_classification", labels=["a", "b"], class_weights=[0.25, 2.0])

    assert loss_divisor(torch.tensor([0, 1, 1, IGNORE_INDEX]), task).item() == 4.25


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from([IGNORE_INDEX, 0, 1, 2]), min_size=1, max_size=8), st.integers(1, 7))
def test_parts_of_a_batch_add_up_to_the_whole(ids: list[int], cut: int) -> None:
    labels, logits = torch.tensor(ids), torch.linspace(-2, 2, 3 * len(ids)).reshape(-1, 3)
    divisor = loss_divisor(labels, TOPIC)

    parts = [masked_loss(logits[s], labels[s], TOPIC, divisor) for s in (slice(cut), slice(cut, None)) if len(ids[s])]

    assert sum(parts).item() == pytest.approx(masked_loss(logits, labels, TOPIC).item(), rel=1e-5, abs=1e-6)


def labels_with_gaps(rows: int = 6) -> dict[str, Tensor]:
    """Every row lacks a label of at least one task."""
    return {
        "topic": torch.tensor([0, 2, IGNORE_INDEX, IGNORE_INDEX, 1, IGNORE_INDEX]),
        "sentiment": torch.tensor([IGNORE_INDEX, 1, 0, IGNORE_INDEX, IGNORE_INDEX, 1]),
        "tags": torch.tensor([[0, IGNORE_INDEX], [1, 1], *[[IGNORE_INDEX] * 2] * 3, [IGNORE_INDEX, 0]]),
        "rating": torch.tensor([NAN, 0.25, NAN, -1.5, NAN, NAN]),
    }


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 5e-6), (torch.float64, 1e-10)])
def test_the_gradient_is_the_sum_of_the_single_tasks_on_their_labelled_rows(
    model: MultiTaskModel, dtype: torch.dtype, tolerance: float
) -> None:
    together, apart = model.to(dtype), MultiTaskModel(model.config).to(dtype).eval()
    apart.load_state_dict(together.state_dict())
    batch, labels = random_batch(), labels_with_gaps()
    labels["rating"] = labels["rating"].to(dtype)

    together(**batch, labels=labels).loss.backward()
    for name, given_labels in labels.items():
        present = ~given_labels.isnan() if name == "rating" else given_labels >= 0
        rows = present.reshape(6, -1).any(dim=1)
        logits = apart(**{key: tensor[rows] for key, tensor in batch.items()}).logits[name]
        plain_loss(name, logits, given_labels[rows]).backward()

    assert_same_gradients(together, apart, tolerance=tolerance)


def plain_loss(name: str, logits: Tensor, labels: Tensor) -> Tensor:
    """Torch's own mean loss of rows that all have a label."""
    if name == "topic":
        return F.cross_entropy(logits, labels)
    if name == "rating":
        return F.mse_loss(logits.squeeze(1), labels)
    present = labels.reshape(logits.shape) >= 0
    targets = labels.reshape(logits.shape)[present].to(logits.dtype)
    return F.binary_cross_entropy_with_logits(logits[present], targets)


@pytest.mark.parametrize("name", [task["name"] for task in tasks_of_each_type()])
def test_a_task_without_labels_takes_part_with_a_gradient_of_zero(model: MultiTaskModel, name: str) -> None:
    # P1, for a whole head, and what DDP needs of it.
    labels = {key: value for key, value in labels_with_gaps().items() if key != name}

    model(**random_batch(), labels=labels).loss.backward()

    assert_no_gradient(getattr(model.heads, name))


def test_labels_of_an_unknown_task_are_refused(model: MultiTaskModel) -> None:
    with pytest.raises(ValueError, match=r"'topics', which is not a task of this model .* did you mean 'topic'"):
        model(**random_batch(), labels={"topics": torch.zeros(6, dtype=torch.long)})
