"""Soft labels and weights of rows: their losses against plain formulas, and their way through a batch and a run."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from datasets import Dataset
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from modeling_multitask import MultiTaskCollator, MultiTaskConfig, TaskConfig
from modeling_multitask.errors import RowError
from modeling_multitask.losses_multitask import masked_loss
from modeling_multitask.training.class_weights import with_resolved_weights
from modeling_multitask.training.metrics import multi_task_metrics
from modeling_multitask.training.prefix.caching import PrefixCaching
from modeling_multitask.training.samplers import EpochSampler
from modeling_multitask.training.sampling import Sampling
from modeling_multitask.training.soft_targets import most_probable
from tests.conftest import tiny_bert_config
from tests.unit.training.test_balancing import tiny_trainer, train, whole_state

TONE = TaskConfig("tone", "single_label_classification", labels=["a", "b", "c"])
TOXIC = TaskConfig("toxic", "binary_classification", labels=["no", "yes"])
MARKS = TaskConfig("marks", "multi_label_classification", labels=["m", "n", "o"])
GRADE = TaskConfig("grade", "ordinal_regression", labels=["1", "2", "3"])
PRICE = TaskConfig("price", "regression")


def changed(task: TaskConfig, **words: Any) -> TaskConfig:
    return TaskConfig(task.name, task.problem_type, labels=task.labels, **words)


# Each formula is the loss of one row with one label, written with `math` alone.
def softmax(logits: list[float]) -> list[float]:
    return [math.exp(each) / sum(map(math.exp, logits)) for each in logits]


def sigmoid(logit: float) -> float:
    return 1 / (1 + math.exp(-logit))


def of_class(logits: list[float], label: int, task: TaskConfig) -> float:
    weights = task.class_weights or [1.0] * len(logits)
    scores, share = softmax(logits), task.label_smoothing
    evenly = sum(-w * math.log(p) for w, p in zip(weights, scores, strict=True)) / len(logits)
    loss = (1 - share) * -weights[label] * math.log(scores[label]) + share * evenly
    return loss * (1 - scores[label]) ** task.focal_gamma if task.loss == "focal" else loss


def of_sign(logit: float, label: int, task: TaskConfig, positive: float = 1.0) -> float:
    target, score = label * (1 - task.label_smoothing) + task.label_smoothing / 2, sigmoid(logit)
    loss = -positive * target * math.log(score) - (1 - target) * math.log(1 - score)
    true = score if label else 1 - score
    return loss * (1 - true) ** task.focal_gamma if task.loss == "focal" else loss


def of_rank(logits: list[float], label: int) -> float:
    above = [1.0, *map(sigmoid, logits), 0.0]
    return -math.log(above[label] - above[label + 1])


def expected_loss(logits: list[list[float]], shares: list[Any], weights: list[float], task: TaskConfig) -> float:
    """The sum over rows and labels of weight times share times loss, over the sum of their weights."""
    total = divisor = 0.0
    for row, share, weight in zip(logits, shares, weights, strict=True):
        if share is None:
            continue
        if task.name == "marks":
            for i, (logit, p) in enumerate(zip(row, share, strict=True)):
                pos = (task.pos_weight or [1.0] * 3)[i]
                total += weight * (p * of_sign(logit, 1, task, pos) + (1 - p) * of_sign(logit, 0, task, pos))
                divisor += weight
            continue
        for label, p in enumerate(share):
            pos = (task.pos_weight or [1.0])[0]
            formula = {
                "tone": lambda row=row, label=label: of_class(row, label, task),
                "toxic": lambda row=row, label=label, pos=pos: of_sign(row[0], label, task, pos),
                "grade": lambda row=row, label=label: of_rank(row, label),
            }[task.name]
            total += weight * p * formula()
            divisor += weight * p * (task.class_weights or [1.0] * len(share))[label]
    return total / divisor if divisor else 0.0


CASES = [
    TONE,
    changed(TONE, class_weights=[0.3, 1.0, 2.1]),
    changed(TONE, class_weights=[0.3, 1.0, 2.1], label_smoothing=0.2),
    changed(TONE, loss="focal", focal_gamma=1.5),
    TOXIC,
    changed(TOXIC, pos_weight=[2.5], label_smoothing=0.1),
    changed(TOXIC, loss="focal"),
    MARKS,
    changed(MARKS, pos_weight=[0.5, 2.0, 3.0], label_smoothing=0.1),
    changed(MARKS, loss="focal"),
    GRADE,
]
IDS = [f"{task.problem_type} {i}" for i, task in enumerate(CASES)]
WIDTHS = {"tone": (3, 3), "toxic": (1, 2), "marks": (3, 3), "grade": (2, 3)}  # logits and labels


@st.composite
def soft_rows(draw: Callable, task: TaskConfig) -> tuple[list[list[float]], list[Any], list[float]]:
    """Logits, shares or None, and weights of up to six rows."""
    width, labels = WIDTHS[task.name]
    logits, shares, weights = [], [], []
    for _ in range(draw(st.integers(1, 6))):
        row = draw(st.lists(st.floats(-4, 4), min_size=width, max_size=width))
        logits.append([row[0], row[0] - 0.1 - abs(row[1])] if task.name == "grade" else row)
        counts = draw(st.lists(st.integers(0, 4), min_size=labels, max_size=labels))
        whole = 4 if task.name == "marks" else sum(counts)
        shares.append([each / whole for each in counts] if whole and draw(st.booleans()) else None)
        weights.append(draw(st.sampled_from([0.0, 0.25, 1.0, 3.0])))
    return logits, shares, weights


def tensor_of(shares: list[Any], labels: int) -> Tensor:
    rows = [[math.nan] * labels if share is None else share for share in shares]
    return torch.tensor(rows, dtype=torch.float64)


@pytest.mark.parametrize("task", CASES, ids=IDS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_the_loss_of_soft_labels_and_weights_is_that_of_a_plain_formula(task: TaskConfig, data: Any) -> None:
    logits, shares, weights = data.draw(soft_rows(task))

    loss = masked_loss(
        torch.tensor(logits, dtype=torch.float64),
        tensor_of(shares, WIDTHS[task.name][1]),
        task,
        sample_weight=torch.tensor(weights, dtype=torch.float64),
    )

    assert loss.item() == pytest.approx(expected_loss(logits, shares, weights, task), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("task", CASES, ids=IDS)
def test_the_gradient_of_soft_labels_and_weights_is_that_of_their_loss(task: TaskConfig) -> None:
    torch.manual_seed(0)
    width, labels = WIDTHS[task.name]
    logits = torch.randn(5, width, dtype=torch.float64).sort(descending=True).values.requires_grad_()
    shares = torch.rand(5, labels, dtype=torch.float64)
    shares = shares if task.name == "marks" else shares / shares.sum(dim=-1, keepdim=True)
    shares[2] = math.nan
    weights = torch.tensor([1.0, 0.5, 2.0, 0.0, 3.0], dtype=torch.float64)

    assert torch.autograd.gradcheck(lambda each: masked_loss(each, shares, task, None, weights), logits)
    masked_loss(logits, shares, task, None, weights).backward()
    assert torch.count_nonzero(logits.grad[[2, 3]]) == 0  # a missing label, and a weight of 0


def hard_labels(task: TaskConfig) -> Tensor:
    if task.kind.several_labels:
        return torch.tensor([[0, 1, 1], [1, -100, 0], [-100, -100, -100], [1, 1, 1]])
    return torch.tensor([0, 1, -100, 1])


def one_hot(labels: Tensor, task: TaskConfig) -> Tensor:
    """The same labels as probabilities."""
    if task.kind.several_labels:
        return labels.double().masked_fill(labels < 0, math.nan).float()
    shares = torch.nn.functional.one_hot(labels.clamp(min=0), len(task.labels)).float()
    return shares.masked_fill((labels < 0).unsqueeze(-1), math.nan)


@pytest.mark.parametrize("task", CASES, ids=IDS)
def test_labels_that_one_rater_gave_have_the_loss_and_gradient_of_labels_bit_for_bit(task: TaskConfig) -> None:
    torch.manual_seed(0)
    values = torch.randn(4, WIDTHS[task.name][0]).sort(descending=True).values
    found = []
    for labels in (hard_labels(task), one_hot(hard_labels(task), task)):
        logits = values.clone().requires_grad_()
        loss = masked_loss(logits, labels, task, None, torch.ones(4))
        loss.backward()
        found.append((loss.item(), logits.grad))

    plain = values.clone().requires_grad_()
    masked_loss(plain, hard_labels(task), task).backward()

    assert found[0][0] == found[1][0]
    assert torch.equal(found[0][1], found[1][1])
    assert torch.equal(found[0][1], plain.grad)


def test_weights_of_numbers_count_in_the_mean() -> None:
    logits, numbers = torch.tensor([[1.0], [3.0], [0.0]]), torch.tensor([0.0, 0.0, math.nan])

    assert masked_loss(logits, numbers, PRICE, sample_weight=torch.tensor([3.0, 1.0, 9.0])).item() == 3.0


@pytest.mark.parametrize(
    ("labels", "problem"),
    [([[0.5, 0.2, 0.2]], "is not 1, the sum of the probabilities of a row"), ([[2.0, -1.0, 0.0]], "2.0 is not a prob")],
)
def test_soft_labels_that_are_no_distribution_are_an_error(labels: list[list[float]], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        masked_loss(torch.zeros(1, 3), torch.tensor(labels, dtype=torch.float64), TONE)


def collator(tokenizer: PreTrainedTokenizerBase, *tasks: TaskConfig) -> MultiTaskCollator:
    return MultiTaskCollator(tokenizer, MultiTaskConfig(backbone_config=tiny_bert_config(), tasks=list(tasks)))


def test_a_batch_has_soft_labels_and_weights(tokenizer: PreTrainedTokenizerBase) -> None:
    rows = [
        {"text": "a", "toxic": None, "toxic_distribution": {"no": 0.5, "yes": 0.5}, "weight": 2.0},
        {"text": "b", "toxic": None, "toxic_distribution": None, "weight": None},
    ]

    batch = collator(tokenizer, TOXIC)(rows)

    assert torch.equal(batch["labels"]["toxic"][0], torch.tensor([0.5, 0.5]))
    assert batch["labels"]["toxic"][1].isnan().all()
    assert batch["sample_weight"].tolist() == [2.0, 1.0]


def test_a_batch_without_such_columns_has_neither(tokenizer: PreTrainedTokenizerBase) -> None:
    batch = collator(tokenizer, TOXIC)([{"text": "a", "toxic": 1}])

    assert batch["labels"]["toxic"].tolist() == [1]
    assert "sample_weight" not in batch


@pytest.mark.parametrize(
    ("column", "cell", "problem"),
    [
        ("weight", -1.0, r"rows\[0\]: column 'weight': -1.0 is not a weight; it must be a number, at least 0"),
        ("weight", 1e39, r"rows\[0\]: column 'weight': 1e\+39 is not a weight; .* at least 0 and at most 1e\+15"),
        ("weight", math.inf, "inf is not a weight"),
        ("weight", "heavy", "'heavy' is not a weight"),
        ("toxic_distribution", [0.5, 0.5], "is not a dict of the probability of each label"),
        (
            "toxic_distribution",
            {"no": 0.5, "yess": 0.5},
            "'yess' is not a label of the task 'toxic'; did you mean 'yes'",
        ),
        ("toxic_distribution", {"no": 0.5}, "lacks the probability of a label"),
    ],
)
def test_wrong_cells_are_errors_with_their_row(
    column: str, cell: Any, problem: str, tokenizer: PreTrainedTokenizerBase
) -> None:
    with pytest.raises(RowError, match=problem):
        collator(tokenizer, TOXIC)([{"text": "a", "toxic": 1, column: cell}])


def test_soft_labels_of_a_task_that_is_not_asked_are_missing(tokenizer: PreTrainedTokenizerBase) -> None:
    asked = TaskConfig("asked", "binary_classification", labels=["no", "yes"])
    given_ = {"task": "asked", "labels": ["yes"]}
    config = MultiTaskConfig(backbone_config=tiny_bert_config(), tasks=[vars(asked), {**vars(TOXIC), "given": given_}])
    rows = [{"text": "a", "asked": i, "toxic": 1, "toxic_distribution": {"no": 0.25, "yes": 0.75}} for i in (0, 1)]

    labels = MultiTaskCollator(tokenizer, config)(rows)["labels"]["toxic"]

    assert labels[0].isnan().all()
    assert labels[1].tolist() == [0.25, 0.75]


def test_metrics_are_those_of_the_most_probable_labels_and_the_loss_that_of_the_distribution() -> None:
    shares = np.array([[0.25, 0.75], [0.5, 0.5], [0.9, 0.1], [np.nan, np.nan]])
    logits = np.array([[1.0], [1.0], [1.0], [1.0]])

    metrics = multi_task_metrics({"toxic": logits}, {"toxic": shares}, [TOXIC])["toxic"]

    yes = (0.75 + 0.5 + 0.1) / 3
    assert metrics["rows"] == 2
    assert metrics["accuracy"] == 0.5
    assert metrics["loss"] == pytest.approx(-yes * math.log(sigmoid(1)) - (1 - yes) * math.log(sigmoid(-1)))


def test_the_most_probable_of_several_labels_are_those_above_a_half() -> None:
    shares = np.array([[0.9, 0.5, np.nan], [0.1, 0.0, 1.0]])

    assert most_probable({"marks": shares}, [MARKS])["marks"].tolist() == [[1, -100, -100], [0, 0, 1]]


def test_balanced_class_weights_count_shares_and_weights() -> None:
    rows = Dataset.from_dict(
        {
            "tone_distribution": [{"a": 0.5, "b": 0.5, "c": 0.0}, {"a": 0.0, "b": 1.0, "c": 0.0}, None],
            "weight": [4.0, None, 7.0],
        }
    )

    assert with_resolved_weights(TONE, rows, class_weights="balanced").class_weights == [5 / 6, 5 / 9, 1.0]


def test_balanced_pos_weight_counts_weights() -> None:
    rows = Dataset.from_dict({"toxic": [0, 1, 1, None], "weight": [3.0, 0.5, 0.0, 9.0]})

    assert with_resolved_weights(TOXIC, rows, pos_weight="balanced").pos_weight == [6.0]


def test_a_group_is_drawn_by_the_sum_of_its_weights() -> None:
    groups = [np.arange(10), np.arange(10, 20)]
    weights = np.array([1.0] * 10 + [3.0] * 10)
    sampler = EpochSampler(groups, Sampling("proportional"), seed=0, weights=weights)

    drawn = list(sampler)

    assert sum(row >= 10 for row in drawn) == 15
    assert len(drawn) == 20


def rows_of(weights: list[float] | None, *, soft: bool = False) -> Dataset:
    labels = [i % 2 for i in range(16)]
    columns: dict[str, list[Any]] = {
        "text": [f"{'good' if i % 2 else 'bad'} film {i}" for i in range(16)],
        "toxic": labels,
    }
    if soft:
        columns["toxic_distribution"] = [{"no": 1.0 - each, "yes": float(each)} for each in labels]
    if weights is not None:
        columns["weight"] = weights
    return Dataset.from_dict(columns)


@pytest.fixture
def trained(tmp_path: Any, tokenizer: PreTrainedTokenizerBase) -> Callable[..., Tensor]:
    """The parameters of a model after training on these rows."""

    def run(rows: Dataset, **settings_: Any) -> Tensor:
        task = {"name": "toxic", "problem_type": "binary_classification", "labels": ["no", "yes"]}
        trainer = tiny_trainer(tmp_path, tokenizer, [task], rows, **settings_)
        train(trainer)
        return whole_state(trainer)

    return run


SETTINGS = [{}, {"freeze": ["embeddings", "layers.0"], "max_steps": 4}, {"freeze": "backbone", "max_steps": 4}]


@pytest.mark.parametrize("settings_", SETTINGS, ids=str)
def test_weights_of_1_and_one_rater_train_to_the_same_bits(trained: Any, settings_: dict[str, Any]) -> None:
    plain = trained(rows_of(None), **settings_)

    for same in (rows_of([1.0] * 16), rows_of(None, soft=True)):
        again = trained(same, **settings_)
        assert torch.equal(plain, again)


@pytest.mark.parametrize("settings_", SETTINGS[1:], ids=str)
def test_weights_of_1_and_one_rater_train_to_the_same_bits_from_the_prefix_cache(
    trained: Any, tmp_path: Path, settings_: dict[str, Any]
) -> None:
    cache = PrefixCaching(folder=str(tmp_path / "cache"))
    tables = (rows_of(None), rows_of([1.0] * 16), rows_of(None, soft=True))

    plain, weighted, soft = (trained(rows, **settings_, prefix_cache=cache) for rows in tables)

    assert any((tmp_path / "cache").iterdir())
    assert torch.equal(plain, weighted)
    assert torch.equal(plain, soft)


@pytest.mark.parametrize("settings_", SETTINGS[1:], ids=str)
def test_the_prefix_cache_changes_nothing_for_weights_and_soft_labels(
    trained: Any, tmp_path: Path, settings_: dict[str, Any]
) -> None:
    rows = rows_of([0.1, 1.9, 0.0, 3.0] * 4).add_column(
        "toxic_distribution", [{"no": 1 - i / 16, "yes": i / 16} if i % 5 else None for i in range(16)]
    )

    cache = PrefixCaching(folder=str(tmp_path / "cache"))
    cached, whole = (trained(rows, **settings_, prefix_cache=each) for each in (cache, False))

    assert any((tmp_path / "cache").iterdir())
    torch.testing.assert_close(cached, whole, rtol=1e-5, atol=1e-6)


def test_other_weights_train_to_another_model(trained: Any) -> None:
    plain, weighted = trained(rows_of(None)), trained(rows_of([0.1, 1.9] * 8))

    assert not torch.equal(plain, weighted)
