"""Balancing methods give the same result in two processes as in one, and leave the processes equal."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.launched import results_of

pytestmark = pytest.mark.slow

# Every balancing in one launch: a process takes longer to start than to train.
TRAIN = """
import sys
import torch
from datasets import Dataset
from transformers import TrainerCallback
from tests.process_training import NO_DROPOUT, SENTIMENT, build_model, build_trainer, end, texts_of_three_words

backbone, batch_size, output = sys.argv[1], int(sys.argv[2]), sys.argv[3]
rows = Dataset.from_dict({
    "text": texts_of_three_words(16),
    "sentiment": [None if i % 3 == 1 else i % 2 for i in range(16)],
    "contrary": [None if i % 5 == 2 else 1 - i % 2 for i in range(16)],
    "rating": [i / 8 if i in (0, 1, 3, 6) else None for i in range(16)],  # the second process has none
})
tasks = [SENTIMENT, {**SENTIMENT, "name": "contrary", "weight": 0.5}, {"name": "rating", "problem_type": "regression"}]

class Keep(TrainerCallback):
    def __init__(self, trainer):
        self.trainer, self.model, self.learned = trainer, [], []

    def on_pre_optimizer_step(self, args, state, control, **kwargs):
        self.model.append(torch.cat([p.grad.flatten() for p in self.trainer.model.parameters()]))
        self.learned.append([p.grad.clone() for p in self.trainer.balancing.parameters()])

def train(number, **settings):
    model = build_model(backbone, tasks[:number], **NO_DROPOUT)
    model.heads.contrary.load_state_dict(model.heads.sentiment.state_dict())  # so that the two are in conflict
    trainer = build_trainer(
        model, backbone, output, rows, max_steps=3, per_device_train_batch_size=batch_size,
        train_sampling_strategy="sequential", learning_rate=1e-2, max_grad_norm=0.0, save_strategy="no", **settings,
    )
    keep = Keep(trainer)
    trainer.add_callback(keep)  # after the balancing's own
    trainer.train()
    parameters = [*model.parameters(), *trainer.balancing.parameters()]
    return {
        "gradient": keep.model[0],
        "learned": keep.learned[0],
        "weights": torch.cat([p.detach().flatten() for p in parameters]),
        "cosines": [line for line in trainer.state.log_history if any(name.endswith("_cosine") for name in line)],
        "means": getattr(trainer.balancing, "means", None),
    }

runs = {
    "sum": train(3, conflict="log"),
    "uncertainty": train(3, balancing="uncertainty"),
    "dwa": train(3, balancing="dwa"),
    "pcgrad": train(2, balancing="pcgrad"),
    "pcgrad of three": train(3, balancing="pcgrad"),
    "upgrad": train(3, balancing="upgrad"),
    "nash_mtl": train(3, balancing="nash_mtl"),
}
end(runs, output)
"""


def launch(folder: Path, backbone: Path, *, processes: int) -> list[dict[str, Any]]:
    """By process, what every balancing made of 16 rows in each of three steps."""
    return results_of(TRAIN, backbone, 16 // processes, folder=folder, processes=processes)


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory, backbone: Path) -> dict[str, Any]:
    """All 16 rows in one process."""
    return launch(tmp_path_factory.mktemp("one"), backbone, processes=1)[0]


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory, backbone: Path) -> list[dict[str, Any]]:
    """8 rows in each of two processes."""
    return launch(tmp_path_factory.mktemp("two"), backbone, processes=2)


def far_from(one: Tensor, other: Tensor) -> float:
    """The norm of the difference over the norm of the second."""
    return ((one - other).norm() / other.norm()).item()


def test_two_tasks_are_in_conflict_so_that_there_is_something_to_balance(one: dict[str, Any]) -> None:
    assert one["sum"]["cosines"][0]["sentiment_contrary_cosine"] < -0.5


@pytest.mark.parametrize("balancing", ["sum", "uncertainty", "pcgrad", "upgrad", "nash_mtl"])
def test_two_processes_take_a_step_with_the_gradient_of_one(
    one: dict[str, Any], two: list[dict[str, Any]], balancing: str
) -> None:
    # P8: labels are missing unevenly, and the second process has none of one task. Float32 sums in another order;
    # the solvers stop where they do for products that differ by as little.
    assert far_from(two[0][balancing]["gradient"], one[balancing]["gradient"]) <= 5e-6


def test_two_processes_give_variances_the_gradient_of_one(one: dict[str, Any], two: list[dict[str, Any]]) -> None:
    # P8, P10: DDP does not know the weights that are learned outside the model.
    assert far_from(two[0]["uncertainty"]["learned"][0], one["uncertainty"]["learned"][0]) <= 5e-6


def test_two_processes_measure_the_cosines_of_one(one: dict[str, Any], two: list[dict[str, Any]]) -> None:
    first = one["sum"]["cosines"][0]

    assert two[0]["sum"]["cosines"][0] == pytest.approx(first, abs=5e-6)


def test_two_processes_count_the_mean_losses_of_one(one: dict[str, Any], two: list[dict[str, Any]]) -> None:
    # Of the second and third epoch, after steps of Adam: where a gradient is near 0, its rounding decides the step.
    means = [pytest.approx(means, rel=1e-3) for means in one["dwa"]["means"]]

    assert two[1]["dwa"]["means"] == means


@pytest.mark.parametrize("balancing", ["uncertainty", "dwa", "pcgrad", "pcgrad of three", "upgrad", "nash_mtl"])
def test_replicas_are_the_same_after_three_steps(two: list[dict[str, Any]], balancing: str) -> None:
    # PCGrad draws an order for three tasks, and a solver may differ in the last digit: one process decides.
    assert torch.equal(two[0][balancing]["weights"], two[1][balancing]["weights"])
