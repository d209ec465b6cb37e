"""Gradients and logged losses do not depend on the number of processes and micro-batches of a step."""

import json
from pathlib import Path

import pytest
import torch

from tests.launched import finish

pytestmark = pytest.mark.slow

STEP = """
import json, sys
import torch
from accelerate import PartialState
from datasets import Dataset
from transformers import AutoTokenizer, TrainerCallback
from modeling_multitask import MultiTaskModel, MultiTaskTrainer, MultiTaskTrainingArguments

backbone, output, batch_size, accumulation = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])

def soft(labels, i, divisor=1.0):  # missing in every fifth row, and in other rows a tie
    counts = [(i + 2 * k) % 5 + 0.5 for k in range(len(labels))]
    return dict(zip(labels, (c / (divisor or sum(counts)) for c in counts))) if i % 5 else None

words = "the a good bad film phone food was is very not plot screen soup".split()
rows = Dataset.from_dict({
    "text": [" ".join(words[(i * k) % len(words)] for k in (1, 3, 5)) for i in range(32)],
    "topic": [None if i % 3 == 1 else i % 3 for i in range(32)],
    "sentiment": [i % 2 if i < 5 else None for i in range(32)],  # the second process has none
    "tags": [[i % 2, None if i % 5 else 1] if i % 4 else None for i in range(32)],
    "rating": [i / 7 if i % 3 else None for i in range(32)],
    "stars": [i % 4 if i % 5 < 2 else None for i in range(32)],
    "tone_distribution": [soft("abc", i, None) for i in range(32)],
    "toxic_distribution": [soft(["no", "yes"], i, None) for i in range(32)],
    "marks_distribution": [soft(["m", "n"], i, 5.0) for i in range(32)],
    "grade_distribution": [soft("123", i, None) for i in range(32)],
    "weight": [None if i % 7 == 3 else (i % 4) / 2 for i in range(32)],
})
tasks = [
    {"name": "topic", "problem_type": "single_label_classification", "labels": ["x", "y", "z"], "weight": 0.5,
     "class_weights": [0.3, 1.0, 2.1], "label_smoothing": 0.1},
    {"name": "sentiment", "problem_type": "binary_classification", "labels": ["no", "yes"], "loss": "focal"},
    {"name": "tags", "problem_type": "multi_label_classification", "labels": ["long", "loud"],
     "pos_weight": [0.7, 3.3], "label_smoothing": 0.1},
    {"name": "rating", "problem_type": "regression", "loss": "huber", "weight": 2.0},
    {"name": "stars", "problem_type": "ordinal_regression", "labels": ["1", "2", "3", "4"]},
    {"name": "tone", "problem_type": "single_label_classification", "labels": ["a", "b", "c"],
     "class_weights": [0.3, 1.0, 2.1], "label_smoothing": 0.1},
    {"name": "toxic", "problem_type": "binary_classification", "labels": ["no", "yes"], "pos_weight": 2.2},
    {"name": "marks", "problem_type": "multi_label_classification", "labels": ["m", "n"], "loss": "focal"},
    {"name": "grade", "problem_type": "ordinal_regression", "labels": ["1", "2", "3"]},
]

class Keep(TrainerCallback):
    def on_pre_optimizer_step(self, args, state, control, model=None, **kwargs):
        self.gradient = torch.cat([p.grad.flatten() for p in model.parameters()])

for dtype in ("float32", "float64"):
    torch.manual_seed(0)
    model = MultiTaskModel.from_backbone(
        backbone, tasks, head={"hidden_sizes": [16], "dropout": 0.0}, dtype=getattr(torch, dtype),
        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
    )
    keep = Keep()
    trainer = MultiTaskTrainer(
        model=model,
        args=MultiTaskTrainingArguments(
            output, max_steps=1, per_device_train_batch_size=batch_size, gradient_accumulation_steps=accumulation,
            train_sampling_strategy="sequential", logging_steps=1, report_to="none", use_cpu=True, disable_tqdm=True,
            max_grad_norm=0.0, save_strategy="no", dataloader_pin_memory=False,
        ),
        train_dataset=rows,
        processing_class=AutoTokenizer.from_pretrained(backbone),
        callbacks=[keep],
    )
    trainer.train()
    if trainer.is_world_process_zero():
        torch.save(keep.gradient, f"{output}/{dtype}.pt")
        with open(f"{output}/{dtype}.json", "w") as file:
            json.dump(trainer.state.log_history[0], file)
    trainer.accelerator.wait_for_everyone()
PartialState().destroy_process_group()
"""


def step(folder: Path, backbone: Path, *, processes: int, batch_size: int, accumulation: int) -> Path:
    """The folder with the whole gradient and the first line of the log, by dtype, of one step over 32 rows."""
    (folder / "step.py").write_text(STEP)
    finish("step.py", backbone, folder, batch_size, accumulation, folder=folder, processes=processes)
    return folder


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, backbone: Path) -> Path:
    """All 32 rows in one batch of one process."""
    return step(tmp_path_factory.mktemp("whole"), backbone, processes=1, batch_size=32, accumulation=1)


@pytest.fixture(scope="module", params=[(1, 8, 4), (2, 16, 1), (2, 8, 2)], ids=["4 × 8", "2 processes", "2 × 2 × 8"])
def parts(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, backbone: Path) -> Path:
    """The same rows in micro-batches, in processes, and in both."""
    processes, batch_size, accumulation = request.param
    folder = tmp_path_factory.mktemp("parts")
    return step(folder, backbone, processes=processes, batch_size=batch_size, accumulation=accumulation)


# The remaining difference is rounding from a different order of sums.
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 5e-6), ("float64", 1e-10)])
def test_a_step_gives_the_gradient_of_one_batch(whole: Path, parts: Path, dtype: str, tolerance: float) -> None:
    # P5, P7, P8: labels are missing unevenly, some are soft, rows have weights, and the second process has no label of
    # one task.
    expected = torch.load(whole / f"{dtype}.pt")

    assert (torch.load(parts / f"{dtype}.pt") - expected).norm() <= tolerance * expected.norm()


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("float64", 1e-9)])
def test_a_step_logs_the_losses_of_one_batch(whole: Path, parts: Path, dtype: str, tolerance: float) -> None:
    # P6
    expected, log = (losses(folder / f"{dtype}.json") for folder in (whole, parts))

    assert len(expected) == 10
    assert log.pop("loss") == pytest.approx(expected.pop("loss"), rel=max(tolerance, 1e-6))  # a float32 of the Trainer
    assert log == pytest.approx(expected, rel=tolerance)


def losses(path: Path) -> dict[str, float]:
    """The whole loss and that of each task."""
    log = json.loads(path.read_text())
    return {name: value for name, value in log.items() if name == "loss" or name.endswith("_loss")}
