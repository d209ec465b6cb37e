"""Two processes have one average: that of a single process with the same batches, also after a resume."""

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.launched import finish

pytestmark = pytest.mark.slow

# Every case in one launch: a process takes longer to start than to train.
TRAIN = """
import os, sys
import torch
from accelerate import PartialState
from datasets import Dataset
from transformers import AutoTokenizer
from modeling_multitask import MultiTaskModel, MultiTaskTrainer, MultiTaskTrainingArguments

backbone, output = sys.argv[1:]
words = "the a good bad film phone food was is very not plot screen soup".split()
tasks = [
    {"name": "topic", "problem_type": "single_label_classification", "labels": ["x", "y", "z"]},
    {"name": "sentiment", "problem_type": "binary_classification", "labels": ["no", "yes"]},
]
rows = Dataset.from_dict({
    "text": [" ".join(words[(i * k) % len(words)] for k in (1, 3, 5)) for i in range(32)],
    "topic": [None if i % 3 == 1 else i % 3 for i in range(32)],
    "sentiment": [i % 2 if i < 5 else None for i in range(32)],
})

def train(name, checkpoint=None, dropout=0.1, **settings):
    torch.manual_seed(0)
    model = MultiTaskModel.from_backbone(
        backbone, tasks, head={"hidden_sizes": [16], "dropout": dropout}, max_length=16,
        hidden_dropout_prob=dropout, attention_probs_dropout_prob=dropout,
    )
    trainer = MultiTaskTrainer(
        model=model,
        args=MultiTaskTrainingArguments(
            f"{output}/{name}", learning_rate=5e-3, num_train_epochs=3, eval_strategy="epoch", save_strategy="epoch",
            per_device_train_batch_size=8 // int(os.environ.get("WORLD_SIZE", 1)), train_sampling_strategy="sequential",
            report_to="none", use_cpu=True, disable_tqdm=True, dataloader_pin_memory=False, **settings,
            ddp_timeout=60,  # a process that waits for one that does not come ends soon (P80)
        ),
        train_dataset=rows,
        eval_dataset=rows,
        processing_class=AutoTokenizer.from_pretrained(backbone),
    )
    trainer.train(resume_from_checkpoint=checkpoint and f"{output}/{name}/checkpoint-{checkpoint}")
    return {name: each.detach().clone() for name, each in trainer.model.state_dict().items()}

runs = {}
for name, average in (("ema", {"ema": 0.9}), ("last", {"last": 2})):
    runs[name] = train(f"{name}-plain", dropout=0.0, average=average)
    phases = [{"train": ["heads", "layers.1"], "until": "epoch 2"}, {"train": ["heads"]}]
    runs[f"{name} whole"] = train(name, average=average, phases=phases)
    runs[f"{name} resumed"] = train(name, checkpoint=4, average=average, phases=phases)
torch.save(runs, f"{output}/{PartialState().process_index}.pt")
PartialState().wait_for_everyone()
PartialState().destroy_process_group()
"""
each_average = pytest.mark.parametrize("average", ["ema", "last"])


def run(folder: Path, backbone: Path, processes: int) -> list[dict[str, Any]]:
    """The weights at the end of each run, by process."""
    (folder / "train.py").write_text(TRAIN)
    finish("train.py", backbone, folder, folder=folder, processes=processes)
    return [torch.load(folder / f"{rank}.pt") for rank in range(processes)]


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory, backbone: Path) -> dict[str, Any]:
    return run(tmp_path_factory.mktemp("one"), backbone, 1)[0]


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory, backbone: Path) -> list[dict[str, Any]]:
    return run(tmp_path_factory.mktemp("two"), backbone, 2)


def apart(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> float:
    """How far two weights are apart at most.

    The gradient of a key's bias is 0 but for rounding, since softmax takes no notice of it; Adam makes steps of that.
    """
    assert one.keys() == other.keys()
    return max((one[name] - other[name]).abs().max().item() for name in one if "key.bias" not in name)


@each_average
def test_two_processes_end_with_the_average_of_one(one: Any, two: Any, average: str) -> None:
    # The remaining difference is rounding from a different order of sums, which Adam makes larger.
    assert apart(one[average], two[0][average]) <= 1e-4


@each_average
@pytest.mark.parametrize("end", ["", " whole", " resumed"])
def test_both_processes_end_with_the_same_average(two: Any, average: str, end: str) -> None:
    assert apart(two[0][average + end], two[1][average + end]) == 0


@each_average
def test_two_resumed_processes_end_with_the_average_of_uninterrupted_ones(two: Any, average: str) -> None:
    # P19
    assert apart(two[0][f"{average} whole"], two[0][f"{average} resumed"]) == 0
