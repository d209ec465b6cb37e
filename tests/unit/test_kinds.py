"""The values of each problem type, compared with those of version 0.1.

`tests/snapshots/kinds.json` was written by that version from the same draws in float64. When the classes were
introduced, 600 draws in all precisions were compared bit by bit.
"""

import json
import random
from typing import Any

import pytest
import torch

from modeling_multitask import TaskConfig
from modeling_multitask.answers_multitask import decide
from modeling_multitask.kinds_multitask import KINDS
from modeling_multitask.losses_multitask import masked_loss
from modeling_multitask.problem_types_multitask import PROBLEM_TYPES
from tests.conftest import ROOT

RECORDED = json.loads((ROOT / "tests" / "snapshots" / "kinds.json").read_text())
DRAWS = 50


def drawn(seed: int) -> tuple[TaskConfig, torch.Tensor, torch.Tensor]:
    """A task with random settings, its logits and its labels, some of which are missing."""
    generator = random.Random(seed)
    kind = ("single_label_classification", "binary_classification", "multi_label_classification")[seed % 3]
    kind = (*[kind] * 3, "regression", "ordinal_regression")[seed % 5]
    classes, rows = 2 if kind.startswith("binary") else generator.randint(2, 5), generator.randint(1, 6)

    def numbers(count: int) -> list[float]:
        return [generator.random() for _ in range(count)]

    settings: dict[str, Any] = {"temperature": generator.choice([1.0, 0.7])}
    settings |= {"decision": "mode"} if kind == "ordinal_regression" else {}
    if kind != "regression":
        settings["labels"] = [f"l{i}" for i in range(classes)]
    if kind.endswith("classification"):
        settings |= {"loss": generator.choice(["cross_entropy", "focal"]), "label_smoothing": 0.1}
    if kind == "regression":
        settings |= {"loss": generator.choice(["mse", "huber"]), "huber_delta": 0.5}
    if kind.startswith("single"):
        settings["class_weights"] = numbers(classes)
    if kind.startswith(("binary", "multi")):
        settings |= {
            name: numbers(1 if kind.startswith("binary") else classes) for name in ("pos_weight", "thresholds")
        }
    task = TaskConfig("t", kind, **settings)
    width = {"regression": 1, "binary_classification": 1, "ordinal_regression": classes - 1}.get(kind, classes)
    logits = torch.tensor(
        [sorted((3 * generator.gauss(0, 1) for _ in range(width)), reverse=True) for _ in range(rows)]
    )
    logits = logits.double().requires_grad_()
    if kind == "regression":
        labels = torch.tensor([generator.choice([generator.gauss(0, 1), float("nan")]) for _ in range(rows)])
    else:
        ids = [-100, -1, *range(2 if kind.startswith("multi") else classes)]
        shape = (rows, classes) if kind.startswith("multi") else (rows,)
        labels = torch.tensor([generator.choice(ids) for _ in range(torch.Size(shape).numel())]).view(shape)
    return task, logits, labels


def computed(seed: int) -> dict[str, Any]:
    """The loss and its gradient, the scores and the decision of a draw."""
    task, logits, labels = drawn(seed)
    loss = masked_loss(logits, labels, task)
    loss.backward()
    decision = decide({"t": logits.detach()}, [task])["t"]
    found = {"loss": loss, "gradient": logits.grad, "scores": decision.scores, "chosen": decision.chosen}
    return {name: value.tolist() for name, value in found.items()}


@pytest.mark.parametrize("seed", range(DRAWS))
def test_losses_gradients_scores_and_decisions_are_those_of_version_0_1(seed: int) -> None:
    found, recorded = computed(seed), RECORDED[seed]

    # Version 0.1 added the losses of C - 1 binary decisions, which is not the likelihood of the label.
    compared = ("scores", "chosen") if drawn(seed)[0].kind.ordered else tuple(recorded)
    for name in compared:
        value = recorded[name]
        torch.testing.assert_close(torch.tensor(found[name]), torch.tensor(value), rtol=1e-6, atol=1e-7, msg=name)


def test_every_problem_type_has_a_class() -> None:
    assert list(KINDS) == list(PROBLEM_TYPES)


@pytest.mark.parametrize("name", KINDS)
def test_a_kind_knows_the_facts_of_its_problem_type(name: str) -> None:
    assert vars(KINDS[name]) == vars(PROBLEM_TYPES[name])
    assert TaskConfig("t", name, **({} if KINDS[name].is_number else {"labels": ["a", "b"]})).kind is KINDS[name]
