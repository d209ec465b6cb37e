"""The masked loss: missing labels add nothing, and present labels count equally in all batch splits."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from modeling_multitask import MultiTaskModel, TaskConfig
from modeling_multitask.kinds_multitask import IGNORE_INDEX
from modeling_multitask.losses_multitask import loss_divisor, masked_loss
from modeling_multitask.problem_types_multitask import PROBLEM_TYPES
from tests.conftest import random_batch, tasks_of_each_type
from tests.properties import (
    assert_no_gradient,
    assert_parts_add_up,
    assert_same_gradients,
    assert_unlabelled_rows_change_nothing,
)

NAN = float("nan")
LABELS = {
    "single_label_classification": ["a", "b", "c"],
    "binary_classification": ["no", "yes"],
    "multi_label_classification": ["x", "y"],
    "regression": None,
    "ordinal_regression": ["low", "mid", "high"],
}
# Every third and fourth row has no label.
GAPS = {
    "single_label_classification": torch.tensor([0, 2, IGNORE_INDEX, IGNORE_INDEX]),
    "binary_classification": torch.tensor([0, 1, IGNORE_INDEX, IGNORE_INDEX]),
    "multi_label_classification": torch.tensor([[0, 1], [1, IGNORE_INDEX], *[[IGNORE_INDEX] * 2] * 2]),
    "regression": torch.tensor([0.5, -3.0, NAN, NAN]),
    "ordinal_regression": torch.tensor([0, 2, IGNORE_INDEX, IGNORE_INDEX]),
}


def task_of(kind: str, **settings: object) -> TaskConfig:
    return TaskConfig("t", kind, LABELS[kind], **settings)


PLAIN = {f"{kind}-{loss}": task_of(kind, loss=loss) for kind, facts in PROBLEM_TYPES.items() for loss in facts.losses}
WEIGHTED = {
    "class_weights": task_of("single_label_classification", class_weights=[0.5, 1.0, 3.0], label_smoothing=0.1),
    "focal class_weights": task_of("single_label_classification", loss="focal", class_weights=[0.5, 1.0, 3.0]),
    "pos_weight": task_of("binary_classification", pos_weight=[3.0], label_smoothing=0.1),
    "pos_weights": task_of("multi_label_classification", loss="focal", pos_weight=[3.0, 0.5]),
    "root": task_of("binary_classification", loss="focal", focal_gamma=0.5),
}
each_loss = pytest.mark.parametrize("task", PLAIN.values(), ids=PLAIN.keys())
each_loss_and_weighting = pytest.mark.parametrize(
    "task", [*PLAIN.values(), *WEIGHTED.values()], ids=[*PLAIN, *WEIGHTED]
)


@st.composite
def rows(draw: st.DrawFn, task: TaskConfig, logit: st.SearchStrategy[float]) -> tuple[Tensor, Tensor]:
    """Logits (B, C) in float64, and labels of up to 6 rows; the positions of a multi-label row may lack a label."""
    count = draw(st.integers(1, 6))
    logits = draw(st.lists(logit, min_size=count * task.num_logits, max_size=count * task.num_logits))
    if task.problem_type == "regression":
        label: st.SearchStrategy = st.floats(-10, 10)
    elif task.problem_type == "multi_label_classification":
        label = st.lists(st.sampled_from([0, 1, IGNORE_INDEX]), min_size=2, max_size=2)
    else:
        label = st.integers(0, len(task.labels) - 1)
    labels = draw(st.lists(label, min_size=count, max_size=count))
    return torch.tensor(logits, dtype=torch.float64).reshape(count, -1), torch.tensor(labels)


@each_loss_and_weighting
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_unlabelled_rows_change_neither_value_nor_gradient(task: TaskConfig, data: st.DataObject) -> None:
    logits, labels = data.draw(rows(task, st.floats(-5, 5)))
    present = torch.tensor(data.draw(st.lists(st.booleans(), min_size=len(labels), max_size=len(labels))))

    assert_unlabelled_rows_change_nothing(task, logits, labels, present)


@each_loss_and_weighting
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_parts_of_a_batch_add_up_to_the_whole(task: TaskConfig, data: st.DataObject) -> None:
    logits, labels = data.draw(rows(task, st.floats(-5, 5)))
    part_of_row = torch.tensor(data.draw(st.lists(st.integers(0, 2), min_size=len(labels), max_size=len(labels))))

    assert_parts_add_up(task, logits, labels, part_of_row)


@each_loss_and_weighting
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_extreme_logits_give_a_finite_loss_and_a_finite_gradient(task: TaskConfig, data: st.DataObject) -> None:
    # In float32, where a sigmoid of 100 is 1 and one of -100 is all but 0.
    logits, labels = data.draw(rows(task, st.sampled_from([-100.0, 0.0, 100.0])))
    logits = logits.float().requires_grad_()

    loss = masked_loss(logits, labels, task)
    loss.backward()

    assert loss.isfinite()
    assert logits.grad.isfinite().all()


@each_loss_and_weighting
def test_a_batch_without_any_label_gives_zero_loss_and_zero_gradient(task: TaskConfig) -> None:
    # P1: torch's own mean is NaN here.
    logits = torch.randn(2, task.num_logits, requires_grad=True)

    loss = masked_loss(logits, GAPS[task.problem_type][2:], task)
    loss.backward()

    assert loss.item() == 0
    assert torch.count_nonzero(logits.grad) == 0


@each_loss
def test_minus_one_is_a_missing_label_except_for_numbers(task: TaskConfig) -> None:
    # P4: many data sets mark a missing label by -1, which plain cross-entropy refuses as out of bounds.
    labels, logits = GAPS[task.problem_type], torch.randn(4, task.num_logits)
    marked = labels if task.problem_type == "regression" else labels.where(labels != IGNORE_INDEX, -1)

    assert masked_loss(logits, marked, task) == masked_loss(logits, labels, task)


@pytest.mark.parametrize("wrong", [-2, -99, 3])
@pytest.mark.parametrize("kind", ["single_label_classification", "binary_classification", "ordinal_regression"])
def test_a_number_that_is_no_label_and_not_missing_is_an_error_as_in_the_collator(kind: str, wrong: int) -> None:
    task = task_of(kind)
    message = rf"task '{task.name}': {wrong} is not one of its class ids 0 to \d, nor -1 or -100 for missing"

    with pytest.raises(ValueError, match=message):
        masked_loss(torch.zeros(2, task.num_logits), torch.tensor([0, wrong]), task)


def test_a_position_of_several_labels_is_zero_or_one_or_missing() -> None:
    with pytest.raises(ValueError, match="2 is not one of its class ids 0 to 1, nor -1 or -100 for missing"):
        masked_loss(torch.zeros(1, 2), torch.tensor([[1, 2]]), task_of("multi_label_classification"))


def test_a_number_below_zero_is_a_label_of_a_regression() -> None:
    loss = masked_loss(torch.zeros(2, 1), torch.tensor([-1.0, -100.0]), task_of("regression"))

    assert loss.item() == (1 + 100**2) / 2


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_only_classes_of_weight_zero_give_zero_loss_and_zero_gradient(smoothing: float) -> None:
    # P2: torch's weighted mean is NaN here, too; with smoothing it is infinite.
    task = TaskConfig(
        *("t", "single_label_classification", ["a", "b"]), class_weights=[0.0, 1.0], label_smoothing=smoothing
    )
    logits = torch.randn(3, 2, requires_grad=True)

    loss = masked_loss(logits, torch.tensor([0, 0, IGNORE_INDEX]), task)
    loss.backward()

    assert loss.item() == 0
    assert torch.count_nonzero(logits.grad) == 0


def test_a_missing_position_of_a_multi_label_row_is_not_a_negative() -> None:
    # P3
    logits = torch.tensor([[0.0, 5.0]], requires_grad=True)

    loss = masked_loss(logits, torch.tensor([[1, IGNORE_INDEX]]), task_of("multi_label_classification"))
    loss.backward()

    assert loss.item() == pytest.approx(math.log(2))
    assert logits.grad.tolist() == [[pytest.approx(-0.5), 0.0]]


@each_loss
def test_half_precision_logits_give_a_float32_loss(task: TaskConfig) -> None:
    logits = torch.randn(4, task.num_logits, dtype=torch.bfloat16)

    assert masked_loss(logits, GAPS[task.problem_type], task).dtype == torch.float32


@each_loss
def test_the_divisor_counts_labelled_entries(task: TaskConfig) -> None:
    expected = 3 if task.problem_type == "multi_label_classification" else 2

    assert loss_divisor(GAPS[task.problem_type], task).item() == expected


def test_the_divisor_of_weighted_classes_is_the_sum_of_their_weights() -> None:
    task = TaskConfig("t", "single_label_classification", labels=["a", "b"], class_weights=[0.25, 2.0])

    assert loss_divisor(torch.tensor([0, 1, 1, IGNORE_INDEX]), task).item() == 4.25


def test_the_divisor_of_weighted_classes_is_summed_in_float64() -> None:
    # In float32, 10,000 times 0.1 would be 1000.0000149: other weights in another order, another divisor.
    task = TaskConfig("t", "single_label_classification", labels=["a", "b"], class_weights=[0.1, 2.0])

    assert loss_divisor(torch.zeros(10_000, dtype=torch.long), task).item() == pytest.approx(1000, rel=1e-12)


def labels_with_gaps(rows: int = 6) -> dict[str, Tensor]:
    """Every row lacks a label of at least one task."""
    return {
        "topic": torch.tensor([0, 2, IGNORE_INDEX, IGNORE_INDEX, 1, IGNORE_INDEX]),
        "sentiment": torch.tensor([IGNORE_INDEX, 1, 0, IGNORE_INDEX, IGNORE_INDEX, 1]),
        "tags": torch.tensor([[0, IGNORE_INDEX], [1, 1], *[[IGNORE_INDEX] * 2] * 3, [IGNORE_INDEX, 0]]),
        "rating": torch.tensor([NAN, 0.25, NAN, -1.5, NAN, NAN]),
        "grade": torch.tensor([2, IGNORE_INDEX, IGNORE_INDEX, 1, IGNORE_INDEX, 0]),
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
    if name == "grade":
        above = torch.cat([torch.ones_like(logits[:, :1]), logits.sigmoid(), torch.zeros_like(logits[:, :1])], dim=1)
        return F.nll_loss((-above.diff(dim=1)).log(), labels)
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
