"""Gradients and logged losses do not depend on how an optimizer step is spread over processes and micro-batches."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.conftest import ROOT

pytestmark = pytest.mark.slow

STEP = """
import json, sys
import torch
from accelerate import PartialState
from datasets import Dataset
from transformers import AutoTokenizer, TrainerCallback
from modeling_multitask import MultiTaskModel, MultiTaskTrainer, MultiTaskTrainingArguments

backbone, output, batch_size, accumulation = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
words = "the a good bad film phone food was is very not plot screen soup".split()
rows = Dataset.from_dict({
    "text": [" ".join(words[(i * k) % len(words)] for k in (1, 3, 5)) for i in range(16)],
    "topic": [None if i % 3 == 1 else i % 3 for i in range(16)],
    "sentiment": [i % 2 if i < 5 else None for i in range(16)],  # the second process has none
})
tasks = [
    {"name": "topic", "problem_type": "single_label_classification", "labels": ["x", "y", "z"], "weight": 0.5,
     "class_weights": [0.5, 1.0, 2.0], "label_smoothing": 0.1},
    {"name": "sentiment", "problem_type": "binary_classification", "labels": ["no", "yes"]},
]
torch.manual_seed(0)
model = MultiTaskModel.from_backbone(backbone, tasks, head={"hidden_sizes": [16], "dropout": 0.0},
                                     hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)

class Keep(TrainerCallback):
    def on_pre_optimizer_step(self, args, state, control, model=None, **kwargs):
        self.gradient = torch.cat([p.grad.flatten() for p in model.parameters()])

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
    torch.save(keep.gradient, f"{output}/gradient.pt")
    with open(f"{output}/log.json", "w") as file:
        json.dump(trainer.state.log_history[0], file)
trainer.accelerator.wait_for_everyone()
PartialState().destroy_process_group()
"""


def step(folder: Path, backbone: Path, *, processes: int, batch_size: int, accumulation: int) -> Any:
    """The whole gradient and the first line of the log of one optimizer step over 16 rows."""
    (folder / "step.py").write_text(STEP)
    output = folder / f"{processes}x{accumulation}x{batch_size}"
    output.mkdir()
    launch = ["-m", "torch.distributed.run", "--nproc_per_node", str(processes)] if processes > 1 else []
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    finished = subprocess.run(
        [
            sys.executable,
            *launch,
            str(folder / "step.py"),
            str(backbone),
            str(output),
            str(batch_size),
            str(accumulation),
        ],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr[-4000:]
    return torch.load(output / "gradient.pt"), json.loads((output / "log.json").read_text())


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, backbone: Path) -> Any:
    """All 16 rows in one batch of one process."""
    return step(tmp_path_factory.mktemp("whole"), backbone, processes=1, batch_size=16, accumulation=1)


@pytest.mark.parametrize(("processes", "batch_size", "accumulation"), [(1, 4, 4), (2, 8, 1), (2, 4, 2)])
def test_a_step_gives_the_gradient_and_the_losses_of_one_batch(
    tmp_path: Path, backbone: Path, whole: Any, processes: int, batch_size: int, accumulation: int
) -> None:
    # P5, P8: labels are missing unevenly, and the second process has none of one task.
    gradient, log = step(tmp_path, backbone, processes=processes, batch_size=batch_size, accumulation=accumulation)

    assert (gradient - whole[0]).norm() <= 5e-6 * whole[0].norm()
    assert {name: log[name] for name in ("loss", "topic_loss", "sentiment_loss")} == pytest.approx(
        {name: whole[1][name] for name in ("loss", "topic_loss", "sentiment_loss")}, rel=1e-5
    )
